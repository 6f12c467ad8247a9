"""The watch of all versions of a store, step by step: whoever calls says when.

A version is compared with the last one before it that has enough traces and is not worse itself.
Watched are versions first seen within `NEW_FOR_MS` that had traffic within `LIVE_FOR_MS`, by the
times of their traces: what is imported from last year raises no alarm. A version that has a finding
is watched as long as it has traffic, however old it is.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from whence.errors import WhenceError
from whence.query.arms import Scope
from whence.query.baselines import ENOUGH_TRACES
from whence.query.traffic import list_named_versions, name_version
from whence.server.watch_records import read_progress, watch_id_of, write_events, write_progress
from whence.server.watch_sweep import LIVE_FOR_MS, Standing, Sweep, read_standing
from whence.store.time_limit import limit_time

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from whence.analysis.watch_progress import Name, Progress, Target
    from whence.entities.version import VersionRow
    from whence.server.outbox import Outbox
    from whence.server.watch_records import Place
    from whence.store.connection import Store

NEW_FOR_MS = 14 * 86_400_000
MOST_WATCHED = 5  # versions of an environment, the newest
LEAST_TRACES = 25  # as many as units must be (`analysis.looking`), known without loading numpy
AGAIN_S = 600.0  # until a version that could not be looked at is looked at again
THREADS = 1  # of the engine's, for each statement
WITHOUT_ENVIRONMENT = "environment IS NULL"

_log = logging.getLogger(__name__)


class Rounds:
    """Where all watches of a store stand."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        closing: threading.Event,
        *,
        query_seconds: float,
        rest: Callable[[float], None],
        clock: Callable[[], int],
    ) -> None:
        """Take what watches need. A comparison may take `query_seconds`.

        `rest` is told when a step began, and waits; `clock` gives Unix milliseconds.
        """
        self._store, self._outbox, self._closing, self._rest = store, outbox, closing, rest
        self._query_seconds, self._clock = query_seconds, clock
        self._progress: dict[str, Progress] = {}
        self._not_before: dict[str, float] = {}  # when a watch that failed is tried again

    def forget(self) -> None:
        """Read again where the watches stand: another server may have looked meanwhile."""
        self._progress.clear()

    def sweep(self) -> None:
        """Close findings of versions that have no more traffic."""
        sweep = Sweep(self._store, self._outbox, self._closing, rest=self._rest)
        self._progress |= sweep.run(self._clock())

    def watch_experiment(self, experiment_id: str) -> None:
        """Take every look that is due in an experiment."""
        started = time.monotonic()
        versions = list_named_versions(self._store, experiment_id)
        self._rest(started)
        standing = read_standing(self._store, experiment_id)
        for environment, rows in versions.items():
            place = (experiment_id, environment)
            # The oldest first: whether it is worse says whether it is a baseline of the next one.
            for row, before in reversed(_choose(rows, place, standing, self._clock())):
                if self._closing.is_set():
                    return
                if self._watch(place, row, before, standing):
                    standing = read_standing(self._store, experiment_id)

    def _watch(
        self,
        where: tuple[str, str | None],
        row: VersionRow,
        before: Sequence[VersionRow],
        standing: Standing,
    ) -> bool:
        """Take the looks that are due at one version; tell whether anything was found.

        `before` are the versions before it, the newest first.
        """
        from whence.analysis.watch_progress import Target
        from whence.analysis.watching import Watch

        name = _name(row)
        place = (*where, name.kind, name.text)
        watch_id = watch_id_of(*place)
        if time.monotonic() < self._not_before.get(watch_id, 0.0):
            return False
        enough = [_name(one) for one in before if one.traces >= ENOUGH_TRACES]
        sound = [one for one in enough if not standing.doubts(place, one)]
        progress = self._find_progress(place, sound[0] if sound else None, standing)
        if progress is None:
            return False
        passed = enough[: enough.index(progress.baseline)] if progress.baseline in enough else ()
        target = Target(
            experiment_id=where[0],
            environment=where[1],
            candidate=name,
            traces=row.traces,
            first_seen_ms=row.first_seen_ms,
            last_seen_ms=row.last_seen_ms,
            passed_over=tuple(one.text for one in passed if standing.doubts(place, one)),
        )
        watch = Watch(self._store, _scope(target), target, progress, self._clock())
        if not watch.is_due:
            return False
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
            return False
        if events:
            write_events(self._store, self._outbox, target, progress, events, self._clock())
        write_progress(self._store, place, after)
        self._progress[watch_id] = after
        self._rest(started)
        return bool(events)

    def _find_progress(
        self, place: Place, baseline: Name | None, standing: Standing
    ) -> Progress | None:
        """Return where the watch stands; None where there is nothing to compare with."""
        from whence.analysis.watch_progress import Progress

        watch_id = watch_id_of(*place)
        known = self._progress.get(watch_id) or read_progress(self._store, watch_id)
        if known is None:
            if baseline is None:
                return None
            known = Progress(baseline=baseline)
        elif baseline is not None and not known.worse and standing.doubts(place, known.baseline):
            known = _begin_against(known, baseline)
        self._progress[watch_id] = known
        return known


def _choose(
    rows: Sequence[VersionRow], where: tuple[str, str | None], standing: Standing, now_ms: int
) -> list[tuple[VersionRow, Sequence[VersionRow]]]:
    """Return the versions to watch: the newest, and all with findings; each with those before."""
    live = [
        (row, rows[place + 1 :])
        for place, row in enumerate(rows)
        if row.traces >= LEAST_TRACES and row.last_seen_ms >= now_ms - LIVE_FOR_MS
    ]
    new = [one for one in live if one[0].first_seen_ms >= now_ms - NEW_FOR_MS][:MOST_WATCHED]
    found = [
        one for one in live if one not in new and (*where, *name_version(one[0])) in standing.found
    ]
    return new + found


def _begin_against(known: Progress, baseline: Name) -> Progress:
    """Return the watch anew: what it was compared with turned out to be worse itself.

    The looks taken so far count: the next ones take a smaller part of the level.
    """
    from whence.analysis.watch_progress import Progress, Stretch

    main = Stretch(number=known.main.number + 1)
    return Progress(baseline=baseline, main=main, steps=known.steps, episode=known.episode)


def _name(row: VersionRow) -> Name:
    from whence.analysis.watch_progress import Name

    return Name(*name_version(row))


def _scope(target: Target) -> Scope:
    return Scope(
        environment=target.environment,
        filter_string=WITHOUT_ENVIRONMENT if target.environment is None else None,
        experiment_ids=(target.experiment_id,),
    )
