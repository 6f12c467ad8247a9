"""The watch of one version: which looks at its traffic are due, and what each of them says.

A `Stretch` is traffic of the candidate that is looked at again and again, at levels that add up
(`looking`). Each watch has a main stretch, all of the candidate's traffic, in which regressions are
found. From then on the metric has one of its own: while its finding is open, the traffic since
it was last seen, to see whether it is gone; after that the traffic since then, to see whether it
comes back. The n-th stretch of a kind takes 6/(π²n²) of the level.

Nothing is written here. Whoever keeps the progress asks again with it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from whence.analysis.compare import Question, compare_versions
from whence.analysis.judge import ALPHA
from whence.analysis.looking import LEAST_UNITS, Looking
from whence.analysis.statistics.sequences import share_of
from whence.entities.comparison import REGRESSED
from whence.entities.comparison_text import describe_metric
from whence.entities.finding import OPENED, REOPENED, RESOLVED, SEEN, Evidence

if TYPE_CHECKING:
    from whence.entities.comparison import Comparison, MetricComparison
    from whence.query.arms import Scope
    from whence.store.connection import Store

OLDEST_MS = 86_400_000  # a metric's own stretch that has said nothing begins anew then
GROWTH, LEAST_GROWTH = 1.5, 1.05
MOST_SHOWN = 5
PREFIX_OF_KIND = {"app_version": "version", "commit": "commit"}


class Name(msgspec.Struct, frozen=True):
    """A version by its app version, or by its commit."""

    kind: str
    text: str

    @property
    def asked(self) -> str:
        """What a comparison is asked by."""
        return f"{PREFIX_OF_KIND[self.kind]}:{self.text}"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate as it is now: `traces` have ended."""

    experiment_id: str
    environment: str | None
    candidate: Name
    traces: int
    first_seen_ms: int
    last_seen_ms: int


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Traffic that is looked at: since when, and how many traces there were before.

    `look` looks were taken, the next is due `next_traces` after `from_traces`. `number` counts the
    stretches of its kind.
    """

    number: int = 1
    since_ms: int | None = None
    from_traces: int = 0
    look: int = 0
    next_traces: int = LEAST_UNITS

    @property
    def alpha(self) -> float:
        """Its part of the level."""
        return ALPHA * share_of(self.number)

    def is_due(self, traces: int) -> bool:
        """Whether so many traces of the candidate allow a look."""
        return traces - self.from_traces >= self.next_traces


class MetricWatch(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that regressed: `least` is the bad end of its interval that is nearer to zero."""

    open: bool
    episode: int
    least: float
    stretch: Stretch


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a watch stands. `steps` counts what was looked at in all."""

    baseline: Name
    since_ms: int | None
    main: Stretch = Stretch()
    metrics: dict[str, MetricWatch] = {}
    steps: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a look said of a metric; `evidence` where somebody should look at it now."""

    kind: str
    metric: str
    episode: int
    step: int
    reason: str
    summary: str
    figures: MetricComparison
    evidence: Evidence | None = None


class Watch:
    """The looks that are due now at one candidate."""

    def __init__(
        self, store: Store, scope: Scope, target: Target, progress: Progress, now_ms: int
    ) -> None:
        """`scope` is the experiment and the environment, since when both versions are compared."""
        self._store, self._scope, self._target = store, scope, target
        self._progress, self._now_ms = progress, now_ms
        self._events: list[Event] = []
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
        metrics = dict(progress.metrics)
        main = progress.main
        if main.is_due(self._target.traces):
            found = self._compare(main)
            if found.watching is not None and found.watching.is_new:
                self._look_at_all(main, found, metrics)
            main = self._advance(main, found)
        for name, one in progress.metrics.items():
            if one.stretch.is_due(self._target.traces):
                metrics[name] = self._look_at_one(name, one)
        return (
            msgspec.structs.replace(progress, main=main, metrics=metrics, steps=progress.steps + 1),
            self._events,
        )

    def _look_at_all(
        self, main: Stretch, found: Comparison, metrics: dict[str, MetricWatch]
    ) -> None:
        for row in found.metrics:
            if not row.guard or row.verdict != REGRESSED:
                continue
            known = metrics.get(row.metric)
            if known is None:
                metrics[row.metric] = MetricWatch(
                    open=True, episode=1, least=_least(row), stretch=self._begin(1)
                )
                self._tell(OPENED, 1, row, "", self._gather(main))
            elif known.open and known.episode == 1:
                self._tell(SEEN, 1, row, "all of its traffic still shows it")

    def _look_at_one(self, name: str, one: MetricWatch) -> MetricWatch:
        """Look at a metric's own stretch, to see whether it is gone, still there, or back."""
        stretch = one.stretch
        found = self._compare(stretch)
        watching = found.watching
        row = next((row for row in found.metrics if row.metric == name), None)
        ahead = self._advance(stretch, found)
        if row is None or watching is None or not watching.is_new:
            return msgspec.structs.replace(one, stretch=ahead)
        if not one.open:
            if row.verdict != REGRESSED:
                return msgspec.structs.replace(one, stretch=self._renew(stretch, ahead))
            self._tell(REOPENED, one.episode + 1, row, "it is back", self._gather(stretch))
            return MetricWatch(
                open=True, episode=one.episode + 1, least=_least(row), stretch=self._begin(1)
            )
        if row.verdict == REGRESSED:
            self._tell(SEEN, one.episode, row, "the traffic since the last check shows it too")
        elif _is_gone(row, one.least):
            units = row.units_candidate
            reason = f"the last {units} independent traces show a smaller change than was found"
            self._tell(RESOLVED, one.episode, row, reason)
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
            question = Question(
                scope=self._scope,
                baseline=self._progress.baseline.asked,
                candidate=self._target.candidate.asked,
                explain=explain,
                looking=Looking(taken=stretch.look, alpha=stretch.alpha),
                candidate_since_ms=stretch.since_ms,
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
            notes=found.notes,
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

    def _tell(
        self,
        kind: str,
        episode: int,
        row: MetricComparison,
        reason: str,
        evidence: Evidence | None = None,
    ) -> None:
        self._events.append(
            Event(
                kind=kind,
                metric=row.metric,
                episode=episode,
                step=self._progress.steps + 1,
                reason=reason,
                summary=summarise(self._target, self._progress.baseline, row),
                figures=row,
                evidence=evidence,
            )
        )


def summarise(target: Target, baseline: Name, row: MetricComparison) -> str:
    """Return a finding in a line."""
    where = f" in {target.environment}" if target.environment else ""
    return f"{target.candidate.text} against {baseline.text}{where}: {describe_metric(row)}"


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


def _is_gone(row: MetricComparison, least: float) -> bool:
    """Tell whether there is surely less than was found, and nothing shown or within the margin."""
    sides = _sides(row)
    if sides is None or sides[1] >= least:
        return False
    return sides[0] <= 0 or sides[1] <= row.margin
