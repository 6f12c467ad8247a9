"""What tags and commits lead to, read from the object database: loose objects, packs, alternates.

Only as much is read as tells them from other objects and names their targets. Limits: objects up to
1 MiB, packs with an index of version 2 (all since 2008), 200 packs, 1,000 objects asked for.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from whence.sdk.context.git.files import open_file, read_file, read_text
from whence.sdk.context.git.packs import COMMIT, MAX_OBJECT_BYTES, TAG, Pack

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TAG_STEPS = 5
MAX_LOOKUPS = 1_000
MAX_PACKS = 200
MAX_ALTERNATES = 10
NAMES = {TAG: b"tag ", COMMIT: b"commit "}
FIRST_PARENT = re.compile(
    rb"tree [0-9a-f]{40}(?:[0-9a-f]{24})?\n(?:parent ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n)?"
)
TAG_TARGET = re.compile(rb"object ([0-9a-f]{40}(?:[0-9a-f]{24})?)\ntype ([a-z]+)\n")


class Objects:
    """The object database of one repository. Owns open packs: close it."""

    def __init__(self, common_dir: str, id_length: int, *, max_lookups: int = MAX_LOOKUPS) -> None:
        self._max_lookups = max_lookups
        self._first_folder = f"{common_dir}/objects"
        self._id_length = id_length
        self._folders: list[str] | None = None
        self._packs: list[Pack] | None = None
        self._lookups = 0

    def close(self) -> None:
        """Close the packs that were opened."""
        for pack in self._packs or ():
            pack.close()

    def peel(self, object_id: str) -> str | None:
        """Return the object that a tag leads to, through tags of tags; None for what is no tag.

        A broken object is no tag. Raises ValueError when asked for too many.
        """
        target = None
        for _ in range(MAX_TAG_STEPS):
            self._count_lookup()
            try:
                body = self._read(object_id, TAG)
            except (OSError, ValueError, zlib.error):
                return None
            found = TAG_TARGET.match(body) if body is not None else None
            if found is None:
                return target
            object_id = target = found[1].decode()
            if found[2] != b"tag":
                return target
        return None

    def first_parent(self, object_id: str) -> str | None:
        """Return the first parent of a commit; None for a first commit and one that is not here.

        A broken object is not here. Raises ValueError when asked for too many.
        """
        self._count_lookup()
        try:
            body = self._read(object_id, COMMIT)
        except (OSError, ValueError, zlib.error):
            return None
        found = FIRST_PARENT.match(body) if body is not None else None
        return found[1].decode() if found is not None and found[1] else None

    def _count_lookup(self) -> None:
        self._lookups += 1
        if self._lookups > self._max_lookups:
            raise ValueError(f"more than {self._max_lookups} objects to look at")

    def _read(self, object_id: str, kind: int) -> bytes | None:
        for folder in self._list_folders():
            path = f"{folder}/{object_id[:2]}/{object_id[2:]}"
            data = read_file(path)
            if data is not None:
                return _unpack_loose(data, kind)
        for pack in self._list_packs():
            found = pack.read(bytes.fromhex(object_id), kind)
            if found is not None:
                return found or None
        return None

    def _list_folders(self) -> list[str]:
        """Return the repository's folder of objects and those that it borrows from."""
        if self._folders is None:
            self._folders = [self._first_folder]
            for folder in self._folders:  # grows meanwhile
                for line in read_text(f"{folder}/info/alternates").split("\n"):
                    other = str(Path(folder, line).resolve())
                    if line[:1] not in ("", "#") and other not in self._folders:
                        self._folders.append(other)
                if len(self._folders) > MAX_ALTERNATES:
                    break
        return self._folders

    def _list_packs(self) -> list[Pack]:
        if self._packs is None:
            self._packs = []
            for path in self._find_indexes():
                index = open_file(path)
                if index is not None:
                    pack = Pack(index, path.removesuffix(".idx") + ".pack", self._id_length // 2)
                    self._packs.append(pack)
                if len(self._packs) == MAX_PACKS:
                    break
        return self._packs

    def _find_indexes(self) -> Iterator[str]:
        for folder in self._list_folders():
            try:
                names = [entry.name for entry in os.scandir(f"{folder}/pack")]
            except (FileNotFoundError, NotADirectoryError):
                continue
            for name in names:
                if name.endswith(".idx"):
                    yield f"{folder}/pack/{name}"


def _unpack_loose(data: bytes, kind: int) -> bytes | None:
    inflated = zlib.decompressobj().decompress(data, MAX_OBJECT_BYTES)
    header, _, body = inflated.partition(b"\0")
    return body if header.startswith(NAMES[kind]) else None
