"""What the threads of a store are doing, since when, and what each waits for.

What takes longer than `SLOW_S` is logged as a warning together with all that runs beside it, and
again each time the time has doubled, so that a store that stands still says where. One thread
looks, every `SLOW_S / 4`; noting a statement costs microseconds.

Limit: only waits and statements of this process are seen, not what keeps the engine busy inside.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW_S = 20.0
MAX_CHARACTERS = 100  # of a statement
THE_ENGINE = "the engine"

_log = logging.getLogger(__name__)


class Work:
    """A statement under way. Its own thread changes `waits_for`, the looking one `told_s`."""

    __slots__ = ("since", "thread", "told_s", "waits_for", "what", "writes")

    def __init__(self, what: str, *, writes: bool) -> None:
        self.what = " ".join(what.split())[:MAX_CHARACTERS]
        self.writes = writes
        self.waits_for = THE_ENGINE
        self.thread = threading.current_thread().name
        self.since = time.monotonic()
        self.told_s = 0.0

    @property
    def age_s(self) -> float:
        """For how long it has been under way."""
        return time.monotonic() - self.since

    def __str__(self) -> str:
        return (
            f"{self.what!r} of thread {self.thread} has waited {self.age_s:.0f} s "
            f"for {self.waits_for}"
        )


class Underway:
    """The statements under way; `doing` notes one. For use by any thread, until `close`."""

    def __init__(self, slow_s: float = SLOW_S) -> None:
        """Start to look for what takes longer than `slow_s`."""
        self._slow_s = slow_s
        self._works: dict[int, Work] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._look, name="whence-underway", daemon=True).start()

    @contextmanager
    def doing(self, what: str, *, writes: bool = False) -> Iterator[Work]:
        """Note what is done in this block; `writes` for what keeps inserts waiting."""
        work = Work(what, writes=writes)
        self._works[id(work)] = work
        try:
            yield work
        finally:
            del self._works[id(work)]
            if work.told_s:
                _log.warning("%r ended after %.0f s", work.what, work.age_s)

    def find_oldest_write(self) -> Work | None:
        """Return the write that has been under way for the longest time."""
        works = [work for work in self._works.copy().values() if work.writes]
        return min(works, key=lambda work: work.since, default=None)

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()

    def _look(self) -> None:
        while not self._closed.wait(self._slow_s / 4):
            works = sorted(self._works.copy().values(), key=lambda work: work.since)
            slow = [work for work in works if work.age_s > max(self._slow_s, 2 * work.told_s)]
            for work in slow:
                work.told_s = work.age_s
            if slow:
                _log.warning("the store is slow: %s", "; ".join(map(str, works)))
