"""The durations of both sides of a comparison: shares up to each duration, and regions of it.

The population is the comparison's own: finished traces, sampled by units above its limit. Nothing
is weighed: a region's counts are those of the traces that its filters find, while the verdict's
numbers are like with like. Limits: `POINTS` durations an arm, `REGIONS` regions.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.trace_filters import Filters
from whence.entities.distribution import DurationArm, DurationDistribution, DurationRegion
from whence.query.arms import name_arms, show_filter
from whence.query.population import read_population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.store.connection import Store

    Floats = NDArray[np.float64]

POINTS = 120
REGIONS = 24
FAR = 0.999  # beyond it, one region holds the rest, or a single hanging trace would take them all


def read_distribution(
    store: Store, scope: Scope, baseline: str | None, candidate: str | None
) -> DurationDistribution:
    """Return the durations of both arms, named as for a comparison.

    Raises InvalidInputError for what can't be compared.
    """
    started = time.perf_counter()
    arms = name_arms(store, scope, baseline, candidate)
    population = read_population(store, scope, *arms)
    known = np.isfinite(population.duration_ms)
    sides = [
        np.sort(population.duration_ms[known & (population.is_candidate == side)])
        for side in (False, True)
    ]
    at_ms = _points(sides)
    shares = [_shares(side, at_ms) for side in sides]
    return DurationDistribution(
        baseline=_view_arm(arms[0], population, 0, sides[0]),
        candidate=_view_arm(arms[1], population, 1, sides[1]),
        at_ms=at_ms.tolist(),
        baseline_shares=shares[0],
        candidate_shares=shares[1],
        regions=_regions(sides, Filters(arms)),
        exact=not population.sampled,
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _view_arm(arm: NamedArm, population: Population, side: int, durations: Floats) -> DurationArm:
    found = [None, None, None]
    if len(durations):
        found = np.quantile(durations, [0.5, 0.95, 0.99], method="inverted_cdf").tolist()
    return DurationArm(
        asked=arm.asked,
        kind=arm.kind,
        filter_string=show_filter(arm.finished),
        traces=population.found[side],
        used=len(durations),
        p50_ms=found[0],
        p95_ms=found[1],
        p99_ms=found[2],
    )


def _points(sides: list[Floats]) -> Floats:
    """Return durations that were measured, as many from either arm, ascending."""
    steps = np.linspace(0, 1, POINTS)
    found = [np.quantile(side, steps, method="inverted_cdf") for side in sides if len(side)]
    points: Floats = np.unique(np.concatenate(found)) if found else np.empty(0)
    return points


def _shares(durations: Floats, at_ms: Floats) -> list[float]:
    if not len(durations):
        return [0.0] * len(at_ms)
    found: list[float] = (np.searchsorted(durations, at_ms, side="right") / len(durations)).tolist()
    return found


def _regions(sides: list[Floats], filters: Filters) -> list[DurationRegion]:
    whole = np.sort(np.concatenate(sides))
    if not len(whole):
        return []
    edges = _edges(whole)
    counts = [np.histogram(np.floor(side), edges)[0].tolist() for side in sides]
    # The last edge is one past the longest, so that every region ends before its `high_ms`.
    return [
        DurationRegion(
            low_ms=low,
            high_ms=high,
            baseline=counts[0][i],
            candidate=counts[1][i],
            baseline_filter=filters.of_durations(0, low, high),
            candidate_filter=filters.of_durations(1, low, high),
        )
        for i, (low, high) in enumerate(pairwise(edges))
    ]


def _edges(whole: Floats) -> list[int]:
    """Return whole milliseconds in even ratios: the language compares durations in whole ones."""
    first, end = int(whole[0]), int(whole[-1]) + 1
    far = max(float(np.quantile(whole, FAR)), first + 1.0)
    between = np.geomspace(max(first, 1), max(far, 1.0), REGIONS).astype(np.int64).tolist()
    return sorted({first, *(one for one in between if first < one < end), end})
