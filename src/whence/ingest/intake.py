"""Takes the spool in: reads segment files as they grow, submits their lines, removes what is done.

A line's offset is committed only after its rows are durable, so a crash delivers a line twice at
worst, which assembly allows for. A line that can't be read, or that the store refuses on its own
again and again, is moved to `<segment>.bad` (fsynced) and counted. While the store is full or away
the lines stay where they are.

One thread polls: the sizes of the segments tell whether there is news. `drain` takes in what is
there now and returns when it is durable.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

import msgspec

from whence.errors import MalformedPayloadError, StoreError, UnavailableError, WhenceError
from whence.ingest.prepare import Envelope, prepare
from whence.otlp.segments import commit_offset, list_segments, read_segment, remove_if_done

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from typing_extensions import Self

    from whence.ingest.ingestor import Ingestor, IngestResult
    from whence.otlp.segments import Chunk

POLL_S = 0.1
REMOVE_EVERY_POLLS = 10
MAX_WAIT_S = 5.0
LINES_AT_ONCE = 500  # well below what the writer's queue takes
MAX_REFUSALS = 3  # of one line by the store, before it is moved aside

_log = logging.getLogger(__name__)


class IntakeStats(msgspec.Struct):
    """What was taken in since the start."""

    segments: int = 0
    spans: int = 0
    bad_lines: int = 0


class Intake:
    """Takes in the segments of one directory until it is closed."""

    def __init__(self, ingestor: Ingestor, directory: Path) -> None:
        """Start polling; the directory needn't exist yet."""
        self.stats = IntakeStats()
        self._ingestor = ingestor
        self._directory = directory
        self._envelope = Envelope(default_experiment_id=ingestor.default_experiment_id)
        self._looked_at: dict[Path, int] = {}  # size of a segment when it was last read
        self._refusals: dict[Path, int] = {}
        self._busy = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="whence-intake", daemon=True)
        self._thread.start()

    def drain(self) -> tuple[int, int]:
        """Take in everything that is there now; return how many segments and spans that were.

        Raises UnavailableError where the store can't take it.
        """
        with self._busy:
            return self._take_in()

    def close(self) -> None:
        """Stop after the chunk at hand; the rest is taken in at the next start."""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _poll(self) -> None:
        wait_s, polls = POLL_S, 0
        while not self._closing.wait(wait_s):
            wait_s, polls = POLL_S, polls + 1
            try:
                with self._busy:
                    if self._has_news():
                        self._take_in()
                    elif polls % REMOVE_EVERY_POLLS == 0:
                        self._remove_done()
            except UnavailableError as error:
                wait_s = min(max(error.retry_after_s, POLL_S), MAX_WAIT_S)
            except (WhenceError, OSError):
                wait_s = MAX_WAIT_S
                _log.warning("the spool in %s is not taken in", self._directory, exc_info=True)

    def _has_news(self) -> bool:
        return any(
            _size_of(segment) != self._looked_at.get(segment, 0)
            for segment in list_segments(self._directory)
        )

    def _take_in(self) -> tuple[int, int]:
        segments = spans = 0
        for segment in list_segments(self._directory):
            if self._closing.is_set():
                break
            size = _size_of(segment)
            before = spans
            took = False
            for chunk in read_segment(segment):
                spans += self._take_chunk(chunk)
                took = True
            self._looked_at[segment] = size
            segments += took
            self.stats.segments += took
            self.stats.spans += spans - before
        self._remove_done()
        return segments, spans

    def _take_chunk(self, chunk: Chunk) -> int:
        """Take a chunk's lines, some at a time; commit its offset once all are durable."""
        spans = 0
        bad: list[bytes] = []
        refused: list[bytes] = []
        failure: StoreError | None = None
        for start in range(0, len(chunk.lines), LINES_AT_ONCE):
            for line, future in self._submit(chunk.lines[start : start + LINES_AT_ONCE], bad):
                try:
                    spans += future.result().accepted_spans
                except StoreError as error:  # noqa: PERF203 - one line must not stop the others
                    failure = error
                    refused.append(line)
        if failure is not None:
            self._count_refusal(chunk, failure)
        self._set_aside(chunk.segment, bad + refused)
        commit_offset(chunk.segment, chunk.new_offset)
        self._refusals.pop(chunk.segment, None)
        return spans

    def _submit(
        self, lines: list[bytes], bad: list[bytes]
    ) -> list[tuple[bytes, Future[IngestResult]]]:
        waiting = []
        for line in lines:
            if not line.strip():
                continue
            try:
                prepared = prepare(line, self._envelope)
            except MalformedPayloadError as error:
                _log.warning("a line of the spool can't be read: %s", error.message)
                bad.append(line)
                continue
            waiting.append((line, self._ingestor.submit_prepared(prepared)))
        return waiting

    def _count_refusal(self, chunk: Chunk, failure: StoreError) -> None:
        """Let the chunk be tried again, until it is clear that the lines are at fault."""
        refusals = self._refusals[chunk.segment] = self._refusals.get(chunk.segment, 0) + 1
        if refusals < MAX_REFUSALS:
            raise failure

    def _set_aside(self, segment: Path, lines: list[bytes]) -> None:
        if not lines:
            return
        with segment.with_name(f"{segment.name}.bad").open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        self.stats.bad_lines += len(lines)

    def _remove_done(self) -> None:
        for segment in list_segments(self._directory):
            if remove_if_done(segment):
                self._looked_at.pop(segment, None)


def _size_of(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0
