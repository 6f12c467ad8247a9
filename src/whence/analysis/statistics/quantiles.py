"""Quantiles: the median and the tails, as ratios, with intervals that need no shape.

Each arm's standardised quantile is the smallest value at which its weighted distribution F reaches
p. The variance of F there is a variance of 0/1 influences, clustered by unit; Woodruff's interval
reads the weighted order statistics at p ± t·σ_F. Two arms' intervals are joined on the logarithmic
scale by the method of variance recovery, which keeps the skew of the tails: the lower limit takes
the candidate's lower and the baseline's upper half.

Sources: Woodruff, J. American Statistical Association 1952; Deng, Knoblich and Lu, KDD 2018
(clusters); Zou and Donner, Statistics in Medicine 2008 (variance recovery).

Limits: the order statistics must exist, so an arm needs n ≥ 4p/(1-p) traces that weigh as equal
and independent ones (p95: 76, p99: 396), more at a stricter level. Below that the interval is a
bootstrap over units, which can't look beyond the largest value seen: it is shown, but gives no
verdict. Where many values are equal, F jumps across p; its variance is then taken at p itself, so
that rounded values make intervals wider, never narrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, copysign, hypot, inf, log, sqrt
from typing import TYPE_CHECKING, Protocol

import numpy as np

from whence.analysis.statistics.estimates import (
    Estimate,
    critical,
    gather_facts,
    search_tails,
)
from whence.analysis.statistics.units import Spread, pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.statistics.estimates import Facts, Scale
    from whence.analysis.statistics.samples import Arm, Floats, Pair

METHOD = "order statistics"
BOOTSTRAP = "bootstrap over units"
RESAMPLES = 999
TINY = 1e-12  # of a share: sums of weights are not exact
MOST_RESAMPLED = 4_000
"""An arm with more traces than this is not resampled: 999 × 4,000 weights are 32 MB."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """The weighted distribution of one arm: sorted values and how much lies at or below each."""

    arm: Arm
    values: Floats
    below: Floats

    def quantile(self, p: float) -> float:
        """Return the smallest value at which the distribution reaches p; infinite outside 0–1."""
        if p <= 0 or p > 1 + 1e-12:
            return float("-inf") if p <= 0 else float("inf")
        place = int(self.below.searchsorted(p - 1e-12))
        return float(self.values[min(place, self.values.size - 1)])

    def spread(self, value: float, p: float) -> Spread:
        """Return the variance of F at p, whose quantile is `value`, clustered by unit.

        Where ties make F jump across p, the design effect is that of either side of the jump, the
        larger one; the binomial part p(1-p) is p's own.
        """
        first, behind = (int(np.searchsorted(self.values, value, s)) for s in ("left", "right"))
        at_most = self.arm.spread((self.arm.values <= value).astype(np.float64))
        if behind - first == 1:
            return at_most
        under = self.arm.spread((self.arm.values < value).astype(np.float64))
        shares = self.below[behind - 1], self.below[first - 1] if first else 0.0
        sides = [_move(*one, p) for one in zip((at_most, under), shares, strict=True)]
        return max(sides, key=lambda one: one.variance)


def _move(spread: Spread, share: float, p: float) -> Spread:
    """Return the spread of F where it is `share` as it would be at p, with its design effect."""
    plain = float(share) * (1 - float(share))
    if not (plain > TINY and spread.variance > 0):
        return Spread(0.0, 0.0)
    scale = p * (1 - p) / plain
    return Spread(spread.variance * scale, spread.freedom, spread.third * scale**1.5)


class Located(Protocol):
    """A quantile of one arm with limits of its own."""

    @property
    def value(self) -> float:
        """The estimate."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return its limits of level 1 - alpha."""


@dataclass(frozen=True, eq=False)
class OneQuantile:
    """One arm's quantile: its estimate, and Woodruff's limits at any level."""

    weighed: Weighed
    p: float
    value: float
    spread: Spread

    @property
    def n_effective(self) -> float:
        """The number of equal, independent traces that would have this variance of F."""
        plain = self.p * (1 - self.p)
        return plain / self.spread.variance if self.spread.variance > 0 else 0.0

    def is_short(self, alpha: float) -> bool:
        """Whether the tail has too few traces, or a needed order statistic doesn't exist."""
        half = critical(alpha, self.spread.freedom) * sqrt(self.spread.variance)
        inside = half <= min(self.p, 1 - self.p) + 1e-9
        return self.weighed.arm.n < least_traces(self.p, alpha) or not inside

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the order statistics at p ± t·σ, skew of F corrected (Cornish and Fisher).

        The correction is at most half of t·σ: it grows with t², and at strict levels, or with few
        degrees of freedom, it would move an end back towards the estimate.
        """
        times = critical(alpha, self.spread.freedom)
        half = times * sqrt(self.spread.variance)
        most = max(times**2 - 1, 0.0) / 6 * abs(1 - 2 * self.p) / max(self.n_effective, 1.0)
        skew = copysign(min(most, half / 2), 0.5 - self.p)
        return (
            self.weighed.quantile(self.p - half + skew),
            self.weighed.quantile(self.p + half + skew),
        )


@dataclass(frozen=True, eq=False)
class Recovered:
    """Limits of candidate minus baseline from each arm's own limits (variance recovery)."""

    baseline: Located
    candidate: Located
    scale: Scale

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return d - √((c-l_c)² + (u_b-b)²) and d + √((u_c-c)² + (b-l_b)²)."""
        b, c = (to_scale(one.value, self.scale) for one in (self.baseline, self.candidate))
        (bl, bu), (cl, cu) = (
            [to_scale(end, self.scale) for end in one.interval(alpha)]
            for one in (self.baseline, self.candidate)
        )
        return c - b - hypot(c - cl, bu - b), c - b + hypot(cu - c, b - bl)

    def tails(self, point: float) -> tuple[float, float]:
        """Return the one-sided p-values of "at most `point`" and of "at least `point`"."""
        return search_tails(self, point)


@dataclass(frozen=True, eq=False)
class Percentile:
    """Percentile limits of bootstrap replicates, sorted."""

    replicates: Floats

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the α/2 and 1 - α/2 quantiles of the replicates."""
        low, high = np.quantile(self.replicates, [alpha / 2, 1 - alpha / 2])
        return float(low), float(high)

    def tails(self, point: float) -> tuple[float, float]:
        """Return (1 + replicates on the other side of `point`) / (1 + replicates), both ways."""
        size = 1 + self.replicates.size
        at_most, at_least = self.replicates <= point, self.replicates >= point
        return (1 + int(at_most.sum())) / size, (1 + int(at_least.sum())) / size


def weigh(arm: Arm) -> Weighed:
    """Return the arm's weighted distribution."""
    return Weighed(arm, arm.values[arm.order], np.cumsum(arm.weights[arm.order]))


def least_traces(p: float, alpha: float = 0.05) -> int:
    """Return how many independent traces the tail needs: z²p/(1-p), and 4p/(1-p) at least."""
    far = max(p / (1 - p), (1 - p) / p)
    return ceil(max(4.0, critical(alpha) ** 2) * far - 1e-9)


def estimate_quantiles(
    pair: Pair,
    levels: Sequence[float],
    *,
    scale: Scale = "ratio",
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Estimate]:
    """Return an estimate of the change of each quantile in `levels`, numbers between 0 and 1.

    `alpha` is the strictest level that will be asked for: it decides whether there are enough
    traces. `seed` fixes the bootstrap.
    """
    if pair.problem:
        nothing = gather_facts(pair, (float("nan"), float("nan")))
        return [_refuse(p, scale, nothing, pair.problem) for p in levels]
    arms = [weigh(arm) for arm in pair.arms]
    return [_estimate(pair, arms, p, scale, alpha, seed) for p in levels]


def _estimate(
    pair: Pair, arms: list[Weighed], p: float, scale: Scale, alpha: float, seed: int
) -> Estimate:
    values = arms[0].quantile(p), arms[1].quantile(p)
    raw = _plain(pair.baseline, p), _plain(pair.candidate, p)
    facts = gather_facts(pair, values, raw=raw)
    if scale == "ratio" and min(values) <= 0:
        return _refuse(p, scale, facts, "a quantile is not above zero: there is no ratio")
    if all(arm.values.max() == arm.values.min() for arm in pair.arms):
        return _refuse(p, scale, facts, "all values of each version are equal: there is no spread")
    both = [OneQuantile(arm, p, v, arm.spread(v, p)) for arm, v in zip(arms, values, strict=True)]
    effect = to_scale(values[1], scale) - to_scale(values[0], scale)
    if any(one.is_short(alpha) for one in both):
        return _resample(both, facts, effect, scale, alpha, seed)
    limits = Recovered(both[0], both[1], scale)
    low, high = limits.interval(alpha)
    freedom = pool(both[0].spread, both[1].spread).freedom
    error = (high - low) / (2 * critical(alpha, freedom))
    return Estimate(f"{METHOD}, p{100 * p:g}", scale, facts, effect, float(error), limits)


def _resample(
    both: list[OneQuantile],
    facts: Facts,
    effect: float,
    scale: Scale,
    alpha: float,
    seed: int,
) -> Estimate:
    """Return the bootstrap's interval without a verdict: the tail has too few units for one."""
    p = both[0].p
    least = least_traces(p, alpha)
    have = min(min(one.n_effective, one.weighed.arm.n) for one in both)
    counted = (
        f"p{100 * p:g} needs about {least} independent traces in each version, "
        f"{int(have)} are there"
    )
    limits = None
    if max(one.weighed.arm.n for one in both) <= MOST_RESAMPLED:
        random = np.random.default_rng(seed)
        baseline, candidate = (replicate(one.weighed, p, random) for one in both)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = [np.log(r) if scale == "ratio" else r for r in (baseline, candidate)]
            replicates = np.sort(moved[1] - moved[0])
        limits = Percentile(replicates[np.isfinite(replicates)])
    error = float(np.std(limits.replicates)) if limits and limits.replicates.size else float("nan")
    return Estimate(
        f"{BOOTSTRAP}, p{100 * p:g}",
        scale,
        facts,
        effect,
        error,
        limits if error == error else None,  # noqa: PLR0124 - false for NaN
        problem=counted,
    )


def replicate(weighed: Weighed, p: float, random: np.random.Generator) -> Floats:
    """Return `RESAMPLES` quantiles of the arm with its units drawn anew within their strata."""
    arm = weighed.arm
    by_home = np.argsort(arm.homes, kind="stable")
    sizes = np.bincount(arm.homes, minlength=arm.n_strata)
    starts = np.cumsum(sizes) - sizes
    size, start = sizes[arm.homes[by_home]], starts[arm.homes[by_home]]
    drawn = by_home[(random.random((RESAMPLES, arm.n_units)) * size).astype(np.int64) + start]
    rows = np.arange(RESAMPLES)[:, None] * arm.n_units
    counts = np.bincount((drawn + rows).ravel(), minlength=RESAMPLES * arm.n_units)
    often = counts.reshape(RESAMPLES, arm.n_units)[:, arm.units[arm.order]]
    below = np.cumsum(often * arm.weights[arm.order], axis=1)
    reached = below >= (p - 1e-12) * below[:, -1:]
    return np.asarray(weighed.values[reached.argmax(axis=1)])


def _refuse(p: float, scale: Scale, facts: Facts, problem: str) -> Estimate:
    return Estimate(f"{METHOD}, p{100 * p:g}", scale, facts, problem=problem)


def _plain(arm: Arm, p: float) -> float:
    place = min(max(ceil(arm.n * p - 1e-9), 1), arm.n) - 1
    return float(arm.values[arm.order[place]])


def to_scale(value: float, scale: Scale) -> float:
    """Return a value on the working scale; infinite ends stay infinite."""
    if scale == "difference":
        return value
    return log(value) if 0 < value < inf else (inf if value > 0 else -inf)
