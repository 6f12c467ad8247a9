"""Drift: where a series moved although no release did (a provider changed a model, say).

Change points of a per-day or per-hour series by E-divisive: the split that maximises the energy
distance between what is before and after it, tested by permutation, then again within both sides,
as long as splits are significant. Each is reported with the two means around it and Welch's t-test.

Sources: Matteson and James, JASA 2014; Székely and Rizzo 2013 (energy distance); used on
performance series by Fleming, Kołaczkowski et al., "Hunter", ICPE 2023; Welch, Biometrika 1947.

Limits: points are taken as exchangeable between changes: remove weekly seasons first (compare the
same hour of the week), and strong autocorrelation raises false alarms. Up to `MOST_POINTS` points.
The p-value after the search is the permutation's; Welch's interval describes the change and is not
corrected for having been picked. Never a verdict between two versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from whence.analysis.statistics.estimates import student
from whence.analysis.statistics.units import Spread, pool
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Floats

MOST_POINTS = 1000
PERMUTATIONS = 199
LEAST_SEGMENT = 5


@dataclass(frozen=True)
class ChangePoint:
    """The first point after a change, by place in the series; `effect` is after minus before."""

    place: int
    before: float
    after: float
    effect: float
    low: float
    high: float
    p_value: float


def find_change_points(
    series: Floats,
    *,
    alpha: float = 0.01,
    least: int = LEAST_SEGMENT,
    least_effect: float = 0.0,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[ChangePoint]:
    """Return the change points in order of place; missing points (NaN) are skipped, places kept.

    `least` points stand on either side of a change, and the means around it differ by more than
    `least_effect` and significantly (a change of the spread alone is none). `permutations` bound
    how small a p-value can be: more than 1/alpha of them are needed. `seed` fixes them.
    """
    series = np.asarray(series, np.float64)
    places = np.flatnonzero(np.isfinite(series))
    if places.size > MOST_POINTS:
        raise InvalidInputError(
            f"{places.size} points: a series has at most {MOST_POINTS}, take wider buckets"
        )
    values = series[places]
    random = np.random.default_rng(seed)
    found: dict[int, float] = {}
    parts = [(0, values.size)]
    while parts:
        start, end = parts.pop(0)
        if end - start < 2 * least:
            continue
        place, p = _split(values[start:end], least, random, _Level(alpha, permutations))
        if p <= alpha:
            found[start + place] = p
            parts += [(start, start + place), (start + place, end)]
    while True:
        borders = [0, *sorted(found), values.size]
        changes = {
            at: _describe(values, borders[i : i + 3], int(places[at]), found[at], alpha)
            for i, at in enumerate(borders[1:-1])
        }
        slight = {at for at, one in changes.items() if _is_slight(one, least_effect)}
        if not slight:
            return list(changes.values())
        # Without the slightest, its neighbours have other means: they are described anew.
        del found[min(slight, key=lambda at: abs(changes[at].effect))]


def _is_slight(change: ChangePoint, least_effect: float) -> bool:
    return abs(change.effect) <= least_effect or change.low <= 0 <= change.high


class _Level(NamedTuple):
    alpha: float
    permutations: int


def _split(
    values: Floats, least: int, random: np.random.Generator, level: _Level
) -> tuple[int, float]:
    """Return the best split and its p-value, which is a bound where it is above the level."""
    distances = np.abs(values[:, None] - values[None, :])
    place, best = _best(distances, least)
    if best <= 0:
        return place, 1.0
    beaten, drawn = 0, level.permutations
    for _ in range(drawn):
        order = random.permutation(values.size)
        beaten += _best(distances[np.ix_(order, order)], least)[1] >= best
        if (1 + beaten) / (1 + drawn) > level.alpha:
            break  # whatever the others say
    return place, (1 + beaten) / (1 + drawn)


def _best(distances: Floats, least: int) -> tuple[int, float]:
    """Return the split with the largest scaled energy distance, and that distance.

    Q = nm/(n+m)·(2·E|X-Y| - E|X-X'| - E|Y-Y'|), from running sums over the distance matrix.
    """
    size = distances.shape[0]
    at = np.arange(least, size - least + 1)
    corner = np.cumsum(np.cumsum(distances, axis=0), axis=1)
    left = corner[at - 1, at - 1]
    across = corner[at - 1, -1] - left
    right = corner[-1, -1] - left - 2 * across
    n, m = at.astype(np.float64), (size - at).astype(np.float64)
    energy = n * m / size * (2 * across / (n * m) - left / (n * (n - 1)) - right / (m * (m - 1)))
    place = int(np.argmax(energy))
    return int(at[place]), float(energy[place])


def _describe(
    values: Floats, borders: list[int], place: int, p: float, alpha: float
) -> ChangePoint:
    before, after = values[borders[0] : borders[1]], values[borders[1] : borders[2]]
    means = float(before.mean()), float(after.mean())
    spread = pool(*(Spread(float(s.var(ddof=1)) / s.size, s.size - 1.0) for s in (before, after)))
    low, high = student(means[1] - means[0], spread).interval(alpha)
    return ChangePoint(place, *means, means[1] - means[0], low, high, p)
