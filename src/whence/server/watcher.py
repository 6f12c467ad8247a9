"""The thread that watches new versions while traffic arrives, and keeps what it finds.

A commit of the ingestor sets a flag, nothing more. Then, one experiment after the other, the table
of versions is read, and where a look at a version is due it is compared with the last version
before it that has enough traces. The thread rests `REST` times as long as it worked. Where several
servers share a store, one of them watches (`store/watchers.py`).

Watched are versions first seen within `NEW_FOR_MS` that had traffic within `LIVE_FOR_MS`, by the
times of their traces: what is imported from last year raises no alarm.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from whence.entities.finding import OPEN
from whence.errors import WhenceError
from whence.query.arms import Scope
from whence.query.baselines import ENOUGH_TRACES
from whence.query.findings import MAX_MAX_FINDINGS, list_findings
from whence.query.traffic import Traffic, find_traffic, list_named_versions
from whence.server.watch_records import (
    read_progress,
    resolve_finding,
    watch_id_of,
    write_events,
    write_progress,
)
from whence.store.time_limit import limit_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from whence.analysis.watching import Name, Progress, Target
    from whence.entities.finding import Finding
    from whence.entities.version import VersionRow
    from whence.ingest.ingestor import Ingestor
    from whence.server.outbox import Outbox
    from whence.store.connection import Store
    from whence.store.watchers import Leadership

DAY_MS = 86_400_000
NEW_FOR_MS, LIVE_FOR_MS, HISTORY_MS = (
    14 * DAY_MS,
    4 * DAY_MS,
    14 * DAY_MS,
)  # a long weekend is no end
MOST_WATCHED = 5  # versions of an environment, the newest
LEAST_TRACES = 25  # as many as units must be (`analysis.looking`), known without loading numpy
BESIDE = 0.5  # of the candidate's traces: the baseline had as many at the same time
TICK_S = 2.0
REST = 20.0
POLL_S = 30.0  # for traffic that other servers take in
RETRY_S = 30.0
AGAIN_S = 600.0  # until a version that could not be looked at is looked at again
SWEEP_S = 600.0
THREADS = 1  # of the engine's, for each statement
WORK_S = 3600.0  # for all that is due, rests included
CLOSE_WAIT_S = 5.0
WITHOUT_ENVIRONMENT = "environment IS NULL"

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
        self._store, self._outbox, self._leadership = store, outbox, leadership
        self._query_seconds = query_seconds
        self._progress: dict[str, Progress] = {}
        self._seen: dict[str, Traffic] = {}
        self._not_before: dict[str, float] = {}  # when a watch that failed is tried again
        self._swept_at = float("-inf")
        self._news, self._closing = threading.Event(), threading.Event()
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
            self._progress.clear()  # another server's looks count as well
            self._seen.clear()
            return
        started = time.monotonic()
        now_ms = _now_ms()
        traffic = find_traffic(self._store, now_ms - LIVE_FOR_MS)
        self._rest(started)
        for experiment_id, seen in traffic.items():
            if self._closing.is_set():
                return
            if self._seen.get(experiment_id) != seen:
                self._watch_experiment(experiment_id, now_ms)
                self._seen[experiment_id] = seen
        if time.monotonic() - self._swept_at > SWEEP_S:
            self._sweep(now_ms)
            self._swept_at = time.monotonic()

    def _rest(self, started: float) -> None:
        """Leave the machine to others for `REST` times as long as this took."""
        self._closing.wait((time.monotonic() - started) * REST)

    # --- Versions that have traffic ---------------------------------------------------------------

    def _watch_experiment(self, experiment_id: str, now_ms: int) -> None:
        started = time.monotonic()
        versions = list_named_versions(self._store, experiment_id)
        self._rest(started)
        for environment, rows in versions.items():
            live = [
                (row, rows[place + 1 :])
                for place, row in enumerate(rows)
                if row.traces >= LEAST_TRACES
                and row.first_seen_ms >= now_ms - NEW_FOR_MS
                and row.last_seen_ms >= now_ms - LIVE_FOR_MS
            ]
            for row, before in live[:MOST_WATCHED]:
                baseline = next((one for one in before if one.traces >= ENOUGH_TRACES), None)
                if baseline is not None and not self._closing.is_set():
                    self._watch(experiment_id, environment, row, baseline)

    def _watch(
        self, experiment_id: str, environment: str | None, row: VersionRow, baseline: VersionRow
    ) -> None:
        """Take the looks that are due at one version."""
        from whence.analysis.watching import Target, Watch

        name = _name(row)
        watch_id = watch_id_of(experiment_id, environment, name.kind, name.text)
        if time.monotonic() < self._not_before.get(watch_id, 0.0):
            return
        target = Target(
            experiment_id=experiment_id,
            environment=environment,
            candidate=name,
            traces=row.traces,
            first_seen_ms=row.first_seen_ms,
            last_seen_ms=row.last_seen_ms,
        )
        progress = self._find_progress(watch_id, target, baseline)
        watch = Watch(self._store, _scope(target, progress), target, progress, _now_ms())
        if not watch.is_due:
            return
        started = time.monotonic()
        try:
            with limit_time(self._query_seconds, threads=THREADS):
                after, events = watch.look()
        except Exception as error:  # noqa: BLE001 - other versions are watched all the same
            if not self._closing.is_set():
                is_bug = not isinstance(error, WhenceError)
                _log.warning("%s was not looked at: %s", name.text, error, exc_info=is_bug)
            self._not_before[watch_id] = time.monotonic() + AGAIN_S
            self._rest(started)
            return
        if events:
            write_events(self._store, self._outbox, target, progress, events, _now_ms())
        write_progress(self._store, target, after)
        self._progress[watch_id] = after
        self._rest(started)

    def _find_progress(self, watch_id: str, target: Target, baseline: VersionRow) -> Progress:
        from whence.analysis.watching import Progress

        known = self._progress.get(watch_id) or read_progress(self._store, watch_id)
        if known is None:
            since_ms = self._find_since(target, baseline)
            known = Progress(baseline=_name(baseline), since_ms=since_ms)
        self._progress[watch_id] = known
        return known

    def _find_since(self, target: Target, baseline: VersionRow) -> int | None:
        """Return since when both are compared.

        The same time of both where the baseline has traffic beside the candidate, else with the
        baseline's last two weeks, or all of it where it had none then.
        """
        first_ms = target.first_seen_ms
        beside = list_named_versions(self._store, target.experiment_id, since_ms=first_ms)
        name = _name(baseline)
        for row in beside.get(target.environment, ()):
            if _name(row) == name and row.traces >= max(ENOUGH_TRACES, BESIDE * target.traces):
                return first_ms
        since_ms = first_ms - HISTORY_MS
        return since_ms if baseline.last_seen_ms >= first_ms - HISTORY_MS // 2 else None

    # --- Findings of versions that have none any more ---------------------------------------------

    def _sweep(self, now_ms: int) -> None:
        """Resolve findings of versions without traffic for four days."""
        found = list_findings(self._store, state=OPEN, max_findings=MAX_MAX_FINDINGS).findings
        by_experiment: dict[str, list[Finding]] = {}
        for one in found:
            by_experiment.setdefault(one.experiment_id, []).append(one)
        for experiment_id, findings in by_experiment.items():
            if self._closing.is_set():
                return
            started = time.monotonic()
            versions = list_named_versions(self._store, experiment_id)
            for one in findings:
                rows = versions.get(one.environment, ())
                if not _is_live(rows, one, now_ms):
                    self._resolve(one, now_ms)
            self._rest(started)

    def _resolve(self, finding: Finding, now_ms: int) -> None:
        from whence.analysis.watching import Stretch

        place = (finding.experiment_id, finding.environment)
        watch_id = watch_id_of(*place, finding.candidate_kind, finding.candidate)
        progress = self._progress.get(watch_id) or read_progress(self._store, watch_id)
        resolve_finding(self._store, self._outbox, finding, "no traffic for four days", now_ms)
        known = None if progress is None else progress.metrics.get(finding.metric)
        if progress is None or known is None:
            return
        # Whether it comes back is seen in the traffic from then on.
        stretch = Stretch(
            number=known.episode + 1, since_ms=now_ms, from_traces=_count_traces(progress)
        )
        closed = msgspec.structs.replace(known, open=False, stretch=stretch)
        metrics = {**progress.metrics, finding.metric: closed}
        after = msgspec.structs.replace(progress, metrics=metrics)
        write_progress(self._store, _target_of(finding), after)
        self._progress[watch_id] = after


def _name(row: VersionRow) -> Name:
    from whence.analysis.watching import Name

    if row.app_version is not None:
        return Name("app_version", row.app_version)
    return Name("commit", row.commit or "")


def _scope(target: Target, progress: Progress) -> Scope:
    return Scope(
        environment=target.environment,
        filter_string=WITHOUT_ENVIRONMENT if target.environment is None else None,
        experiment_ids=(target.experiment_id,),
        since_ms=progress.since_ms,
    )


def _is_live(rows: Sequence[VersionRow], finding: Finding, now_ms: int) -> bool:
    name = (finding.candidate_kind, finding.candidate)
    return any(
        (_name(row).kind, _name(row).text) == name and row.last_seen_ms >= now_ms - LIVE_FOR_MS
        for row in rows
    )


def _count_traces(progress: Progress) -> int:
    """Return about how many traces there were at the last look: it is a floor for the next."""
    return max(0, *(one.stretch.from_traces for one in progress.metrics.values()))


def _target_of(finding: Finding) -> Target:
    from whence.analysis.watching import Name, Target

    return Target(
        experiment_id=finding.experiment_id,
        environment=finding.environment,
        candidate=Name(finding.candidate_kind, finding.candidate),
        traces=0,
        first_seen_ms=0,
        last_seen_ms=0,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
