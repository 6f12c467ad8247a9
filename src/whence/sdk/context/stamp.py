"""The stamp: a small JSON file that says which code an image was built from.

`whence stamp` writes it where the image is built, because the image has no `.git`; the SDK reads it
where the image runs. Looked at, the first file decides:

1. the path in `WHENCE_STAMP` (`off` looks nowhere);
2. `whence-stamp.json` next to the program's file and in the folders above it (a program without a
   file of its own: above its virtual environment);
3. the same from the current folder upwards;
4. `/etc/whence/stamp.json`.

Going upwards ends at the top of a repository, and passes over folders where everybody may write,
such as `/tmp`. A file that can't be used is ignored with one warning. Limit: that the code beside
a stamp has changed since isn't noticed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.context.found import Found
from whence.sdk.context.small_files import read_small
from whence.sdk.context.variables import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME = "whence-stamp.json"
VARIABLE = "WHENCE_STAMP"
SYSTEM_PATH = Path("/etc/whence/stamp.json")
MAX_BYTES = 64 << 10
READABLE_BY_ALL = 0o644  # an image is built by root and run by others
OFF_WORDS = frozenset({"0", "false", "no", "off"})

# field of the file → metadata key
FIELDS: dict[str, str] = {
    "commit": semconv.GIT_COMMIT,
    "branch": semconv.GIT_BRANCH,
    "url": semconv.GIT_REPO_URL,
    "dirty": semconv.GIT_DIRTY,
    "dirty_hash": semconv.GIT_DIRTY_HASH,
    "app_version": semconv.APP_VERSION,
    "environment": semconv.ENVIRONMENT,
    "deployment_id": semconv.DEPLOYMENT_ID,
    "built_at": semconv.BUILD_TIME,
}


class Stamp(msgspec.Struct, frozen=True):
    """What the file holds. `built_at` is UTC as in RFC 3339; `sources` says where a field is from.

    What isn't known is None here and not in the file. Other fields in a file are passed over.
    """

    commit: str | None = None
    branch: str | None = None
    url: str | None = None
    dirty: bool | None = None
    dirty_hash: str | None = None
    app_version: str | None = None
    environment: str | None = None
    deployment_id: str | None = None
    built_at: str | None = None
    metadata: dict[str, str | int | float | bool | None] = {}
    sources: dict[str, str] = {}


def read_stamp(program_file: Path | None, cwd: Path | None) -> Iterator[Found]:
    """Yield what the stamp of this program says; nothing where there is none to be used."""
    path = find_stamp(program_file, cwd)
    if path is None:
        return
    try:
        stamp = _load(path)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        diagnostics.warn_once(
            "stamp_ignored",
            "Whence ignores the stamp %s: %s. Write it again with `whence stamp --output %s`, "
            "remove it, or name another file in %s.",
            path,
            error,
            path,
            VARIABLE,
        )
        return
    yield from _read_fields(stamp, f"stamp {path}")


def _load(path: Path) -> Stamp:
    data = read_small(path, MAX_BYTES)
    if data is None:
        raise ValueError("it is not there, or not readable by this user")
    return msgspec.json.decode(data, type=Stamp)


def find_stamp(program_file: Path | None, cwd: Path | None) -> Path | None:
    """Return the path of the stamp that counts for a program, or None where there is none."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return None if named.lower() in OFF_WORDS else Path(named).absolute()
    for folder in _find_folders(program_file, cwd):
        with contextlib.suppress(OSError):  # a folder that this user may not look into
            if (folder / FILE_NAME).exists():
                return folder / FILE_NAME
    with contextlib.suppress(OSError):
        return SYSTEM_PATH if SYSTEM_PATH.exists() else None
    return None


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Write the file, whole or not at all, readable by every user. Raises `OSError`."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(format_stamp(stamp))
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(READABLE_BY_ALL)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def format_stamp(stamp: Stamp) -> bytes:
    """Return the file's text: the known fields, in the order of `FIELDS`, two blanks deep."""
    known = {
        name: value
        for name, value in msgspec.structs.asdict(stamp).items()
        if value not in (None, {})
    }
    return msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n"


def _read_fields(stamp: Stamp, source: str) -> Iterator[Found]:
    given = {key: getattr(stamp, name) for name, key in FIELDS.items()}
    named = {semconv.canonical_key(name): value for name, value in stamp.metadata.items()}
    for key, value in {**named, **given}.items():
        if key and (text := clean(key, _write_value(value))):
            yield Found(key, text, source)


def _write_value(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _find_folders(program_file: Path | None, cwd: Path | None) -> Iterator[Path]:
    starts = [] if cwd is None else [cwd]
    if program_file is not None:
        starts.insert(0, program_file if program_file.is_dir() else program_file.parent)
    elif sys.prefix != sys.base_prefix:  # a console script: its environment is often /app/.venv
        starts.insert(0, Path(sys.prefix))
    for start in starts:
        with contextlib.suppress(OSError, RuntimeError):  # a circle of symbolic links
            yield from _walk_up(start.resolve())


def _walk_up(start: Path) -> Iterator[Path]:
    """Yield the folder and those above it, up to the top of its repository or file system."""
    for folder in (start, *start.parents):
        if folder == start or not _is_shared(folder):
            yield folder
        if (folder / ".git").exists():
            return


def _is_shared(folder: Path) -> bool:
    """Tell a folder such as /tmp, where any user may leave a file."""
    return bool(folder.stat().st_mode & stat.S_IWOTH)
