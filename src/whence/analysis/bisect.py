"""Bisect: the first version, between a good and a bad one, at which a metric moved.

The bad version is judged against the good one as every comparison is. Then each version between is
measured, by the comparison's own estimator with its strata and units, against the one with most
traces, and `localisation` says which is the first to have moved. Moved means: by more than half of
what lies between good and bad, or more than the margin if that is less.
"""

from __future__ import annotations

import time
from math import ceil, inf, isfinite, sqrt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.bisect_words import add_commands, find_notes, write_summary
from whence.analysis.compare import Beside, Question, compare_versions, measure
from whence.analysis.judge import ALPHA, estimate
from whence.analysis.metrics import FEEDBACK, METRICS, check_margins, check_metric
from whence.analysis.statistics.decision import from_working, to_working
from whence.analysis.statistics.estimates import critical
from whence.analysis.statistics.localisation import locate_move
from whence.analysis.strata import check_by
from whence.entities.bisection import (
    FOUND,
    NARROWED,
    NOT_MOVED,
    UNDECIDED,
    BisectedVersion,
    Bisection,
)
from whence.entities.comparison import (
    EQUIVALENT,
    IMPROVED,
    INCONCLUSIVE,
    REGRESSED,
    MetricComparison,
)
from whence.errors import InvalidInputError
from whence.query.arms import Scope, name_arms, show_filter
from whence.query.bisected import Range, read_range
from whence.query.compared_feedback import read_feedback
from whence.query.compared_spans import Counts, read_first_tokens, read_tool_calls
from whence.query.population import read_population
from whence.query.version_source import select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.metrics import Metric
    from whence.analysis.statistics.estimates import Estimate, Scale
    from whence.store.connection import Store

LEVEL = 0.95
JITTER = 0.25  # of the margin: what versions differ by without any change
LEAST_UNITS = 8  # fewer say nothing of their own spread
SEPARATION = 4.0  # standard errors between good and bad, at which one in fifty is mistaken
SURE = 0.95
MAX_UNTRACED = 30
_PREFIX = {"app_version": "version:", "commit": "commit:"}
_NO_COUNTS = Counts(np.empty(0, np.uint64), np.empty(0))


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to bisect: one metric of the comparison, from a good to a bad version or commit."""

    scope: Scope
    good: str
    bad: str
    metric: str = "duration"
    margins: dict[str, float] = {}
    by: tuple[str, ...] | None = None


class Measure(msgspec.Struct, frozen=True):
    """What is known of a step: its level on the working scale up to a shared number, its noise."""

    traces: int
    units: int
    value: float | None
    level: float
    variance: float


def bisect_versions(store: Store, asked: Asked) -> Bisection:
    """Return where the metric moved. Raises InvalidInputError for what can't be bisected."""
    started = time.perf_counter()
    scope = asked.scope
    check_margins(asked.margins)
    check_metric(asked.metric, [one.name for one in METRICS])
    by = check_by(asked.by)
    found = _read_range(store, asked)
    prefix = _PREFIX[found.by]
    row = _compare_ends(store, asked, by, found)
    margin = to_working(row.margin, _scale(row))
    places = [one.name for one in found.steps]
    reader = _Reader(store, scope, row.metric, asked.margins, by, prefix)
    reference = max(range(len(places)), key=lambda one: found.steps[one].traces)
    measures = reader.read(places, reference)
    moved = row.verdict in (REGRESSED, IMPROVED)
    versions = _locate(found, measures, reader, row, margin, moved=moved)
    versions = add_commands(versions, found, scope.environment)
    outcome, first, candidates = _conclude(row, versions, moved=moved)
    bisection = Bisection(
        outcome=outcome,
        metric=row.metric,
        unit=row.unit,
        scale=row.scale,
        better=row.better,
        margin=row.margin,
        by=found.by,
        good=places[0],
        bad=places[-1],
        environment=scope.environment,
        filter_string=scope.filter_string or "",
        verdict=row.verdict,
        reason=row.reason,
        effect=row.effect,
        low=row.low,
        high=row.high,
        first=None if first is None else versions[first].name,
        before=None if first is None else versions[first - 1].name,
        confidence=None if first is None else versions[first].first,
        level=LEVEL,
        candidates=[versions[one].name for one in candidates],
        versions=versions,
        untraced=found.untraced[:MAX_UNTRACED],
        untraced_count=len(found.untraced),
        notes=[],
        summary="",
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )
    return msgspec.structs.replace(
        bisection, summary=write_summary(bisection), notes=find_notes(bisection, first)
    )


def _read_range(store: Store, asked: Asked) -> Range:
    scope = asked.scope
    selection = select(
        environment=scope.environment,
        experiment_ids=scope.experiment_ids,
        since_ms=scope.since_ms,
        until_ms=scope.until_ms,
        environment_aliases=scope.aliases,
    )
    return read_range(store, selection, asked.good.strip(), asked.bad.strip())


def _compare_ends(
    store: Store, asked: Asked, by: tuple[str, ...], found: Range
) -> MetricComparison:
    """Judge the bad version against the good one, as every comparison is."""
    prefix = _PREFIX[found.by]
    question = Question(
        scope=asked.scope,
        baseline=prefix + found.steps[0].name,
        candidate=prefix + found.steps[-1].name,
        metrics=(asked.metric,),
        margins=asked.margins,
        by=by,
    )
    return _find_row(compare_versions(store, question).metrics, asked.metric)


def _find_row(rows: Sequence[MetricComparison], name: str) -> MetricComparison:
    row = next((one for one in rows if one.metric == name), None)
    if row is None:
        raise InvalidInputError(
            f"neither of the two versions has a {name}: nothing can be compared"
        )
    return row


def _scale(row: MetricComparison) -> Scale:
    return "ratio" if row.scale == "ratio" else "difference"


class _Reader:
    """Measures steps against a reference, two at a time."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        metric: str,
        margins: dict[str, float],
        by: tuple[str, ...],
        prefix: str,
    ) -> None:
        self._store, self._scope, self._metric = store, scope, metric
        self._margins, self._by, self._prefix = margins, by, prefix
        self.filters: dict[str, str] = {}

    def read(self, names: Sequence[str], reference: int) -> list[Measure]:
        """Return the measures of all steps, with those of the reference itself."""
        estimates = {
            place: self._estimate(names[reference], name)
            for place, name in enumerate(names)
            if place != reference
        }
        return weigh(estimates, reference, len(names))

    def _estimate(self, reference: str, name: str) -> tuple[Estimate, Metric] | None:
        scope = self._scope
        arms = name_arms(self._store, scope, self._prefix + reference, self._prefix + name)
        self.filters[reference], self.filters[name] = (show_filter(one.finished) for one in arms)
        wanted = self._metric
        feedback = read_feedback(self._store, scope, arms) if wanted.startswith(FEEDBACK) else []
        calls = read_tool_calls(self._store, scope, arms) if wanted == "tool_calls" else _NO_COUNTS
        population = read_population(self._store, scope, *arms, models="model" in self._by)
        first = (
            read_first_tokens(self._store, scope, arms, population)
            if wanted.startswith("time_to_first_token")
            else None
        )
        measured, metrics = measure(population, self._by, Beside(calls, feedback, []), first)
        metric = next((one for one in metrics if one.name == wanted), None)
        if metric is None or not population.size:
            return None
        return estimate(measured, [metric], {wanted: ALPHA})[wanted], metric


def weigh(
    estimates: dict[int, tuple[Estimate, Metric] | None], reference: int, count: int
) -> list[Measure]:
    """Return levels and variances of each step from its estimate against the reference.

    The variance of a difference is the sum of both steps'; it is split by what each can know: by
    its units, and for shares by its own p(1-p)/n, which also is the least that it can be.
    """
    nothing = Measure(0, 0, None, 0.0, inf)
    found = [nothing] * count
    shared: list[float] = []
    for place, known in estimates.items():
        if known is None:
            continue
        one, metric = known
        facts = one.facts
        own, others = (_weight(metric, one, side) for side in (1, 0))
        counted = Measure(facts.n[1], facts.units[1], _number(facts.raw[1]), 0.0, inf)
        here = Measure(facts.n[0], facts.units[0], _number(facts.raw[0]), 0.0, inf)
        if here.units >= found[reference].units:
            found[reference] = here
        if (
            one.problem is None
            and min(facts.units) >= LEAST_UNITS
            and isfinite(one.effect)
            and own > 0
        ):
            error = one.error**2 if isfinite(one.error) else 0.0
            variance = error * own / (own + others)
            remains = error * others / (own + others)
            if metric.method == "rate":
                variance, remains = max(variance, own), max(remains, others)
            if variance > 0:
                counted = msgspec.structs.replace(counted, level=one.effect, variance=variance)
                shared.append(remains)
        found[place] = counted
    if shared:
        found[reference] = msgspec.structs.replace(
            found[reference], level=0.0, variance=float(np.median(shared))
        )
    return found


def _weight(metric: Metric, one: Estimate, side: int) -> float:
    """Return what a side's variance is proportional to."""
    n, units = one.facts.n[side], one.facts.units[side]
    if not units:
        return 0.0
    if metric.method != "rate":
        return 1 / units
    events = one.facts.raw[side] * n if isfinite(one.facts.raw[side]) else 0.0
    share = (events + 1) / (n + 2)
    return share * (1 - share) / n


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _locate(
    found: Range,
    measures: Sequence[Measure],
    reader: _Reader,
    row: MetricComparison,
    margin: float,
    *,
    moved: bool,
) -> list[BisectedVersion]:
    """Return every step with what is believed of it: nothing, if the ends don't differ."""
    total = 0.0 if row.effect is None else to_working(row.effect, _scale(row))
    down = total < 0
    size = abs(total)
    first = np.zeros(len(measures))
    beyond = np.zeros(len(measures))
    if moved:
        place = locate_move(
            [-one.level if down else one.level for one in measures],
            [one.variance for one in measures],
            threshold=min(margin, size / 2) if margin > 0 else size / 2,
            spread=max(size, 2 * margin),
            jitter=JITTER * margin,
        )
        first, beyond = place.first, place.moved
    base = measures[0]
    unit_variance = _variance_of_unit(measures)
    versions = []
    for number, (step, one) in enumerate(zip(found.steps, measures, strict=True)):
        known = isfinite(one.variance)
        effect, low, high = _compare_measures(base, one, _scale(row)) if number else _UNKNOWN
        chance = float(beyond[number])
        state = _name_state(number, len(measures) - 1, chance, known=known, between=moved)
        needed = None
        if moved and state in ("unsure", "untold") and unit_variance is not None:
            enough = max(LEAST_UNITS, ceil(unit_variance * (SEPARATION / size) ** 2))
            # Where there are as many, it lies between good and bad.
            needed = enough if enough > one.units else 2 * one.units
        elif not moved and row.verdict == INCONCLUSIVE and number in (0, len(measures) - 1):
            needed = row.needed if (row.needed or 0) > one.units else None
        versions.append(
            BisectedVersion(
                name=step.name,
                commit=step.commit,
                traces=one.traces or step.traces,
                units=one.units,
                value=one.value,
                effect=effect,
                low=low,
                high=high,
                first=float(first[number]) if number else 0.0,
                moved=float(beyond[number]),
                state=state,
                needed=needed,
                record=None,
                filter_string=reader.filters.get(step.name, ""),
            )
        )
    return versions


_UNKNOWN = (None, None, None)


def _compare_measures(
    base: Measure, one: Measure, scale: Scale
) -> tuple[float | None, float | None, float | None]:
    """Return the effect of a step against the good version, with its own interval."""
    if not (isfinite(one.variance) and isfinite(base.variance)):
        return _UNKNOWN
    half = critical(ALPHA) * sqrt(one.variance + base.variance)
    gap = one.level - base.level
    return (
        from_working(gap, scale),
        from_working(gap - half, scale),
        from_working(gap + half, scale),
    )


def _variance_of_unit(measures: Sequence[Measure]) -> float | None:
    known = [one.variance * one.units for one in measures if isfinite(one.variance) and one.units]
    return float(np.median(known)) if known else None


def _name_state(number: int, last: int, moved: float, *, known: bool, between: bool) -> str:
    """Return what a step is: the ends are what they were said to be."""
    if number == 0 or (number == last and between):
        return "bad" if number else "good"
    if not known:
        return "untold"
    if not between:
        return "unsure"
    return "bad" if moved >= SURE else "good" if moved <= 1 - SURE else "unsure"


def _conclude(
    row: MetricComparison, versions: Sequence[BisectedVersion], *, moved: bool
) -> tuple[str, int | None, list[int]]:
    """Return the outcome, the most likely step, and the steps that share the probability."""
    if not moved:
        return (NOT_MOVED if row.verdict == EQUIVALENT else UNDECIDED), None, []
    chances = [one.first for one in versions]
    first = max(range(1, len(versions)), key=lambda one: (chances[one], -one))
    candidates: list[int] = []
    for one in sorted(range(1, len(versions)), key=lambda one: (-chances[one], one)):
        if sum(chances[each] for each in candidates) >= LEVEL * sum(chances[1:]):
            break
        candidates.append(one)
    outcome = FOUND if chances[first] >= LEVEL else NARROWED
    return outcome, first, sorted(candidates)
