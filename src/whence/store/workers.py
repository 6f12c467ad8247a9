"""Threads that run statements side by side, and never hold up the end of the process.

`concurrent.futures` joins its threads when the interpreter ends, before anybody could cancel what
they run in the engine. These are daemons: whoever owns them sees to the engine first.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Workers:
    """At most `count` threads, started when they are first needed."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0
        self._closed = False

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Run a task on a thread as soon as one is free; a RuntimeError after `close`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} has been closed")
            if self._idle:
                self._idle -= 1
            elif self._threads < self._count:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
            self._tasks.put((future, task))
        return future

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._tasks.put(None)

    def _run(self) -> None:
        while (taken := self._tasks.get()) is not None:
            future, task = taken
            try:
                future.set_result(task())
            except BaseException as error:  # noqa: BLE001 - it is for who waits
                future.set_exception(error)
            del future, task, taken  # an answer may be large
            with self._lock:
                self._idle += 1
