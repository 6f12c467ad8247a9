"""The thread that watches new versions while traffic arrives, and keeps what it finds.

A commit of the ingestor sets a flag, nothing more. Then, one experiment after the other, the table
of versions is read, and the looks that are due are taken (`watch_rounds.py`). The thread rests
`REST` times as long as it worked. Where several servers share a store, one of them watches
(`store/watchers.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from whence.errors import WhenceError
from whence.query.traffic import Traffic, find_traffic
from whence.server.watch_rounds import THREADS, Rounds
from whence.server.watch_sweep import LIVE_FOR_MS
from whence.store.time_limit import limit_time

if TYPE_CHECKING:
    from typing_extensions import Self

    from whence.ingest.ingestor import Ingestor
    from whence.server.outbox import Outbox
    from whence.store.connection import Store
    from whence.store.watchers import Leadership

TICK_S = 2.0
REST = 20.0
POLL_S = 30.0  # for traffic that other servers take in
RETRY_S = 30.0
SWEEP_S = 600.0
WORK_S = 3600.0  # for all that is due, rests included
CLOSE_WAIT_S = 5.0

_log = logging.getLogger(__name__)


class Watcher:
    """Watches the versions of a store until it is closed."""

    def __init__(
        self,
        store: Store,
        ingestor: Ingestor,
        outbox: Outbox,
        leadership: Leadership,
        *,
        query_seconds: float,
    ) -> None:
        """Start the thread. A comparison may take `query_seconds`."""
        self._store, self._leadership = store, leadership
        self._seen: dict[str, Traffic] = {}
        self._swept_at = float("-inf")
        self._news, self._closing = threading.Event(), threading.Event()
        self._rounds = Rounds(
            store,
            outbox,
            self._closing,
            query_seconds=query_seconds,
            rest=self._rest,
            clock=_now_ms,
        )
        self._news.set()  # what arrived before
        self._unsubscribe = ingestor.subscribe(lambda _: self._news.set())
        self._thread = threading.Thread(target=self._run, name="whence-watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, at most after `CLOSE_WAIT_S`: a look that is lost is taken again."""
        self._unsubscribe()
        self._closing.set()
        self._news.set()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                with limit_time(WORK_S, threads=THREADS):
                    self._work()
                pause_s = POLL_S if self._store.hours.shared else SWEEP_S
            except WhenceError as error:
                _log.warning("versions could not be watched, trying again: %s", error.message)
                pause_s = RETRY_S
            except Exception:  # noqa: BLE001 - a bug must not end the thread
                if self._closing.is_set():
                    return
                _log.exception("versions could not be watched")
                pause_s = RETRY_S
            self._news.wait(pause_s)
            self._news.clear()

    def _work(self) -> None:
        """Take every look that is due."""
        if not self._leadership.holds():
            self._rounds.forget()  # another server's looks count as well
            self._seen.clear()
            return
        started = time.monotonic()
        traffic = find_traffic(self._store, _now_ms() - LIVE_FOR_MS)
        self._rest(started)
        for experiment_id, seen in traffic.items():
            if self._closing.is_set():
                return
            if self._seen.get(experiment_id) != seen:
                self._rounds.watch_experiment(experiment_id)
                self._seen[experiment_id] = seen
        if time.monotonic() - self._swept_at > SWEEP_S:
            self._rounds.sweep()
            self._swept_at = time.monotonic()

    def _rest(self, started: float) -> None:
        """Leave the machine to others for `REST` times as long as this took."""
        self._closing.wait((time.monotonic() - started) * REST)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
