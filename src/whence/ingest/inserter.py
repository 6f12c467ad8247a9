"""The thread that inserts one group while the writer prepares the next.

It does nothing but insert, answer who waits, and say that it is done: states, retries and the
memory of traces belong to the writer's thread. One batch at a time; a hurried one, which concerns
nothing of the others, comes in the gap of the batch at work (`Group.insert`) or after it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from whence.errors import WhenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.ingest.group import Group
    from whence.ingest.jobs import Job


class Batch:
    """Jobs applied to one group, what each will be answered, and which traces they concern."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.jobs: list[Job[Any]] = []
        self.outcomes: list[Any] = []
        self.trace_ids: dict[str, None] = {}
        self.size_bytes = 0
        self.done = threading.Event()  # of a hurried one, and why it could not be inserted
        self.error: BaseException | None = None

    def answer(self) -> None:
        """Tell everybody; the rows are durable."""
        for job, outcome in zip(self.jobs, self.outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, WhenceError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


class Inserter:
    """A thread that runs `insert` on the batches given to it."""

    def __init__(
        self, insert: Callable[[Batch, Callable[[], None]], None], when_done: Callable[[], None]
    ) -> None:
        """Prepare; `start` starts the thread.

        `insert` calls its second argument once, between what is true and what is derived.
        `when_done` is called after each batch.
        """
        self.batch: Batch | None = None
        self._insert = insert
        self._when_done = when_done
        self._error: BaseException | None = None
        self._hurried: deque[Batch] = deque()
        # A batch; False: only look for hurried ones; None: end.
        self._work: queue.SimpleQueue[Batch | bool | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="whence-inserter", daemon=True)

    def start(self) -> None:
        """Begin to take batches."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the batch that it has."""
        self._work.put(None)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_free(self) -> bool:
        """Whether it has no batch, or is done with the one it has."""
        return self.batch is None or self._done.is_set()

    def give(self, batch: Batch) -> None:
        """Insert a batch; the one before must have been collected."""
        self.batch = batch
        self._error = None
        self._done.clear()
        self._work.put(batch)

    def hurry(self, batch: Batch) -> None:
        """Insert a batch that concerns no trace of the others, in their gap or at their end."""
        self._hurried.append(batch)
        self._work.put(False)

    def collect(self) -> tuple[Batch | None, BaseException | None]:
        """Wait for the batch it has; return it, and why it could not be inserted."""
        batch = self.batch
        if batch is None:
            return None, None
        self._done.wait()
        self.batch = None
        return batch, self._error

    def _run(self) -> None:
        while (batch := self._work.get()) is not None:
            if isinstance(batch, Batch):
                try:
                    self._insert(batch, self._insert_hurried)
                except BaseException as error:  # noqa: BLE001 - the writer decides what becomes of it
                    self._error = error
                self._done.set()
                self._when_done()
            self._insert_hurried()

    def _insert_hurried(self) -> None:
        for _ in range(len(self._hurried)):  # those that come meanwhile are not before the others
            batch = self._hurried.popleft()
            try:
                self._insert(batch, _do_nothing)
            except BaseException as error:  # noqa: BLE001 - as above
                batch.error = error
            batch.done.set()
            self._when_done()


def _do_nothing() -> None:
    """Leave no gap in a hurried batch."""
