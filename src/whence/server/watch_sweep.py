"""Closing findings of versions that have no more traffic: mended by a later version, or ended.

A version that is worse is replaced by the next one. Where the watch of that one, compared with the
same baseline, shows surely less than was found, the regression is gone: `resolved`. Where it is
worse in the same metric, the regression goes on there, and the finding of the version before has
`ended`; so it has where the baseline runs again. Where nobody can tell within `LIVE_FOR_MS`, it has
ended too: nothing says that it got better.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from whence.entities.comparison_text import describe_metric, name_metric
from whence.entities.finding import ENDED, OPEN, RESOLVED
from whence.query.findings import MAX_MAX_FINDINGS, list_findings
from whence.query.traffic import list_named_versions, name_version
from whence.server.watch_records import (
    Closing,
    Place,
    close_finding,
    finding_id_of,
    read_progress,
    watch_id_of,
    write_progress,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from whence.analysis.watch_progress import Name, Progress
    from whence.entities.finding import Finding
    from whence.entities.version import VersionRow
    from whence.server.outbox import Outbox
    from whence.store.connection import Store

LIVE_FOR_MS = 4 * 86_400_000  # a long weekend is no end
REPLACED_MS = 30 * 60_000  # without traffic, while a later version has some
REGROUPED = "kept apart by an older program; findings are told by version now"


class Standing(NamedTuple):
    """Versions of an experiment that are worse than one before them, as far as is known.

    `found` have a finding that was not resolved. `unsound` ones were never seen to get better
    themselves, so they are no baseline: what is as bad as they are would look unchanged. A muted
    finding is one that people accept, and its version may be a baseline.
    """

    found: frozenset[Place]
    unsound: frozenset[Place]

    def doubts(self, where: Place, version: Name) -> bool:
        """Whether a version, of the environment that a place is in, is no baseline."""
        return (*where[:2], version.kind, version.text) in self.unsound


def read_standing(store: Store, experiment_id: str) -> Standing:
    """Return which versions of an experiment are worse than one before them."""
    listed = list_findings(
        store, experiment_ids=[experiment_id], max_findings=MAX_MAX_FINDINGS
    ).findings
    known = [one for one in listed if one.finding_id == finding_id_of(*place_of(one))]
    found = [one for one in known if one.state != RESOLVED]
    unsound = [one for one in known if one.state != RESOLVED or one.resolved_by is not None]
    return Standing(
        frozenset(map(place_of, found)),
        frozenset(place_of(one) for one in unsound if not one.muted),
    )


def place_of(finding: Finding) -> Place:
    """Return where the candidate of a finding is."""
    where = finding.experiment_id, finding.environment
    return (*where, finding.candidate_kind, finding.candidate)


class Sweep:
    """One pass over the open findings."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        closing: threading.Event,
        *,
        rest: Callable[[float], None],
    ) -> None:
        """`rest` is told when a step began, and waits."""
        self._store, self._outbox, self._closing, self._rest = store, outbox, closing, rest
        self._progress: dict[str, Progress] = {}

    def run(self, now_ms: int) -> dict[str, Progress]:
        """Close what is to be closed; return the watches that stand elsewhere now."""
        found = list_findings(self._store, state=OPEN, max_findings=MAX_MAX_FINDINGS).findings
        by_experiment: dict[str, list[Finding]] = {}
        for one in found:
            by_experiment.setdefault(one.experiment_id, []).append(one)
        for experiment_id, findings in by_experiment.items():
            if self._closing.is_set():
                break
            started = time.monotonic()
            versions = list_named_versions(self._store, experiment_id)
            for one in findings:
                self._judge(one, versions.get(one.environment, ()), now_ms)
            self._rest(started)
        return self._progress

    def _judge(self, finding: Finding, rows: Sequence[VersionRow], now_ms: int) -> None:
        if finding.finding_id != finding_id_of(*place_of(finding)):
            close_finding(self._store, None, finding, Closing(ENDED, REGROUPED), now_ms)
            return
        names = [name_version(row) for row in rows]
        name = (finding.candidate_kind, finding.candidate)
        if name not in names:
            self._close(finding, Closing(ENDED, "its traces are no longer kept"), now_ms)
            return
        at = names.index(name)
        last_ms = rows[at].last_seen_ms
        since = [row for row in rows if row.last_seen_ms - last_ms >= REPLACED_MS]
        for row in since:
            closing = self._compare(finding, name_version(row), is_later=row in rows[:at])
            if closing is not None:
                self._close(finding, closing, now_ms)
                return
        if last_ms < now_ms - LIVE_FOR_MS:
            self._close(finding, Closing(ENDED, "no traffic for four days"), now_ms)

    def _compare(
        self, finding: Finding, other: tuple[str, str], *, is_later: bool
    ) -> Closing | None:
        """Return how a version that has the traffic now closes a finding; None: it can't tell."""
        from whence.analysis.watching import is_less

        baseline = (finding.baseline_kind, finding.baseline)
        if other == baseline:
            return Closing(
                ENDED, f"{other[1]}, which it was compared with, runs again in its place"
            )
        own, theirs = self._read(place_of(finding)), self._read((*place_of(finding)[:2], *other))
        if not is_later or own is None or theirs is None or not own.worse:
            return None
        if (theirs.baseline.kind, theirs.baseline.text) != baseline:
            return None
        shared = [name for name in own.worse if name in theirs.worse]
        if shared:
            names = ", ".join(map(name_metric, shared))
            return Closing(ENDED, f"{other[1]}, which replaced it, is worse in {names} too")
        rows = [theirs.seen.get(name) for name in own.worse]
        told = [
            row
            for name, row in zip(own.worse, rows, strict=True)
            if row is not None and is_less(row, own.metrics[name].least)
        ]
        if len(told) < len(own.worse):
            return None
        shown = "; ".join(map(describe_metric, told))
        reason = f"{other[1]}, which replaced it, against {finding.baseline}: {shown}"
        return Closing(RESOLVED, reason, by=other[1])

    def _read(self, place: Place) -> Progress | None:
        watch_id = watch_id_of(*place)
        return self._progress.get(watch_id) or read_progress(self._store, watch_id)

    def _close(self, finding: Finding, closing: Closing, now_ms: int) -> None:
        close_finding(self._store, self._outbox, finding, closing, now_ms)
        place = place_of(finding)
        progress = self._read(place)
        if progress is not None:
            after = _begin_after(progress, now_ms)
            write_progress(self._store, place, after)
            self._progress[watch_id_of(*place)] = after


def _begin_after(progress: Progress, now_ms: int) -> Progress:
    """Return the watch of a finding that was closed: whether it shows again is seen from now on.

    The version was not seen to get better, so its metrics stay worse.
    """
    from whence.analysis.watch_progress import Stretch

    replace = msgspec.structs.replace
    # About how many traces there were at the last look: a floor for the next.
    floor = max(0, *(one.stretch.from_traces for one in progress.metrics.values()), 0)
    metrics = dict(progress.metrics)
    for name in progress.worse:
        known = metrics[name]
        stretch = Stretch(number=known.stretch.number + 1, since_ms=now_ms, from_traces=floor)
        metrics[name] = replace(known, stretch=stretch)
    return replace(progress, metrics=metrics, ended=True)
