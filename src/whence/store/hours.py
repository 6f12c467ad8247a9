"""Which hours have changed since they were rolled up. A `Store` has one `ChangedHours`.

An hour is an experiment's, of request times. Whoever inserts into `traces` does it within
`changing`, which writes a durable mark *before* the rows: after a crash too, an hour without a mark
is as it was rolled up. A mark counts until a generation of the hour has seen it (`rolled_hours`).

`begin` opens a new computation: it waits for the insert that runs, and every insert after it marks
the hour again. So what a generation claims to have seen was in `traces` when it was computed.

Several processes on one store (`shared`) each mark under a name of their own, and renew a mark that
is older than `RENEW_AFTER_S`: one that has not been renewed for `ABANDONED_AFTER_S` is nobody's any
more, and whoever finds it may claim to have seen it.

Limit: rows that get into `traces` in another way are noticed when a server starts, by their version
(`rollups.find_unrolled`).
"""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from whence.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from whence.store.connection import Store

HOUR_MS = 3_600_000
GATE_WAIT_S = 60.0
RENEW_AFTER_S = 60.0
ABANDONED_AFTER_S = 600.0

_NEWEST = "SELECT max(version) FROM dirty_hours"
_UNSEEN = """\
SELECT DISTINCT mark.experiment_id, mark.hour
FROM dirty_hours AS mark FINAL
LEFT JOIN
(
    SELECT experiment_id, hour, seen
    FROM rolled_hours FINAL
) AS rolled ON rolled.experiment_id = mark.experiment_id AND rolled.hour = mark.hour
WHERE mark.version > rolled.seen[mark.writer] AND mark.version <= {latest:UInt64}
"""
_ANY = 2**64 - 1
# Older rows of a key, not merged yet, may stay: what is newer has been seen, and so have they.
_SEEN = """\
SELECT mark.experiment_id, mark.hour, mark.writer, mark.version
FROM dirty_hours AS mark
INNER JOIN
(
    SELECT experiment_id, hour, seen
    FROM rolled_hours FINAL
) AS rolled ON rolled.experiment_id = mark.experiment_id AND rolled.hour = mark.hour
WHERE mark.version <= rolled.seen[mark.writer] AND mark.version <= {latest:UInt64}
"""
_COUNT_SEEN = f"SELECT count() FROM ({_SEEN})"
_REMOVE_SEEN = f"""\
DELETE FROM dirty_hours
WHERE (experiment_id, hour, writer, version) IN ({_SEEN})
"""


class Hour(NamedTuple):
    """An hour of an experiment: `number` is the request time divided by an hour."""

    experiment_id: str
    number: int


class DirtyHourRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mark; its key is (experiment_id, hour, writer)."""

    experiment_id: str
    hour: int
    writer: str
    version: int


class ChangedHours:
    """What this process has marked, and what it knows to be unseen. For use by any thread."""

    def __init__(self, *, shared: bool) -> None:
        """`shared`: other processes write to the store as well."""
        self.shared = shared
        # One process after the other owns a directory: they are one writer.
        self.writer = uuid.uuid4().hex if shared else "local"
        self.trusted = False  # whether an hour without a mark is known to be rolled up
        self.news = threading.Event()
        self._gate = threading.Lock()  # held while rows are inserted
        self._lock = threading.Lock()  # held for a moment only
        self._marked: dict[Hour, float] = {}
        self._unseen: dict[Hour, float] = {}
        self._last_version = 0

    @contextmanager
    def changing(self, store: Store, places: Iterable[tuple[str, int]]) -> Iterator[None]:
        """Insert traces at these (experiment_id, request_time_ms) in this block."""
        hours = {Hour(experiment_id, time_ms // HOUR_MS) for experiment_id, time_ms in places}
        with self._enter():
            self._mark(store, hours)
            yield

    def mark(self, store: Store, hours: Collection[Hour]) -> None:
        """Have these hours rolled up again."""
        with self._enter():
            self._mark(store, hours)

    def begin(self, store: Store, hours: Collection[Hour]) -> int:
        """Begin to compute these hours; return the version up to which our marks are seen."""
        with self._enter():
            for hour in hours:
                self._marked.pop(hour, None)
            return self._tick(store)

    def finish(self, hours: Collection[Hour]) -> None:
        """Note that the generation of these hours is in place."""
        with self._lock:
            for hour in hours:
                if hour not in self._marked:
                    self._unseen.pop(hour, None)

    def unseen(self) -> dict[Hour, float]:
        """Return the hours that this process knows to have changed, and since when (monotonic)."""
        with self._lock:
            return dict(self._unseen)

    def adopt(self, hours: Collection[Hour]) -> None:
        """Learn of hours that a mark in the store speaks of."""
        now = time.monotonic()
        with self._lock:
            for hour in hours:
                self._unseen.setdefault(hour, now)
        if hours:
            self.news.set()

    def read_changed(self, store: Store) -> set[Hour] | None:
        """Return the hours to read from `traces`; None where that is all of them."""
        if not self.trusted:
            return None
        return read_unseen(store) if self.shared else set(self.unseen())

    @contextmanager
    def _enter(self) -> Iterator[None]:
        if not self._gate.acquire(timeout=GATE_WAIT_S):
            raise UnavailableError(
                f"another insert of traces has been under way for {GATE_WAIT_S:.0f} s; "
                "the log of the server says what it waits for"
            )
        try:
            yield
        finally:
            self._gate.release()

    def _mark(self, store: Store, hours: Collection[Hour]) -> None:
        now = time.monotonic()
        stale = now - RENEW_AFTER_S if self.shared else float("-inf")
        missing = [hour for hour in hours if self._marked.get(hour, float("-inf")) <= stale]
        if not missing:
            return
        version = self._tick(store)
        store.insert(
            "dirty_hours",
            [
                DirtyHourRow(
                    experiment_id=hour.experiment_id,
                    hour=hour.number,
                    writer=self.writer,
                    version=version,
                )
                for hour in missing
            ],
        )
        with self._lock:
            for hour in missing:
                self._marked[hour] = now
                self._unseen.setdefault(hour, now)
        self.news.set()

    def _tick(self, store: Store) -> int:
        """Return a version above all before it, also where the clock was set back."""
        if not self._last_version:
            self._last_version = int(store.query(_NEWEST).rows[0][0])
        self._last_version = max(self._last_version + 1, time.time_ns() // 1000)
        return self._last_version


def read_unseen(store: Store, *, latest: int = _ANY) -> set[Hour]:
    """Return every hour with a mark, of any writer, that its generation has not seen."""
    return {Hour(*row) for row in store.query(_UNSEEN, {"latest": latest}).rows}


def read_ownerless(store: Store) -> set[Hour]:
    """Return the hours whose marks nobody else will see to: all of a store that only we write."""
    if not store.hours.shared:
        return read_unseen(store)
    return read_unseen(store, latest=_abandoned_us())


def remove_seen_marks(store: Store, *, at_least: int = 1) -> int:
    """Remove marks that are old and seen, once there are so many; return how many went.

    Every process that ever wrote has left some. A store that only we write has one an hour at most.
    """
    if not store.hours.shared:
        return 0
    values = {"latest": _abandoned_us()}
    count = int(store.query(_COUNT_SEEN, values).rows[0][0])
    if count < at_least:
        return 0
    store.derive(_REMOVE_SEEN, values)
    return count


def _abandoned_us() -> int:
    """Return the version below which a mark is nobody's any more."""
    return time.time_ns() // 1000 - int(ABANDONED_AFTER_S * 1_000_000)
