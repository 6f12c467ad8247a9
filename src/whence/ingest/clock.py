"""Time stamps in microseconds that only ever rise, within a process and over a restart."""

from __future__ import annotations

import time


class Clock:
    """Gives every delivery and every row its stamp. For the writer's thread only."""

    def __init__(self, floor_us: int = 0) -> None:
        self._last_us = floor_us

    def tick(self) -> int:
        """Return the time in µs, later than any given before."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return self._last_us
