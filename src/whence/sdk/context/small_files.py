"""Read a small file that others wrote: never more than a limit, never a pipe or a device.

Limit: a file on a network file system that hangs, hangs the reader; nothing here runs in the
program's own threads.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_small(path: Path, limit_bytes: int) -> bytes | None:
    """Return a regular file's bytes; None where there is none, or it can't be read.

    Raises `ValueError` where the file holds more than `limit_bytes`.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would block for ever
            return None
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except (OSError, ValueError):  # a null byte in the path, a circle of symbolic links
        return None
    if len(data) > limit_bytes:
        raise ValueError(f"it is larger than {limit_bytes:,} bytes")
    return data


def read_small_text(path: Path, limit_bytes: int) -> str:
    """Return a file's text; '' where `read_small` returns nothing or raises."""
    try:
        data = read_small(path, limit_bytes)
    except ValueError:
        return ""
    return (data or b"").decode("utf-8", "replace")
