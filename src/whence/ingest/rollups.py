"""The thread that rolls up hours soon after they changed, one run of hours after the other.

An hour is computed `DEBOUNCE_S` after its first change, and not again before `REST` times as long
has passed as that took (`MIN_REST_S` at least): an hour under constant load costs a few percent of
one core at most. Reading stays exact meanwhile, because readers add changed hours from `traces`.

At its start it takes over the marks left by a crash, and looks once for hours that were never
rolled up (a store of an older version, rows inserted in bulk). Those go newest first, with pauses
as long as the work; one thread of the engine does it.

The values of sessions and users are written once an hour is over: nearly as many rows as traces,
they would be superseded every few seconds before. Every `VALUES_EVERY_S` it looks for hours that
are over and have none, whichever process or version of the program rolled them up.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from whence.errors import StoreError, WhenceError
from whence.store.hours import Hour, read_ownerless, read_unseen, remove_seen_marks
from whence.store.rollups import (
    find_first_under_way,
    find_unrolled,
    find_unvalued,
    remove_old_generations,
    roll_up,
    runs_of,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from whence.store.connection import Store

DEBOUNCE_S = 1.0
MIN_REST_S = 5.0
REST = 50.0
MAX_RUN_HOURS = 24
RETRY_S = 10.0
POLL_S = 30.0  # for marks of other processes
VALUES_EVERY_S = 300.0
CLEAN_EVERY_S = 600.0
CLEAN_AT_LEAST = 1_000

_log = logging.getLogger(__name__)


class Roller:
    """Keeps the rollups of a store up to date until it is closed."""

    def __init__(
        self, store: Store, *, debounce_s: float = DEBOUNCE_S, min_rest_s: float = MIN_REST_S
    ) -> None:
        """Start the thread."""
        self._store = store
        self._hours = store.hours
        self._debounce_s = debounce_s
        self._min_rest_s = min_rest_s
        self._not_before: dict[Hour, float] = {}
        self._unvalued: set[Hour] = set()  # to be rolled up once more, though they have not changed
        self._closing = threading.Event()
        self._polled_at = self._cleaned_at = self._valued_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="whence-rollups", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread after the computation that runs; changed hours keep their marks."""
        self._closing.set()
        self._hours.news.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until every hour is rolled up; return whether it is. For tests and benchmarks."""
        deadline = time.monotonic() + timeout_s
        while not self._hours.trusted or self._unvalued or self._hours.read_changed(self._store):
            if time.monotonic() > deadline or self._closing.is_set():
                return False
            time.sleep(0.01)
        return True

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                pause_s = self._work()
            except WhenceError as error:
                _log.warning("hours could not be rolled up, trying again: %s", error.message)
                pause_s = RETRY_S
            except Exception:  # noqa: BLE001 - a bug must not end the thread
                if self._closing.is_set():
                    return
                _log.exception("hours could not be rolled up")
                pause_s = RETRY_S
            if not self._closing.is_set():
                self._hours.news.wait(pause_s)
                self._hours.news.clear()

    def _work(self) -> float:
        """Do what is due; return the seconds until something may be due again."""
        if not self._hours.trusted:
            self._take_over()
        elif self._hours.shared and time.monotonic() - self._polled_at > POLL_S:
            self._polled_at = time.monotonic()
            self._hours.adopt(read_ownerless(self._store))
        if time.monotonic() - self._valued_at > VALUES_EVERY_S:
            self._find_unvalued()
        due = self._due()
        for run in runs_of(due, MAX_RUN_HOURS):
            if self._closing.is_set():
                return 0.0
            self._roll_up(run, busy=len(due) > MAX_RUN_HOURS)
        self._clean()
        return self._next_due_s()

    def _take_over(self) -> None:
        """Learn which hours are not rolled up, whoever changed them."""
        self._hours.adopt(read_ownerless(self._store))
        marked = self._hours.unseen().keys() | read_unseen(self._store)
        unrolled = find_unrolled(self._store) - marked
        self._hours.mark(self._store, unrolled)
        self._find_unvalued()
        self._hours.trusted = True
        if unrolled:
            _log.info("%d hours are being rolled up", len(unrolled))

    def _find_unvalued(self) -> None:
        self._valued_at = time.monotonic()
        before = find_first_under_way(time.time_ns() // 1000)
        self._unvalued = find_unvalued(self._store, before=before)

    def _roll_up(self, run: tuple[str, int, int], *, busy: bool) -> None:
        experiment_id, first, last = run
        started, rest_s = time.monotonic(), self._min_rest_s
        try:
            now_us = time.time_ns() // 1000
            roll_up(self._store, run, now_us=now_us, values_before=find_first_under_way(now_us))
        except StoreError as error:  # the others may do better
            _log.warning("hours could not be rolled up, trying again: %s", error.message)
            rest_s = RETRY_S
        else:
            self._unvalued -= {Hour(experiment_id, number) for number in range(first, last + 1)}
        now = time.monotonic()
        took_s = now - started
        until = now + max(rest_s, REST * took_s / (last - first + 1))
        for number in range(first, last + 1):
            self._not_before[Hour(experiment_id, number)] = until
        if busy:
            self._closing.wait(took_s)

    def _due(self) -> list[Hour]:
        now = time.monotonic()
        return [hour for hour, since in self._waiting().items() if self._at(hour, since) <= now]

    def _waiting(self) -> dict[Hour, float]:
        return {**dict.fromkeys(self._unvalued, 0.0), **self._hours.unseen()}

    def _at(self, hour: Hour, since: float) -> float:
        return max(since + self._debounce_s, self._not_before.get(hour, 0.0))

    def _next_due_s(self) -> float:
        now = time.monotonic()
        self._not_before = {hour: at for hour, at in self._not_before.items() if at > now}
        moments = [self._at(hour, since) for hour, since in self._waiting().items()]
        return max(0.0, min([*moments, now + POLL_S]) - now)

    def _clean(self) -> None:
        now = time.monotonic()
        if now - self._cleaned_at > CLEAN_EVERY_S:
            self._cleaned_at = now
            now_us = time.time_ns() // 1000
            remove_old_generations(self._store, now_us=now_us, at_least=CLEAN_AT_LEAST)
            remove_seen_marks(self._store, at_least=CLEAN_AT_LEAST)
