"""Sketches: the comparison of what is too large to hold, from quantile sketches that merge.

A sketch is an array of (mean, weight): the centroids of a t-digest, or the buckets of a DDSketch
with their representative values. Its distribution is taken to be linear between the middles of
neighbouring weights. Estimates are those of `ranks` and `quantiles`, with the distributions'
variances from the sketch and the counts from its weight, and are marked as from sketches.

Sources: Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019; Masson,
Rim and Lee, "DDSketch", VLDB 2019.

Limits: for use above `EXACT_UP_TO` values per arm, where the sketch's own error (t-digest about
0.1 % of rank in the middle and less in the tails, DDSketch 1 % of the value) is what remains. A
sketch forgets units: `design_effect` says how much wider clusters make the variance, measured on a
sample of the exact traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.estimates import Estimate, Facts, critical
from whence.analysis.statistics.quantiles import Recovered, least_traces, to_scale
from whence.analysis.statistics.ranks import Aligned, Inverted
from whence.analysis.statistics.samples import LEAST_UNITS
from whence.analysis.statistics.units import Spread
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.analysis.statistics.estimates import Scale
    from whence.analysis.statistics.samples import Floats

EXACT_UP_TO = 200_000
CENTROIDS = 400


@dataclass(frozen=True, eq=False)
class Sketch:
    """Centroids in order of their means, with positive weights that count values."""

    means: Floats
    weights: Floats

    def __post_init__(self) -> None:
        means, weights = np.asarray(self.means, np.float64), np.asarray(self.weights, np.float64)
        if means.shape != weights.shape or means.ndim != 1:
            raise InvalidInputError("a sketch needs one weight for each mean")
        kept = np.isfinite(means) & (weights > 0)
        order = np.argsort(means[kept], kind="stable")
        object.__setattr__(self, "means", means[kept][order])
        object.__setattr__(self, "weights", weights[kept][order])

    @property
    def n(self) -> float:
        """Values counted."""
        return float(self.weights.sum())

    def below(self, values: Floats) -> Floats:
        """Return the share of values below each of `values`."""
        if self.means.size == 1:
            return np.asarray((np.sign(values - self.means[0]) + 1) / 2)
        middles = (np.cumsum(self.weights) - self.weights / 2) / self.n
        return np.asarray(np.interp(values, self.means, middles, left=0.0, right=1.0))


def merge_sketches(sketches: Sequence[Sketch], *, most: int = CENTROIDS) -> Sketch:
    """Return one sketch of all, about `most` centroids, finest in the tails (t-digest's k₁)."""
    means = np.concatenate([np.zeros(0), *(one.means for one in sketches)])
    weights = np.concatenate([np.zeros(0), *(one.weights for one in sketches)])
    order = np.argsort(means, kind="stable")
    means, weights = means[order], weights[order]
    if means.size <= most:
        return Sketch(means, weights)
    share = (np.cumsum(weights) - weights / 2) / weights.sum()
    bucket = np.floor(most / np.pi * (np.arcsin(2 * share - 1) + np.pi / 2)).astype(np.int64)
    total = np.bincount(bucket, weights=weights).astype(np.float64, copy=False)
    sums = np.bincount(bucket, weights=weights * means)
    held = total > 0
    return Sketch(sums[held] / total[held], total[held])


@dataclass(frozen=True, eq=False)
class SketchPair:
    """The strata that both arms have enough values in, and the candidate's mix of them."""

    baseline: list[Sketch]
    candidate: list[Sketch]
    mix: Floats
    design_effect: tuple[float, float]
    coverage: tuple[float, float]

    @property
    def problem(self) -> str | None:
        """Why nothing can be compared, or None."""
        return None if self.baseline else f"no stratum has {LEAST_UNITS} values in both versions"

    @property
    def arms(self) -> tuple[list[Sketch], list[Sketch]]:
        """Baseline and candidate."""
        return self.baseline, self.candidate


def match_sketches(
    baseline: Mapping[int, Sketch],
    candidate: Mapping[int, Sketch],
    *,
    design_effect: tuple[float, float] = (1.0, 1.0),
) -> SketchPair:
    """Return the pair of two arms' sketches by stratum, standardised to the candidate's mix."""
    if min(design_effect) < 1:
        raise InvalidInputError(f"design_effect is {design_effect}: it is 1 at least")
    shared = [
        key
        for key in candidate
        if key in baseline and min(baseline[key].n, candidate[key].n) >= LEAST_UNITS
    ]
    counts = np.array([candidate[key].n for key in shared])
    whole = [sum(one.n for one in arm.values()) for arm in (baseline, candidate)]
    held = [sum(arm[key].n for key in shared) for arm in (baseline, candidate)]
    return SketchPair(
        [baseline[key] for key in shared],
        [candidate[key] for key in shared],
        counts / counts.sum() if shared else counts,
        design_effect,
        (held[0] / whole[0] if whole[0] else 0.0, held[1] / whole[1] if whole[1] else 0.0),
    )


@dataclass(frozen=True, eq=False)
class SketchedQuantile:
    """One arm's quantile over its strata's sketches, with Woodruff's limits."""

    grid: Floats
    below: Floats
    p: float
    variance: float

    @property
    def value(self) -> float:
        """The quantile."""
        return self.read(self.p)

    def read(self, p: float) -> float:
        """Return the value at which the standardised distribution reaches p; infinite beyond it."""
        if not 0 < p < 1:
            return float("inf") if p >= 1 else float("-inf")
        return float(np.interp(p, self.below, self.grid))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the quantiles at p ± z·σ."""
        half = critical(alpha) * sqrt(self.variance)
        return self.read(self.p - half), self.read(self.p + half)


def estimate_sketched_quantiles(
    pair: SketchPair, levels: Sequence[float], *, scale: Scale = "ratio", alpha: float = 0.05
) -> list[Estimate]:
    """Return an estimate of the change of each quantile in `levels`."""
    if pair.problem:
        facts = _facts(pair, (float("nan"), float("nan")))
        return [
            Estimate(f"sketch, p{100 * p:g}", scale, facts, problem=pair.problem) for p in levels
        ]
    drawn = [_draw(arm, pair.mix) for arm in pair.arms]
    return [_estimate(pair, drawn, p, scale, alpha) for p in levels]


def estimate_sketched_shift(pair: SketchPair, scale: Scale = "ratio") -> Estimate:
    """Return the shift that aligns the arms, by van Elteren's weights over the strata."""
    name = "sketch, van Elteren, Hodges–Lehmann"
    nothing = float("nan"), float("nan")
    if pair.problem:
        return Estimate(name, scale, _facts(pair, nothing), problem=pair.problem)
    drawn = [_draw(arm, pair.mix) for arm in pair.arms]
    medians = [float(np.interp(0.5, below, grid)) for grid, below in drawn]
    facts = _facts(pair, (medians[0], medians[1]))
    if scale == "ratio" and min(float(one.means[0]) for arm in pair.arms for one in arm) <= 0:
        return Estimate(
            name, scale, facts, problem="some values are not above zero: there is no ratio"
        )
    ranking = SketchRanking(pair, scale)
    shift, spread, error = ranking.middle
    if not (spread.variance > 0 and 0 < error < np.inf):
        return Estimate(name, scale, facts, problem="all values are tied: there is no spread")
    return Estimate(name, scale, facts, shift, error, Inverted(ranking))


class SketchRanking(Aligned):
    """Sketches of both arms, ready to be aligned by any δ."""

    def __init__(self, pair: SketchPair, scale: Scale) -> None:
        """Move the centroids to the working scale."""
        self.pair = pair
        self.arms = [
            [
                Sketch(np.log(one.means) if scale == "ratio" else one.means, one.weights)
                for one in arm
            ]
            for arm in pair.arms
        ]
        n, m = (np.array([one.n for one in arm]) for arm in self.arms)
        weights = n * m / (n + m + 1)
        self.weights, self.pairs = weights / weights.sum(), float(n.sum() * m.sum())
        ends = [(one.means[0], one.means[-1]) for arm in self.arms for one in arm]
        self.reach = float(max(e[1] for e in ends) - min(e[0] for e in ends)) + 1

    def excess(self, shift: float) -> float:
        """Return the joined θ - 1/2 when the candidate is moved down by `shift`."""
        theta = [
            float(b.below(c.means - shift) @ c.weights) / c.n
            for b, c in zip(*self.arms, strict=True)
        ]
        return float(self.weights @ (np.array(theta) - 0.5))

    def spread(self, shift: float) -> Spread:
        """Return the variance of `excess` from the placements of the centroids."""
        total = 0.0
        for weight, b, c in zip(self.weights, *self.arms, strict=True):
            sides = ((b, c, shift, 0), (c, b, -shift, 1))
            for own, other, moved, side in sides:
                placed = other.below(own.means + moved)
                mean = float(placed @ own.weights) / own.n
                variance = float(own.weights @ (placed - mean) ** 2) / own.n / max(own.n - 1, 1)
                total += weight**2 * variance * self.pair.design_effect[side]
        return Spread(total, float("inf"))

    def guess(self) -> tuple[float, float]:
        """Return the weighted difference of the strata's means, and about its standard error."""
        means = [np.array([float(o.means @ o.weights) / o.n for o in arm]) for arm in self.arms]
        error = 0.0
        for arm in self.arms:
            for one in arm:
                mean = float(one.means @ one.weights) / one.n
                error += float(one.weights @ (one.means - mean) ** 2) / sum(o.n for o in arm) ** 2
        return float(self.weights @ (means[1] - means[0])), sqrt(error)


def _draw(arm: list[Sketch], mix: Floats) -> tuple[Floats, Floats]:
    """Return the standardised distribution: a grid of values and how much lies below each."""
    grid = np.unique(np.concatenate([one.means for one in arm]))
    below = np.zeros(grid.size)
    for weight, one in zip(mix, arm, strict=True):
        below += weight * one.below(grid)
    return grid, below


def _estimate(
    pair: SketchPair, drawn: list[tuple[Floats, Floats]], p: float, scale: Scale, alpha: float
) -> Estimate:
    both = []
    for arm, (grid, below), effect in zip(pair.arms, drawn, pair.design_effect, strict=True):
        value = np.array([float(np.interp(p, below, grid))])
        share = np.array([float(one.below(value)[0]) for one in arm])
        counts = np.array([one.n for one in arm])
        variance = float(pair.mix**2 @ (share * (1 - share) / counts)) * effect
        both.append(SketchedQuantile(grid, below, p, variance))
    values = both[0].value, both[1].value
    facts, name = _facts(pair, values), f"sketch, p{100 * p:g}"
    if scale == "ratio" and min(values) <= 0:
        return Estimate(
            name, scale, facts, problem="a quantile is not above zero: there is no ratio"
        )
    limits = Recovered(both[0], both[1], scale)
    effect_size = to_scale(values[1], scale) - to_scale(values[0], scale)
    low, high = limits.interval(alpha)
    if min(facts.n) < least_traces(p, alpha) or not np.isfinite(high - low):
        problem = (
            f"p{100 * p:g} needs about {least_traces(p, alpha)} independent traces in each version"
        )
        return Estimate(name, scale, facts, effect_size, problem=problem)
    return Estimate(name, scale, facts, effect_size, (high - low) / (2 * critical(alpha)), limits)


def _facts(pair: SketchPair, values: tuple[float, float]) -> Facts:
    n = [int(sum(one.n for one in arm)) for arm in pair.arms]
    units = [int(count / effect) for count, effect in zip(n, pair.design_effect, strict=True)]
    plain = (float("nan"), float("nan"))
    return Facts(
        n=(n[0], n[1]),
        units=(units[0], units[1]),
        values=values,
        raw=plain,
        coverage=pair.coverage,
        source="sketch",
    )
