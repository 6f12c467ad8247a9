"""Read small files of a repository without trusting them.

A file that is not there is None; one that is there and can't be had (no permission, a named pipe,
a device, far too large) raises `OSError`, because "no such reference" and "an unreadable one" must
not be taken for each other: behind an unreadable file an older value would show.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO

MAX_FILE_BYTES = 64 << 20  # packed-refs of the largest public repositories has about this size
PIECE_BYTES = 64 << 10
# Opening a named pipe or a terminal must neither wait nor take it over.
OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})


def read_file(path: str, limit: int = MAX_FILE_BYTES) -> bytes | None:
    """Return a file's bytes, None where there is no file. Raises OSError as said above."""
    number = _open(path)
    if number is None:
        return None
    pieces = []
    size = 0
    try:  # a buffered file object takes as long again
        while size <= limit and (piece := os.read(number, PIECE_BYTES)):
            pieces.append(piece)
            size += len(piece)
    finally:
        os.close(number)
    if size > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
    return b"".join(pieces)


def open_file(path: str) -> IO[bytes] | None:
    """Open a regular file, None where there is none. Raises OSError for anything else."""
    number = _open(path)
    return None if number is None else os.fdopen(number, "rb")


def _open(path: str) -> int | None:
    try:
        number = os.open(path, OPEN_FLAGS)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return number
    os.close(number)
    if stat.S_ISDIR(mode):
        return None
    raise OSError(errno.EINVAL, "not a regular file", path)


def read_text(path: str, limit: int = MAX_FILE_BYTES) -> str:
    """Return a file's text, '' where there is no file; bytes that are not UTF-8 survive."""
    return (read_file(path, limit) or b"").decode("utf-8", "surrogateescape")
