"""A wake-up call between threads that is safe in a signal handler.

`threading.Event` takes a lock in Python code, so a signal handler that interrupts its own thread
inside `set` and calls it again waits for ever. A bare lock as a binary semaphore has no such
moment: `ring` is one release.
"""

from __future__ import annotations

import contextlib
import threading


class Bell:
    """Rings at most once until somebody has heard it."""

    __slots__ = ("_silence",)

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Wake whoever waits now, or else the next to wait."""
        if self._silence.locked():
            with contextlib.suppress(RuntimeError):  # another thread was quicker
                self._silence.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring; True if there was one."""
        return self._silence.acquire(timeout=max(0.0, timeout_s))
