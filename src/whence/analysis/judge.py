"""Metrics of two populations → estimates → verdicts, all guards at one joint level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.means import estimate_mean
from whence.analysis.statistics.multiplicity import adjust_holm, decide_guards, find_q_values
from whence.analysis.statistics.quantiles import estimate_quantiles
from whence.analysis.statistics.ranks import estimate_shift, rank
from whence.analysis.statistics.rates import estimate_rate
from whence.analysis.statistics.samples import Sample, match

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from whence.analysis.metrics import Metric
    from whence.analysis.statistics.decision import Result
    from whence.analysis.statistics.estimates import Estimate
    from whence.analysis.statistics.samples import Pair

ALPHA = 0.05


class Measured(msgspec.Struct, frozen=True):
    """The values of all metrics, one a trace (NaN: not known), and what the traces have in common."""

    is_candidate: NDArray[np.bool_]
    strata: NDArray[np.int64]
    units: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]

    def count_strata(self) -> int:
        """Return how many strata there are."""
        return int(self.strata.max()) + 1 if len(self.strata) else 0

    @property
    def coverage(self) -> float:
        """The share of the candidate's traces in strata that both arms have."""
        return self.pair("failed").coverage[1]

    def pair(self, column: str) -> Pair:
        """Return both arms' values of a column, made comparable."""
        values, other = self.columns[column], ~self.is_candidate
        arms = (
            Sample(values[chosen], self.strata[chosen], self.units[chosen])
            for chosen in (other, self.is_candidate)
        )
        return match(*arms)


class Judged(msgspec.Struct, frozen=True):
    """What was found of a metric; `adjusted` is Holm's p of a guard, the q-value of another."""

    metric: Metric
    guard: bool
    result: Result
    adjusted: float | None


def estimate(measured: Measured, metrics: Sequence[Metric], alpha: float) -> dict[str, Estimate]:
    """Return an estimate of every metric; metrics of one column share what is sorted once."""
    found: dict[str, Estimate] = {}
    for column in dict.fromkeys(one.column for one in metrics):
        pair = measured.pair(column)
        same = [one for one in metrics if one.column == column]
        quantiles = [one for one in same if one.method == "quantile"]
        levels = [one.p for one in quantiles if one.p is not None]
        if levels:
            estimates = estimate_quantiles(pair, levels, alpha=alpha)
            found |= {one.name: got for one, got in zip(quantiles, estimates, strict=True)}
        for one in same:
            if one.method == "shift":
                found[one.name] = estimate_shift(rank(pair))
            elif one.method == "mean":
                found[one.name] = estimate_mean(pair)
            elif one.method == "score":
                found[one.name] = estimate_mean(pair, "difference")
            elif one.method == "rate":
                found[one.name] = estimate_rate(pair)
    return found


def judge(
    measured: Measured,
    metrics: Sequence[Metric],
    guards: Mapping[str, bool],
    margins: Mapping[str, float],
) -> list[Judged]:
    """Return the verdict of every metric, in the order given; guards jointly by Holm."""
    strictest = ALPHA / max(1, sum(guards.values()))
    estimates = estimate(measured, metrics, strictest)
    rules = {
        one.name: Rule(
            margin=margins[one.name],
            worse="higher" if one.better == "lower" else "lower",
            alpha=ALPHA,
        )
        for one in metrics
    }
    guarded = [name for name in estimates if guards[name]]
    explored = [name for name in estimates if not guards[name]]
    together = decide_guards([(estimates[name], rules[name]) for name in guarded])
    results = dict(zip(guarded, together, strict=True))
    results |= {name: decide(estimates[name], rules[name]) for name in explored}
    adjusted = _adjust(guarded, results, adjust_holm) | _adjust(explored, results, find_q_values)
    return [
        Judged(one, guards[one.name], results[one.name], adjusted.get(one.name))
        for one in metrics
    ]


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
