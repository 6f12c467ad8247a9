"""References as files: one below `refs/` for each, and many in `packed-refs`.

A loose reference hides a packed one of the same name. `packed-refs` is searched as text, not taken
apart, so that 50,000 references cost a few milliseconds. Limits: tags in a `packed-refs` that
doesn't say what they lead to (written by tools before 2007) are taken for lightweight ones, and
more than 5,000 loose references below one prefix are not looked through.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from whence.sdk.context.git.files import read_file
from whence.sdk.context.git.refs import TAGS, RefAt, RefValue, is_own, is_ref_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LOOSE_BYTES = 64 << 10
MAX_LOOSE_REFS = 5_000
PACKED_NAME = re.compile(rb"[0-9a-f]+ ([^\r\n]+)\r?(?:\n|\Z)")


class RefFiles:
    """The references of one work tree. Reads `packed-refs` once, when it is first needed."""

    def __init__(
        self, git_dir: str, common_dir: str, id_length: int, peel: Callable[[str], str | None]
    ) -> None:
        self._git_dir = git_dir
        self._common_dir = common_dir
        self._object_id = re.compile(rb"[0-9a-fA-F]{%d}(?=\s|\Z)" % id_length)
        self._peel = peel
        self._packed: bytes | None = None

    def read(self, name: bytes) -> RefValue | None:
        """Return what a reference holds, None where there is none."""
        value = self._read_loose(name)
        return value if value is not None or is_own(name) else self._read_packed(name)

    def find_at(self, commit: str, prefix: bytes) -> Iterator[RefAt]:
        """Yield the references below a prefix that hold a commit, or a tag of it."""
        hidden = set()
        for name in list(self._list_loose(prefix)):
            hidden.add(name)
            try:
                value = self._read_loose(name)
            except (OSError, ValueError):  # one broken reference is not the others' matter
                continue
            if value is None or value.object_id is None:
                continue
            if value.object_id == commit:
                yield RefAt(name)
            elif prefix == TAGS and self._peel(value.object_id) == commit:
                yield RefAt(name, is_peeled=True)
        yield from (ref for ref in self._find_packed(commit, prefix) if ref.name not in hidden)

    def _read_loose(self, name: bytes) -> RefValue | None:
        folder = self._git_dir if is_own(name) else self._common_dir
        path = f"{folder}/{os.fsdecode(name)}"
        linked = _read_link(path)
        if linked is not None:
            return RefValue(target=linked)
        data = read_file(path, MAX_LOOSE_BYTES)
        if data is None:
            return None
        if data.startswith(b"ref:"):
            return RefValue(target=data[4:].strip(b" \t\r\n"))
        found = self._object_id.match(data)
        if found is None:
            raise ValueError(f"{name!r} holds neither an object id nor a name")
        return RefValue(object_id=found[0].decode().lower())

    def _list_loose(self, prefix: bytes) -> Iterator[bytes]:
        """Yield the names of the files below a prefix; folders that are links are not entered."""
        waiting = [prefix.rstrip(b"/")]
        count = 0
        while waiting:
            folder = waiting.pop()
            try:
                entries = list(os.scandir(f"{self._common_dir}/{os.fsdecode(folder)}"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                count += 1
                if count > MAX_LOOSE_REFS:
                    raise ValueError(f"more than {MAX_LOOSE_REFS} loose references")
                name = folder + b"/" + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif is_ref_name(name):
                    yield name

    def _read_packed(self, name: bytes) -> RefValue | None:
        text = self._read_packed_text()
        for end in (b"\n", b"\r\n", b""):
            line = b" " + name + end
            found = text.find(line) if end else len(text) - len(line) if text.endswith(line) else -1
            start = text.rfind(b"\n", 0, max(found, 0)) + 1
            object_id = self._object_id.match(text, start) if found > 0 else None
            if object_id and object_id.end() == found:
                return RefValue(object_id=object_id[0].decode().lower())
        return None

    def _find_packed(self, commit: str, prefix: bytes) -> Iterator[RefAt]:
        text = self._read_packed_text()
        direct = b"\n" + commit.encode() + b" " + prefix
        for position in _find_all(text, direct):
            if name := PACKED_NAME.match(text, position + 1):
                yield RefAt(name[1])
        if prefix != TAGS:
            return
        for position in _find_all(text, b"\n^" + commit.encode()):
            name = PACKED_NAME.match(text, text.rfind(b"\n", 0, position) + 1)
            if name and name[1].startswith(prefix):
                yield RefAt(name[1], is_peeled=True)

    def _read_packed_text(self) -> bytes:
        """Return `packed-refs`, with a line's end before the first line."""
        if self._packed is None:
            self._packed = b"\n" + (read_file(f"{self._common_dir}/packed-refs") or b"")
        return self._packed


def _find_all(text: bytes, wanted: bytes) -> Iterator[int]:
    position = text.find(wanted)
    while position >= 0:
        yield position
        position = text.find(wanted, position + 1)


def _read_link(path: str) -> bytes | None:
    """Return the name that a reference has as a symbolic link, the way git once made them."""
    try:
        target = os.fsencode(Path(path).readlink().as_posix())
    except (OSError, ValueError):  # no link, or not there
        return None
    return target if is_ref_name(target) else None
