"""Compare two versions: read both arms, measure, judge, and say where every number comes from.

Reads the traces once; what spans and judgements say is read beside them. The statistics are those
of `statistics`: strata, units, intervals against margins. Limit: more than `MAX_TRACES` traces of a
version are sampled, and the answer says so.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.error_comparison import compare_errors
from whence.analysis.explain import explain_difference
from whence.analysis.judge import ALPHA, Judged, Measured, judge
from whence.analysis.looking import Looking, find_look, judge_again
from whence.analysis.metrics import (
    FEEDBACK,
    METRICS,
    Metric,
    check_margins,
    check_metric,
    choose_guards,
    feedback_metric,
    margin_of,
)
from whence.analysis.strata import check_by, find_strata, match_hours
from whence.analysis.trace_filters import Filters
from whence.entities.comparison import Arm, Comparison, MetricComparison, decide_all
from whence.entities.comparison_text import label_of, write_summary
from whence.query.arms import NamedArm, Scope, begin_at, name_arms, show_filter
from whence.query.baselines import read_doubts
from whence.query.compared_feedback import FeedbackSource, read_feedback
from whence.query.compared_spans import (
    Counts,
    read_error_spans,
    read_first_tokens,
    read_tool_calls,
)
from whence.query.compared_values import read_inputs
from whence.query.population import MAX_TRACES, Population, read_population

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from whence.analysis.statistics.decision import Result
    from whence.store.connection import Store

ALWAYS = ("duration", "error_rate")  # judged, as inconclusive, also where there is no trace
ENOUGH_COVERAGE = 0.9
MAX_PAIRED = 20_000  # judged traces whose inputs are looked for in the other version


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare. `metrics` are the guards, by default the table's; `by` are the strata.

    With `looking` the verdicts hold at all looks together. `candidate_since_ms` leaves earlier
    traces of the candidate out, and none of the baseline. `match_hours` adds the finest hours at
    which both versions have traffic to the strata.
    """

    scope: Scope
    baseline: str | None = None
    candidate: str | None = None
    metrics: tuple[str, ...] | None = None
    margins: dict[str, float] = {}
    by: tuple[str, ...] | None = None
    explain: bool = False
    looking: Looking | None = None
    candidate_since_ms: int | None = None
    match_hours: bool = False


def compare_versions(store: Store, question: Question) -> Comparison:
    """Return the comparison. Raises InvalidInputError for what can't be compared."""
    started = time.perf_counter()
    by = _check(question)
    arms = _name_arms(store, question)
    beside = store.submit(lambda: _read_beside(store, question.scope, arms))
    models = question.explain or "model" in by
    population = read_population(store, question.scope, *arms, models=models)
    by = match_hours(population, by) if question.match_hours else by
    failed = store.submit(lambda: read_error_spans(store, population))
    first_tokens = read_first_tokens(store, question.scope, arms, population)
    measured, metrics = measure(population, by, beside.result(), first_tokens)
    if question.looking is None:  # pairs have no limits that bear looking again
        measured.find_inputs = _find_inputs(store, population, measured)
    guards = choose_guards(metrics, question.metrics)
    margins = {one.name: margin_of(one, question.margins) for one in metrics}
    watching = None if question.looking is None else find_look(measured, question.looking)
    if watching is None:
        judged = judge(measured, metrics, guards, margins)
    else:
        judged = judge_again(measured, metrics, guards, margins, watching)
    filters = Filters(arms)
    rows = [_row(one, filters) for one in judged]
    errors = compare_errors(failed.result(), population, measured, filters)
    explanation = None
    if question.explain and population.size:
        explanation = explain_difference(
            store, question.scope, arms, population, measured, filters, errors
        )
    verdict = decide_all(rows)
    views = [_view_arm(arm, population, measured, side) for side, arm in enumerate(arms)]
    coverage = measured.coverage
    return Comparison(
        verdict=verdict,
        summary=write_summary(verdict, label_of(views[0]), label_of(views[1]), rows),
        environment=question.scope.environment,
        filter_string=question.scope.filter_string or "",
        since_ms=question.scope.since_ms,
        until_ms=question.scope.until_ms,
        baseline=views[0],
        candidate=views[1],
        metrics=rows,
        errors=errors.signatures,
        strata_by=list(by),
        strata=measured.count_strata(),
        coverage=coverage,
        confidence=1 - (ALPHA if watching is None else watching.alpha),
        exact=not population.sampled,
        notes=[
            *beside.result().doubts,
            *_notes(arms, population, coverage, views),
            *_note_pairs(judged),
            *([errors.note] if errors.note else []),
        ],
        explanation=explanation,
        watching=watching,
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _check(question: Question) -> tuple[str, ...]:
    """Return what to stratify by. Raises InvalidInputError for what can't be compared."""
    check_margins(question.margins)
    for name in question.metrics or ():
        check_metric(name, [one.name for one in METRICS])
    return check_by(question.by)


def _name_arms(store: Store, question: Question) -> tuple[NamedArm, NamedArm]:
    baseline, candidate = name_arms(store, question.scope, question.baseline, question.candidate)
    if question.candidate_since_ms is not None:
        candidate = begin_at(candidate, question.candidate_since_ms)
    return baseline, candidate


class Beside(msgspec.Struct, frozen=True):
    """What spans and judgements say of the compared traces, read while the traces are."""

    tool_calls: Counts
    feedback: list[FeedbackSource]
    doubts: list[str]


def _read_beside(store: Store, scope: Scope, arms: tuple[NamedArm, NamedArm]) -> Beside:
    return Beside(
        read_tool_calls(store, scope, arms),
        read_feedback(store, scope, arms),
        read_doubts(store, scope, arms),
    )


def _find_inputs(
    store: Store, population: Population, measured: Measured
) -> Callable[[], NDArray[np.uint64]] | None:
    """Return what gives the inputs of judged traces, read meanwhile; None: none, or too many."""
    judged = np.zeros(population.size, np.bool_)
    for name, values in measured.columns.items():
        if name.startswith(FEEDBACK):
            judged |= np.isfinite(values)
    rows = np.flatnonzero(judged)
    if not 0 < len(rows) <= MAX_PAIRED:
        return None
    return store.submit(partial(read_inputs, store, population, rows)).result


def measure(
    population: Population,
    by: tuple[str, ...],
    beside: Beside,
    first_tokens: Counts | None = None,
) -> tuple[Measured, list[Metric]]:
    """Return the values of every metric that any trace has, and those metrics."""
    columns: dict[str, NDArray[np.float64]] = {
        "duration": population.duration_ms,
        "failed": population.failed.astype(np.float64),
        **population.numbers,
    }
    calls = beside.tool_calls.of(population.key, 0.0)
    if calls.any():
        columns["tool_calls"] = calls
    if first_tokens is not None:
        columns["time_to_first_token"] = first_tokens.of(population.key, np.nan)
    known = [name for name, values in columns.items() if np.isfinite(values).any()]
    in_sessions = population.size > int(population.unit.max(initial=-1)) + 1
    metrics: list[Metric] = [
        one
        for one in METRICS
        if one.name in ALWAYS
        or (one.column in known and (in_sessions or one.method != "unit_mean"))
    ]
    given = [(one, one.counts.of(population.key, np.nan)) for one in beside.feedback]
    given = [(one, values) for one, values in given if np.isfinite(values).any()]
    for one, values in given:
        several = sum(other.name == one.name for other, _ in given) > 1
        label = f"{one.name} ({one.source})" if several else one.name
        metric = feedback_metric(label, is_boolean=one.is_boolean)
        columns[metric.column] = values
        metrics.append(metric)
    measured = Measured(
        population.is_candidate, find_strata(population, by), population.unit, columns
    )
    return measured, metrics


def _row(judged: Judged, filters: Filters) -> MetricComparison:
    metric, result = judged.metric, judged.result
    difference = uncovered = None
    mix, within = result.mix_part, result.within_part
    if result.baseline_raw is not None and result.candidate_raw is not None:
        difference = result.candidate_raw - result.baseline_raw
        if mix is not None and within is not None:
            uncovered = 0.0 if _is_covered(result) else difference - mix - within
    baseline, candidate = filters.of_metric(metric, (result.baseline, result.candidate))
    return MetricComparison(
        metric=metric.name,
        unit=metric.unit,
        scale=result.scale,
        better=metric.better,
        guard=judged.guard,
        baseline=result.baseline,
        candidate=result.candidate,
        effect=result.effect,
        low=result.low,
        high=result.high,
        margin=result.margin,
        verdict=result.verdict,
        reason=result.reason,
        n_baseline=result.n_baseline,
        n_candidate=result.n_candidate,
        units_baseline=result.units_baseline,
        units_candidate=result.units_candidate,
        needed=result.units_needed,
        detectable=result.smallest_detectable_effect,
        p_value=result.p_value,
        p_adjusted=judged.adjusted,
        method=result.method,
        coverage=result.coverage,
        difference=difference,
        mix=mix,
        within=within,
        uncovered=uncovered,
        baseline_filter=baseline,
        candidate_filter=candidate,
    )


def _is_covered(result: Result) -> bool:
    return result.coverage == 1.0 and result.coverage_baseline == 1.0


def _view_arm(arm: NamedArm, population: Population, measured: Measured, side: int) -> Arm:
    chosen = population.is_candidate == bool(side)
    times = population.request_time_ms[chosen]
    return Arm(
        asked=arm.asked,
        kind=arm.kind,
        filter_string=show_filter(arm.finished),
        traces=population.found[side],
        used=len(times),
        units=measured.count_units()[side],
        unfinished=population.unfinished[side],
        unfinished_filter=show_filter(arm.unfinished),
        first_seen_ms=int(times.min()) if len(times) else None,
        last_seen_ms=int(times.max()) if len(times) else None,
    )


def _notes(
    arms: tuple[NamedArm, NamedArm], population: Population, coverage: float, views: list[Arm]
) -> list[str]:
    notes = [arm.note for arm in arms if arm.note]
    if population.sampled:
        notes.append(
            f"sampled: of a version with more than {MAX_TRACES:,} traces, those of a fixed sample "
            f"of its units were compared ({views[0].used:,} and {views[1].used:,} traces)"
        )
    notes += [
        f"no finished traces of {view.asked!r}{_kind(arm)} were found"
        for arm, view in zip(arms, views, strict=True)
        if not view.traces
    ]
    if all(view.traces for view in views) and coverage < ENOUGH_COVERAGE:
        notes.append(
            f"only {coverage:.0%} of the candidate's traces lie in strata that both versions "
            "have; the rest was not compared"
        )
    shares = [one.unfinished / max(1, one.traces + one.unfinished) for one in views]
    if max(shares) - min(shares) > 0.01:  # noqa: PLR2004 - a hundredth
        notes.append(
            f"unfinished traces: {shares[0]:.1%} of the baseline, {shares[1]:.1%} of the "
            "candidate; they have no duration, and may be the slowest"
        )
    first, last = views[0].last_seen_ms, views[1].first_seen_ms
    if first is not None and last is not None and first < last:
        notes.append(
            "the candidate began after the baseline had ended: a change of load, of users or of a "
            "provider in between looks like a change of the version"
        )
    return notes


def _note_pairs(judged: Sequence[Judged]) -> list[str]:
    return [
        f"{one.metric.name}: {one.result.n_candidate} inputs that ran in both versions are "
        "compared pair by pair"
        for one in judged
        if one.result.method.startswith("paired")
    ]


def _kind(arm: NamedArm) -> str:
    return {"app_version": " (as a version)"}.get(arm.kind, f" (as a {arm.kind})")
