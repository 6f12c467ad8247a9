"""A daemon thread whose starter goes on at once.

`threading.Thread.start` waits until the new thread runs, which on a busy machine takes as long as
the scheduler likes (10 ms were seen): too long for the program that records its first span.
Otherwise it is an ordinary thread, listed in `threading.enumerate()` once it runs.
"""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """Runs `target` to its end. Raises RuntimeError where no thread can be started any more."""

    __slots__ = ("_ident", "_is_running", "_name", "_target")

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self._target = target
        self._name = name
        self._is_running = threading.Lock()
        self._is_running.acquire()
        self._ident = _thread.start_new_thread(self._run, ())

    def is_alive(self) -> bool:
        """Say whether it has not ended yet."""
        return self._is_running.locked()

    def is_current(self) -> bool:
        """Say whether this is the thread that asks."""
        return self._ident == _thread.get_ident()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        if self._is_running.acquire(timeout=timeout_s):
            self._is_running.release()

    def _run(self) -> None:
        try:
            threading.current_thread().name = self._name
            self._target()
        finally:
            self._is_running.release()
