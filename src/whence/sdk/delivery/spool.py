"""The outbox: bodies that wait on disk, or in memory where the disk can't be written.

On disk they are segments (`whence.otlp.segments`) in a directory of their own for each server, so
that any later process that talks to the same server delivers what a dead one left behind. The
first that waits is the first to go; when the bound is reached the new one is refused and the old
ones stay. Not for more than one thread, except `rescue`.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from whence.otlp.segments import (
    MAX_BYTES,
    SegmentWriter,
    claim_segment,
    commit_offset,
    list_segments,
    read_segment,
    remove_if_done,
)
from whence.sdk import diagnostics
from whence.sdk.delivery.destination import state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES = 32 << 20
SPOOL_VARIABLE = "WHENCE_SPOOL"
MAX_BYTES_VARIABLE = "WHENCE_SPOOL_MAX_BYTES"

Receipt = tuple[str, int] | bytes  # (segment, offset behind the body), or the body in memory


class Outbox:
    """Owns this process's segment in one directory, and the bodies that found no disk."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int | None = None,
        memory_bytes: int = MEMORY_BYTES,
        directory_mode: int = 0o777,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes if max_bytes is not None else _max_bytes_of_environment()
        self._memory_bytes = memory_bytes
        self._directory_mode = directory_mode
        self._writer = self._open_writer()
        self._memory: deque[bytes] = deque()
        self._memory_used = 0
        self._delivered: set[Receipt] = set()
        self._own: set[str] = set()  # names of segments that this process has written

    def put(self, body: bytes) -> Receipt | None:
        """Keep a body; None where there is no room."""
        try:
            if not self._writer.append(body):
                return None
        except OSError as error:
            diagnostics.warn(
                "spool_unwritable",
                "Whence can't write to %s (%s); spans wait in memory. Set %s to a directory that "
                "can be written.",
                self.directory,
                error,
                SPOOL_VARIABLE,
            )
            return self._put_in_memory(body)
        segment = self._writer.segment
        name = segment.name if segment is not None else ""
        self._own.add(name)
        return (name, self._writer.size)

    def mark_delivered(self, receipt: Receipt) -> None:
        """Take back a body that was kept for safety while it was on its way."""
        self._delivered.add(receipt)

    def drain(self, send: Callable[[bytes], bool]) -> bool:
        """Send what waits until `send` says False; True where nothing is left.

        What this process kept goes first, then what dead processes left, oldest first. Segments
        that another living process writes to are its own business.
        """
        while self._memory:
            body = self._memory[0]
            if body not in self._delivered and not send(body):
                return False
            self._delivered.discard(body)
            self._memory_used -= len(self._memory.popleft())
        self._writer.close()
        segments = list_segments(self.directory)
        for segment in sorted(segments, key=lambda segment: segment.name not in self._own):
            if not self._drain_segment(segment, send):
                return False
            remove_if_done(segment)
            self._own.discard(segment.name)
        return True

    def has_memory(self) -> bool:
        """Say whether bodies wait in memory, to be lost with this process."""
        return bool(self._memory)

    def holds_own(self) -> bool:
        """Say whether anything of this process waits."""
        return bool(self._memory or self._own)

    def take_memory(self) -> list[bytes]:
        """Hand over the bodies that wait in memory."""
        waiting = list(self._memory)
        self._memory.clear()
        self._memory_used = 0
        return waiting

    def close(self) -> None:
        """Give the segment up, so that its reader may remove it."""
        self._writer.close()

    def rescue(self, bodies: list[bytes]) -> int:
        """From any thread, at the process's end: keep bodies on disk; returns how many."""
        writer = self._open_writer()
        kept = 0
        try:
            for body in bodies:
                kept += writer.append(body)
        except OSError:
            return kept
        finally:
            writer.close()
        return kept

    def _open_writer(self) -> SegmentWriter:
        return SegmentWriter(
            self.directory, max_bytes=self._max_bytes, directory_mode=self._directory_mode
        )

    def _put_in_memory(self, body: bytes) -> Receipt | None:
        if self._memory_used + len(body) > self._memory_bytes:
            return None
        self._memory.append(body)
        self._memory_used += len(body)
        return body

    def _drain_segment(self, segment: Path, send: Callable[[bytes], bool]) -> bool:
        with claim_segment(segment) as claimed:
            if claimed is None:
                return True
            for chunk in read_segment(segment):
                end = chunk.new_offset - sum(len(line) + 1 for line in chunk.lines)
                for line in chunk.lines:
                    behind = end + len(line) + 1
                    receipt = (segment.name, behind)
                    if receipt not in self._delivered and not send(line):
                        commit_offset(segment, end)
                        return False
                    self._delivered.discard(receipt)
                    end = behind
                commit_offset(segment, end)
        return True


def outbox_directory(url: str) -> Path:
    """Return where bodies for this server wait: below `WHENCE_SPOOL`, or the user's state."""
    from hashlib import blake2b

    name = blake2b(url.encode(), digest_size=8).hexdigest()
    if chosen := os.environ.get(SPOOL_VARIABLE):
        return Path(chosen).expanduser().absolute() / name
    return state_folder() / "outbox" / name


def _max_bytes_of_environment() -> int:
    text = os.environ.get(MAX_BYTES_VARIABLE, "")
    if not text:
        return MAX_BYTES
    if text.isdecimal():
        return int(text)
    diagnostics.warn_once(
        "bad_settings", "%s must be a number of bytes, not %r.", MAX_BYTES_VARIABLE, text
    )
    return MAX_BYTES
