r"""Segment files: the spool that many processes write and one reader takes in.

A segment belongs to one writing process and is a file of lines, each one OTLP/JSON request. A line
is written by one `write` to a file opened for appending, so a process killed at any moment leaves
every whole line readable, and at most a torn last one, which readers leave alone. The writer holds
an flock for as long as the segment is its own. A reader remembers how far it has come in
`<segment>.offset` (durably, by an atomic rename) and removes a segment when everything in it is
consumed and nobody holds its lock. Segments sort by age.

The writer is bounded in bytes over the whole directory: when it is full, the new line is refused
and what is there stays. Several processes may together pass the bound by what they write within a
second. Lines are handed to the operating system, not fsynced: they survive the process, not the
machine. After a fork the child drops its parent's segment and starts its own.

Without flock (Windows, some network file systems) a segment counts as free; there, removing an
open file fails instead, and a line may be delivered twice, which receivers allow for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 30
SEGMENT_BYTES = 4 << 20
CHUNK_BYTES = 8 << 20
SUFFIX = ".jsonl"
_SCAN_INTERVAL_S = 1.0


class Chunk(NamedTuple):
    """Whole lines of one segment (without their line ends), and the offset behind them."""

    segment: Path
    lines: list[bytes]
    new_offset: int


# --- Writing ----------------------------------------------------------------------------------

_writers: weakref.WeakSet[SegmentWriter] = weakref.WeakSet()


class SegmentWriter:
    """Appends lines to this process's segment in `directory`. For one thread at a time.

    `segment` is the file it writes to now (None between two), `size` how much it holds.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        max_bytes: int = MAX_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        directory_mode: int = 0o777,
    ) -> None:
        self.directory = Path(directory)
        self.segment: Path | None = None
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._directory_mode = directory_mode
        self._fd = -1
        self._pid = os.getpid()
        self.size = 0
        self._room = 0
        self._scanned_s = float("-inf")
        _writers.add(self)

    def append(self, line: bytes) -> bool:
        """Write one line; False where the directory is full.

        Raises OSError where it can't be written (and leaves no half line behind), ValueError for
        a line that is empty or has a line end inside.
        """
        if not line or b"\n" in line:
            raise ValueError("a line of a segment is not empty and has no line end inside")
        if self._pid != os.getpid():
            self.abandon()
        if not self._fits(len(line) + 1):
            return False
        if self._fd >= 0 and (
            (self.size and self.size + len(line) >= self._segment_bytes)
            or os.fstat(self._fd).st_nlink == 0  # somebody removed the directory
        ):
            self.close()
        if self._fd < 0:
            self._open()
        self._write(line + b"\n")
        return True

    def close(self) -> None:
        """Give the segment up: from now on a reader may remove it."""
        if self._fd >= 0 and self._pid == os.getpid():
            os.close(self._fd)
            self._fd = -1
            self.segment = None

    def abandon(self) -> None:
        """In a forked child: let go of the parent's segment without touching its lock."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)  # an unlock would be the parent's too, a close is not
        self._fd = -1
        self.segment = None
        self._pid = os.getpid()
        self._scanned_s = float("-inf")

    def _fits(self, size: int) -> bool:
        now_s = time.monotonic()
        if size > self._room or now_s - self._scanned_s > _SCAN_INTERVAL_S:
            self._room = self._max_bytes - waiting_bytes(self.directory)
            self._scanned_s = now_s
        return size <= self._room

    def _open(self) -> None:
        self.directory.mkdir(self._directory_mode, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        while True:
            name = f"{time.time_ns() // 1000:016d}-{os.getpid()}-{os.urandom(3).hex()}{SUFFIX}"
            path = self.directory / name
            fd = os.open(path, flags, 0o666)
            if _lock(fd) and path.exists():
                break
            os.close(fd)  # a reader found it empty and unlocked, and removed it
        self._fd, self.segment, self.size = fd, path, 0

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
        except OSError:
            self.close()
            raise
        if written < len(data):  # the disk is full: take the half line back
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            self.close()
            raise OSError(f"{written} of {len(data)} bytes were written to {self.directory}")
        self.size += written
        self._room -= written


def _abandon_all() -> None:
    for writer in list(_writers):
        writer.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


def _lock(fd: int) -> bool:
    """Take the lock if it is free; where there are no locks, it is free."""
    if sys.platform != "win32":
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


# --- Reading ----------------------------------------------------------------------------------


def list_segments(directory: str | os.PathLike[str]) -> list[Path]:
    """Return the segments of `directory`, oldest first; none where there is no directory."""
    try:
        return sorted(path for path in Path(directory).iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []


def waiting_bytes(directory: str | os.PathLike[str]) -> int:
    """Return how many bytes in the directory's segments are not consumed yet."""
    total = 0
    for segment in list_segments(directory):
        with contextlib.suppress(OSError):
            total += max(0, segment.stat().st_size - read_offset(segment))
    return total


def read_segments(directory: str | os.PathLike[str]) -> Iterator[Chunk]:
    """Yield what is not consumed yet, segment by segment, in chunks of some 8 MB of whole lines.

    Commit a chunk's offset once its lines are safe; what was not committed is read again by the
    next call. A chunk may hold one line that is larger than that.
    """
    for segment in list_segments(directory):
        yield from read_segment(segment)


def read_segment(segment: Path) -> Iterator[Chunk]:
    """Yield what is not consumed yet of one segment."""
    try:
        file = segment.open("rb")
    except FileNotFoundError:  # removed meanwhile
        return
    with file:
        offset = read_offset(segment)
        file.seek(offset)
        while data := file.read(CHUNK_BYTES):
            while not (end := data.rfind(b"\n") + 1):
                more = file.read(CHUNK_BYTES)
                if not more:
                    return  # a torn line, or one being written
                data += more
            offset += end
            file.seek(offset)
            yield Chunk(segment, data[: end - 1].split(b"\n"), offset)


def read_offset(segment: Path) -> int:
    """Return the committed offset, 0 where there is none."""
    try:
        return int(_offset_path(segment).read_bytes())
    except (FileNotFoundError, ValueError):
        return 0


def commit_offset(segment: Path, offset: int) -> None:
    """Remember, durably, that everything before `offset` is consumed."""
    path = _offset_path(segment)
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(str(offset).encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def remove_if_done(segment: Path) -> bool:
    """Remove a consumed segment that no process writes to; True if it is gone.

    A torn line at its end goes with it: its writer is dead and will not finish it.
    """
    with claim_segment(segment) as fd:
        if fd is None:
            return not segment.exists()
        offset = read_offset(segment)
        with open(fd, "rb", closefd=False) as file:
            file.seek(offset)
            while rest := file.read(CHUNK_BYTES):
                if b"\n" in rest:
                    return False
        _offset_path(segment).unlink(missing_ok=True)
        try:
            segment.unlink(missing_ok=True)
        except PermissionError:  # Windows: its writer has it open
            return False
        return True


@contextlib.contextmanager
def claim_segment(segment: Path) -> Iterator[int | None]:
    """Hold a segment whose writer is gone; gives None where it is not free or not there."""
    try:
        fd = os.open(segment, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        yield None
        return
    try:
        yield fd if _lock(fd) and segment.exists() else None
    finally:
        os.close(fd)


def _offset_path(segment: Path) -> Path:
    return segment.with_name(f"{segment.name}.offset")
