"""The watch of one version: which looks at its traffic are due, and what each of them says.

A `Stretch` is traffic of the candidate that is looked at again and again, at levels that add up
(`looking`). Each watch has a main stretch, all of the candidate's traffic (since its finding was
resolved, if it was), in which regressions are found. From then on the metric has one of its own:
while it is worse, the traffic since it was last seen, to see whether it is gone; after that the
traffic since then, to see whether it comes back. The n-th stretch of a kind takes 6/(π²n²) of the
level.

Whatever metrics a version is worse in, it has one finding: a look gives at most one event, about
all of them. Nothing is written here. Whoever keeps the progress asks again with it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from whence.analysis.compare import Question, compare_versions
from whence.analysis.looking import Looking
from whence.analysis.metrics import family_of
from whence.analysis.watch_progress import Event, MetricWatch, Stretch
from whence.analysis.watch_window import begin_of, describe, place
from whence.entities.comparison import REGRESSED
from whence.entities.comparison_text import describe_metric, format_effect, name_metric
from whence.entities.finding import OPENED, REOPENED, RESOLVED, SEEN, WORSENED, Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.watch_progress import Name, Progress, Target
    from whence.entities.comparison import Comparison, MetricComparison
    from whence.query.arms import Scope
    from whence.store.connection import Store

OLDEST_MS = 86_400_000  # a metric's own stretch that has said nothing begins anew then
GROWTH, LEAST_GROWTH = 1.5, 1.05
MOST_SHOWN = 5
JOINED, STAYED, GONE = "joined", "stayed", "gone"


class Change(msgspec.Struct, frozen=True):
    """What a look said of one metric: `joined` those that are worse, `stayed`, or is `gone`."""

    kind: str
    row: MetricComparison
    reason: str
    stretch: Stretch


class Watch:
    """The looks that are due now at one candidate."""

    def __init__(
        self, store: Store, scope: Scope, target: Target, progress: Progress, now_ms: int
    ) -> None:
        """`scope` is the experiment and the environment, without a time."""
        self._store, self._scope, self._target = store, scope, target
        self._progress, self._now_ms = progress, now_ms
        self._changes: list[Change] = []
        self._compared: dict[tuple[int | None, int, int], Comparison] = {}
        self._explained: dict[tuple[int | None, int, int], Comparison] = {}

    @property
    def is_due(self) -> bool:
        """Whether anything is to be looked at."""
        progress, traces = self._progress, self._target.traces
        stretches = [progress.main, *(one.stretch for one in progress.metrics.values())]
        return any(one.is_due(traces) for one in stretches)

    def look(self) -> tuple[Progress, list[Event]]:
        """Take the looks that are due; return where the watch stands then, and what was seen."""
        progress = self._progress
        metrics, seen = dict(progress.metrics), progress.seen
        main = progress.main
        if main.is_due(self._target.traces):
            main = self._place(main)
            found = self._compare(main)
            if found.watching is not None and found.watching.is_new:
                seen = {row.metric: row for row in found.metrics if row.guard}
                self._look_at_all(main, seen, metrics)
            main = self._advance(main, found)
        for name, one in progress.metrics.items():
            if one.stretch.is_due(self._target.traces):
                metrics[name] = self._look_at_one(name, one)
        after = msgspec.structs.replace(
            progress, main=main, metrics=metrics, seen=seen, steps=progress.steps + 1
        )
        return self._tell(after)

    def _place(self, stretch: Stretch) -> Stretch:
        return place(self._store, self._target, self._progress.baseline, stretch)

    def _look_at_all(
        self, main: Stretch, seen: dict[str, MetricComparison], metrics: dict[str, MetricWatch]
    ) -> None:
        for row in seen.values():
            if row.verdict != REGRESSED:
                continue
            known = metrics.get(row.metric)
            if known is None:
                metrics[row.metric] = MetricWatch(
                    open=True, episode=1, least=_least(row), stretch=self._begin(1), figures=row
                )
                self._changes.append(Change(JOINED, row, "", main))
            elif known.open and known.episode == 1:
                metrics[row.metric] = msgspec.structs.replace(known, figures=row)
                self._changes.append(Change(STAYED, row, "all of its traffic still shows it", main))

    def _look_at_one(self, name: str, one: MetricWatch) -> MetricWatch:
        """Look at a metric's own stretch, to see whether it is gone, still there, or back."""
        stretch = self._place(one.stretch)
        found = self._compare(stretch)
        watching = found.watching
        row = next((row for row in found.metrics if row.metric == name), None)
        ahead = self._advance(stretch, found)
        if row is None or watching is None or not watching.is_new:
            return msgspec.structs.replace(one, stretch=ahead)
        if not one.open:
            if row.verdict != REGRESSED:
                return msgspec.structs.replace(one, stretch=self._renew(stretch, ahead))
            self._changes.append(Change(JOINED, row, "it is back", stretch))
            return MetricWatch(
                open=True,
                episode=one.episode + 1,
                least=_least(row),
                stretch=self._begin(1),
                figures=row,
            )
        if row.verdict == REGRESSED:
            reason = "the traffic since the last check shows it too"
            self._changes.append(Change(STAYED, row, reason, stretch))
            one = msgspec.structs.replace(one, figures=row)
        elif is_less(row, one.least):
            units = row.units_candidate
            reason = f"the last {units} independent traces show a smaller change than was found"
            self._changes.append(Change(GONE, row, reason, stretch))
            return msgspec.structs.replace(one, open=False, stretch=self._begin(one.episode + 1))
        else:
            return msgspec.structs.replace(one, stretch=self._renew(stretch, ahead))
        return msgspec.structs.replace(one, stretch=self._begin(stretch.number + 1))

    def _renew(self, stretch: Stretch, ahead: Stretch) -> Stretch:
        """Begin anew after a day: what happens now is diluted by all that happened before."""
        is_old = stretch.since_ms is None or self._now_ms - stretch.since_ms >= OLDEST_MS
        return self._begin(stretch.number + 1) if is_old else ahead

    def _begin(self, number: int) -> Stretch:
        return Stretch(number=number, since_ms=self._now_ms, from_traces=self._target.traces)

    def _compare(self, stretch: Stretch, *, explain: bool = False) -> Comparison:
        """Compare the traffic of a stretch; metrics that began together are compared once."""
        key = (stretch.since_ms, stretch.look, stretch.number)
        known = self._explained if explain else self._compared
        if key not in known:
            since_ms = begin_of(stretch.against, self._target, stretch)
            question = Question(
                scope=msgspec.structs.replace(self._scope, since_ms=since_ms),
                baseline=self._progress.baseline.asked,
                candidate=self._target.candidate.asked,
                explain=explain,
                looking=Looking(taken=stretch.look, alpha=stretch.alpha),
                candidate_since_ms=stretch.since_ms,
                match_hours=True,
            )
            known[key] = compare_versions(self._store, question)
        return known[key]

    def _gather(self, stretch: Stretch) -> Evidence:
        """Return why the versions differ: read where something regressed only."""
        found = self._compare(stretch, explain=True)
        why = found.explanation
        evidence = Evidence(
            baseline=found.baseline,
            candidate=found.candidate,
            strata_by=found.strata_by,
            coverage=found.coverage,
            confidence=found.confidence,
            notes=[
                describe(stretch.against, self._target, self._progress.baseline, found.strata_by),
                *found.notes,
            ],
            errors=[one for one in found.errors if one.status != "alike"][:MOST_SHOWN],
        )
        if why is None:
            return evidence
        return msgspec.structs.replace(
            evidence,
            spans=why.spans[:MOST_SHOWN],
            presence=why.presence[:MOST_SHOWN],
            shapes=why.shapes[:MOST_SHOWN],
            overrepresented=why.overrepresented[:MOST_SHOWN],
            exemplars=why.exemplars[:MOST_SHOWN],
        )

    def _advance(self, stretch: Stretch, found: Comparison) -> Stretch:
        """Return the stretch after a look, with what the next one wants."""
        look = stretch.look if found.watching is None else found.watching.look
        so_far = max(self._target.traces - stretch.from_traces, 1)
        wanted = math.ceil(so_far * min(max(_growth(found), LEAST_GROWTH), GROWTH))
        return msgspec.structs.replace(stretch, look=look, next_traces=max(wanted, so_far + 1))

    def _tell(self, after: Progress) -> tuple[Progress, list[Event]]:
        """Return the progress and what is to be said of the version, all its metrics together."""
        before, worse = self._progress, after.worse
        gone = {one.row.metric for one in self._changes if one.kind == GONE}
        self._changes = [
            one for one in self._changes if one.kind == GONE or one.row.metric not in gone
        ]  # what all of the traffic still shows is no longer news then
        was_open = before.episode > 0 and bool(before.worse) and not before.ended
        joined = [one for one in self._changes if one.kind == JOINED]
        shown = [one for one in self._changes if one.kind != GONE]
        if not self._changes or (not worse and not before.episode):
            return after, []
        if not worse:
            kind = RESOLVED  # other metrics may still show the traffic that was bad: it is over
            main = self._begin(after.main.number + 1)
            after = msgspec.structs.replace(after, main=main)
        elif not was_open:
            if not shown:
                return after, []
            kind = REOPENED if before.episode else OPENED
            joined = shown
        else:
            known = {family_of(name) for name in before.worse}
            is_new = any(family_of(one.row.metric) not in known for one in joined)
            kind = WORSENED if is_new else SEEN
        episode = before.episode + (kind in (OPENED, REOPENED))
        after = msgspec.structs.replace(after, episode=episode, ended=False)
        rows = [one.row for one in self._changes]
        if worse:
            kept = [after.metrics[name].figures for name in worse]
            rows = [row for row in kept if row is not None] or rows
        evidence = None if kind in (SEEN, RESOLVED) else self._gather(joined[0].stretch)
        event = Event(
            kind=kind,
            episode=episode,
            step=after.steps,
            reason="; ".join(dict.fromkeys(_reason(one) for one in self._changes if one.reason)),
            summary=summarise(self._target, before.baseline, lead(rows)),
            metrics=lead(rows),
            evidence=evidence,
        )
        return after, [event]


def lead(rows: Sequence[MetricComparison]) -> list[MetricComparison]:
    """Return metrics with the one first that is furthest beyond its margin."""
    return sorted(rows, key=lambda row: -_least(row) / max(row.margin, 1e-9))


def summarise(target: Target, baseline: Name, rows: Sequence[MetricComparison]) -> str:
    """Return a finding in a line: the metric that leads with its interval, the others' change."""
    where = f" in {target.environment}" if target.environment else ""
    others = "".join(
        f"; {name_metric(row.metric)} {format_effect(row.effect, row)}" for row in rows[1:]
    )
    told = describe_metric(rows[0]) + others
    return f"{target.candidate.text} against {baseline.text}{where}: {told}"


def _reason(one: Change) -> str:
    return f"{name_metric(one.row.metric)}: {one.reason}" if one.kind != STAYED else one.reason


def _growth(found: Comparison) -> float:
    """Return how many times the candidate's units the next look wants, as the baseline stands."""
    watching = found.watching
    b, c = found.baseline.units, found.candidate.units
    if watching is None or not c or 2 * b <= watching.next_units:
        return GROWTH
    return watching.next_units * b / (2 * b - watching.next_units) / c


def _sides(row: MetricComparison) -> tuple[float, float] | None:
    """Return the interval with what is bad above zero."""
    if row.low is None or row.high is None:
        return None
    return (row.low, row.high) if row.better == "lower" else (-row.high, -row.low)


def _least(row: MetricComparison) -> float:
    sides = _sides(row)
    return row.margin if sides is None else sides[0]


def is_less(row: MetricComparison, least: float) -> bool:
    """Tell whether there is surely less than was found, and nothing shown or within the margin.

    `least` is the nearer end of the interval that it was found with.
    """
    sides = _sides(row)
    if sides is None or sides[1] >= least:
        return False
    return sides[0] <= 0 or sides[1] <= row.margin
