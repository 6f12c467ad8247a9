"""Metrics of two populations → estimates → verdicts, all guards at one joint level."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.metrics import FEEDBACK
from whence.analysis.pairs import estimate_pairs, find_pairs
from whence.analysis.statistics.decision import Rule, decide, read_verdict, to_working
from whence.analysis.statistics.means import estimate_mean, estimate_winsorised, per_unit
from whence.analysis.statistics.multiplicity import adjust_holm, decide_guards, find_q_values
from whence.analysis.statistics.quantiles import estimate_quantiles
from whence.analysis.statistics.ranks import estimate_shift, rank
from whence.analysis.statistics.rates import estimate_rate
from whence.analysis.statistics.samples import Sample, match, with_values
from whence.analysis.statistics.units import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from whence.analysis.metrics import Metric
    from whence.analysis.pairs import Pairs
    from whence.analysis.statistics.decision import Result, Worse
    from whence.analysis.statistics.estimates import Estimate
    from whence.analysis.statistics.samples import Pair

    Part = tuple[Callable[[], Pair], list[Metric]]

ALPHA = 0.05
SAME_UNITS, ROUNDING = 60, 1e-9
AT_ONCE = 2  # sorting lets other threads run


class Measured:
    """The values of all metrics, one a trace (NaN: not known), with strata and units."""

    def __init__(
        self,
        is_candidate: NDArray[np.bool_],
        strata: NDArray[np.int64],
        units: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.float64]],
    ) -> None:
        """Tell the arms apart once, for all metrics; `find_inputs` gives each trace's, or 0."""
        self.is_candidate, self.strata, self.units = is_candidate, strata, units
        self.columns = columns
        self.find_inputs: Callable[[], NDArray[np.uint64]] | None = None
        self._rows = np.flatnonzero(~is_candidate), np.flatnonzero(is_candidate)
        self._arms = [(strata[rows], units[rows]) for rows in self._rows]
        self._whole = self._match(np.zeros(len(strata)))
        baseline, candidate = (encode(units)[1] for _, units in self._arms)
        self._counted = baseline, candidate

    def count_strata(self) -> int:
        """Return how many strata there are."""
        return int(self.strata.max()) + 1 if len(self.strata) else 0

    def count_units(self) -> tuple[int, int]:
        """Return how many independent units each version has."""
        return self._counted

    @property
    def coverage(self) -> float:
        """The share of the candidate's traces in strata that both arms have."""
        return self._whole.coverage[1]

    def pair(self, column: str) -> Pair:
        """Return both arms' values of a column, made comparable."""
        values = self.columns[column]
        # Where every trace has a value and a stratum, only the values differ between metrics.
        if self._whole.coverage == (1.0, 1.0) and np.isfinite(values).all():
            return with_values(self._whole, *(values[rows] for rows in self._rows))
        return self._match(values)

    def pair_by_unit(self, column: str) -> Pair:
        """Return both arms' sums by session, else user: a pair whose traces are those."""
        values = self.columns[column]
        return match(
            *(
                per_unit(Sample(values[rows], strata, units))
                for rows, (strata, units) in zip(self._rows, self._arms, strict=True)
            )
        )

    def pair_inputs(self, column: str, *, is_boolean: bool) -> Pairs | None:
        """Return a judgement's values pair by pair, or None where too few inputs ran in both."""
        if self.find_inputs is None:
            return None
        return find_pairs(
            self.columns[column],
            self.find_inputs(),
            self.is_candidate,
            self.strata,
            self.units,
            is_boolean=is_boolean,
        )

    def is_constant(self, column: str) -> bool:
        """Tell whether each arm has one and the same value in all of its traces that have one."""
        values = self.columns[column]
        known = [values[rows][np.isfinite(values[rows])] for rows in self._rows]
        return all(len(one) > 0 and np.ptp(one) == 0 for one in known)

    def _match(self, values: NDArray[np.float64]) -> Pair:
        return match(
            *(
                Sample(values[rows], strata, units)
                for rows, (strata, units) in zip(self._rows, self._arms, strict=True)
            )
        )


class Judged(msgspec.Struct, frozen=True):
    """What was found of a metric; `adjusted` is Holm's p of a guard, the q-value of another."""

    metric: Metric
    guard: bool
    result: Result
    adjusted: float | None


def estimate(
    measured: Measured, metrics: Sequence[Metric], alphas: Mapping[str, float]
) -> dict[str, Estimate]:
    """Return an estimate of every metric; `alphas` is the strictest level each will be judged at.

    Columns are worked on side by side, ranks apart from quantiles: together they take longest.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="whence-estimate") as threads:
        parts = [
            threads.submit(_estimate, measured, *part, alphas)
            for part in _divide(measured, metrics)
        ]
        return {name: found for part in parts for name, found in part.result().items()}


def _divide(measured: Measured, metrics: Sequence[Metric]) -> list[Part]:
    """Return what is estimated in one go, the longest work first, with what gives its pair."""
    parts: list[Part] = []
    for column in dict.fromkeys(one.column for one in metrics):
        same = [one for one in metrics if one.column == column]
        ranked = [one for one in same if one.method == "shift"]
        others = [one for one in same if one.method != "shift"]
        pair = partial(measured.pair, column)
        if ranked and others:
            made = pair()  # both sort its values, once
            parts = [(lambda made=made: made, part) for part in (ranked, others)] + parts
        else:
            parts.append((pair, same))
    return parts


def _estimate(
    measured: Measured,
    find_pair: Callable[[], Pair],
    metrics: Sequence[Metric],
    alphas: Mapping[str, float],
) -> dict[str, Estimate]:
    pair = find_pair()
    found: dict[str, Estimate] = {}
    for one in metrics:
        if one.method == "quantile" and one.p is not None:
            (found[one.name],) = estimate_quantiles(pair, [one.p], alpha=alphas[one.name])
        elif one.method == "shift":
            found[one.name] = estimate_shift(rank(pair))
        elif one.method == "winsorised":
            found[one.name] = estimate_winsorised(pair)
        elif one.method == "unit_mean":
            summed = measured.pair_by_unit(one.column)
            found[one.name] = estimate_mean(summed, method="ratio of means by session")
        elif one.method == "mean":
            found[one.name] = estimate_mean(pair)
        else:
            found[one.name] = _estimate_share(measured, pair, one)
    return found


def _estimate_share(measured: Measured, pair: Pair, metric: Metric) -> Estimate:
    """Return the estimate of a rate or a score; of a judgement by pairs, where there are enough."""
    is_boolean = metric.method == "rate"
    if metric.name.startswith(FEEDBACK):
        pairs = measured.pair_inputs(metric.column, is_boolean=is_boolean)
        if pairs is not None:
            return estimate_pairs(pairs, is_boolean=is_boolean)
    return estimate_rate(pair) if is_boolean else estimate_mean(pair, "difference")


def judge(
    measured: Measured,
    metrics: Sequence[Metric],
    guards: Mapping[str, bool],
    margins: Mapping[str, float],
) -> list[Judged]:
    """Return the verdict of every metric, in the order given; guards jointly by Holm."""
    strictest = ALPHA / max(1, sum(guards.values()))
    alphas = {one.name: strictest if guards[one.name] else ALPHA for one in metrics}
    estimates = estimate(measured, metrics, alphas)
    rules = {one.name: make_rule(one, margins) for one in metrics}
    guarded = [name for name in estimates if guards[name]]
    explored = [name for name in estimates if not guards[name]]
    together = decide_guards([(estimates[name], rules[name]) for name in guarded])
    results = dict(zip(guarded, together, strict=True))
    results |= {name: decide(estimates[name], rules[name]) for name in explored}
    for one in metrics:
        if results[one.name].low is None and measured.is_constant(one.column):
            results[one.name] = settle_constant(results[one.name], rules[one.name])
    adjusted = _adjust(guarded, results, adjust_holm) | _adjust(explored, results, find_q_values)
    return [
        Judged(one, guards[one.name], results[one.name], adjusted.get(one.name)) for one in metrics
    ]


def make_rule(metric: Metric, margins: Mapping[str, float]) -> Rule:
    """Return how a metric is judged."""
    worse: Worse = "higher" if metric.better == "lower" else "lower"
    return Rule(margin=margins[metric.name], worse=worse, alpha=ALPHA)


def settle_constant(result: Result, rule: Rule) -> Result:
    """Return the verdict where every trace of a version has the same value.

    With `SAME_UNITS` units in each, fewer than one in twenty can differ (the rule of three).
    """
    effect = result.effect
    if effect is None or min(result.units_baseline, result.units_candidate) < SAME_UNITS:
        return result
    at = 0.0 if abs(effect) < ROUNDING else to_working(effect, result.scale)
    verdict = read_verdict(at, at, to_working(rule.margin, result.scale), rule.worse)
    if at == 0.0:
        verdict, effect = "equivalent", 0.0
    reason = "every trace of each version has the same value"
    return replace(result, verdict=verdict, effect=effect, low=effect, high=effect, reason=reason)


def _adjust(
    names: Sequence[str],
    results: Mapping[str, Result],
    adjust: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> dict[str, float]:
    """Return the adjusted p-values of those that have one."""
    known = [(name, p) for name in names if (p := results[name].p_value) is not None]
    if not known:
        return {}
    found = adjust(np.array([p for _, p in known]))
    return {name: float(p) for (name, _), p in zip(known, found, strict=True)}
