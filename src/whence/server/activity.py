"""How long the server has had nothing to do: the clock behind `WHENCE_IDLE_EXIT_S`."""

from __future__ import annotations

import threading
import time


class Activity:
    """When the server last had something to do. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._last = time.monotonic()

    def begin(self) -> None:
        """Count a request as under way."""
        with self._lock:
            self._running += 1

    def end(self) -> None:
        """Count it as answered, just now."""
        with self._lock:
            self._running -= 1
            self._last = time.monotonic()

    def touch(self) -> None:
        """Note work that is not a request."""
        with self._lock:
            self._last = time.monotonic()

    def idle_s(self) -> float:
        """Return for how long nothing has happened; 0 while a request is under way."""
        with self._lock:
            return 0.0 if self._running else time.monotonic() - self._last
