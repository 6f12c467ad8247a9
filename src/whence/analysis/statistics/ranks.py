"""Ranks: did everything shift, whatever the tails do? The Hodges-Lehmann ratio with its interval.

In each stratum θ(δ) is the probability that a candidate's value, moved down by δ, exceeds a
baseline's, ties counting half. Strata are joined with van Elteren's weights n_b·n_c/(N+1), the best
ones against a common shift. The estimate is the δ at which the joined θ is one half (on
logarithms: the ratio that aligns the arms), and its interval holds every δ at which it is not
further from one half than t standard errors. The standard error comes from placements, clustered
by unit, and so needs neither equal spread of the arms nor independent traces.

Sources: van Elteren, Bull. Int. Statist. Inst. 1960; Hodges and Lehmann, Annals of Mathematical
Statistics 1963; Brunner and Munzel, Biometrical Journal 2000; Obuchowski, Biometrics 1997.

Limits: the ratio is *one* number for a shift that is alike everywhere; where strata shift
differently it is their mean with van Elteren's weights, not the candidate's mix. A change of only
the slowest calls hardly moves it: `quantiles` sees that. Values of 0 keep their rank, unmoved.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from whence.analysis.statistics.estimates import (
    Estimate,
    both_tails,
    critical,
    gather_facts,
    upper_tail,
)
from whence.analysis.statistics.quantiles import weigh
from whence.analysis.statistics.strata import split_means
from whence.analysis.statistics.units import Spread, pool

if TYPE_CHECKING:
    from whence.analysis.statistics.estimates import Scale
    from whence.analysis.statistics.samples import Arm, Codes, Floats, Pair

METHOD = "van Elteren, Hodges–Lehmann"
FEW_PAIRS = 100_000
"""Up to here roots are found to the last digits; above, to a thousandth of the standard error."""
MANY_PAIRS = 1_000_000_000
"""Above, the curve is straight enough around a limit for one Newton step."""


@dataclass(frozen=True)
class Superiority:
    """The probability that a candidate's value exceeds a baseline's (ties half), and its limits."""

    probability: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class _Side:
    """One arm, sorted by stratum and value. `moves` is 0 for values that a ratio can't move."""

    arm: Arm
    values: Floats
    keys: Floats
    order: Codes
    strata: Codes
    starts: Floats
    moves: Floats | None


class Aligned(ABC):
    """Two arms that can be aligned by a shift: how far θ is from one half, and how sure that is.

    `pairs` is the number of pairs of values, `reach` the largest shift that means anything.
    """

    pairs: float
    reach: float

    @abstractmethod
    def excess(self, shift: float) -> float:
        """Return the joined θ - 1/2 when the candidate is moved down by `shift`; falls with it."""

    @abstractmethod
    def spread(self, shift: float) -> Spread:
        """Return the variance of `excess` from placements, clustered by unit."""

    @abstractmethod
    def guess(self) -> tuple[float, float]:
        """Return a first shift, and about its standard error."""

    @cached_property
    def middle(self) -> tuple[float, Spread, float]:
        """The Hodges-Lehmann shift, the variance of `excess` there, the shift's standard error."""
        guess, error = self.guess()
        step = max(error, 1e-9)
        if self.pairs <= FEW_PAIRS:
            ends = [self.cross(sign * 1e-12, guess, step, 1e-12) for sign in (1.0, -1.0)]
            shift = (ends[0] + ends[1]) / 2
        else:
            shift = self.cross(0.0, guess, 2 * step, step * 1e-3)
        if not np.isfinite(shift):
            return shift, Spread(0.0, 0.0), float("inf")
        spread = self.spread(shift)
        fall = self.excess(guess - 2 * step) - self.excess(guess + 2 * step)
        error = float(np.sqrt(spread.variance)) * 4 * step / fall if fall > 0 else float("inf")
        return shift, spread, error

    def bound(self, times: float) -> float:
        """Return the shift at which `excess` is `times` its standard error.

        Above `MANY_PAIRS` it is one Newton step from the straight line's answer, within a
        hundredth of the standard error.
        """
        shift, spread, error = self.middle
        target, first = times * float(np.sqrt(spread.variance)), shift - times * error
        if self.pairs <= MANY_PAIRS or not np.isfinite(error):
            fine = 1e-9 if self.pairs <= FEW_PAIRS else error * 1e-3
            return self.cross(target, first, error / 4, fine)
        return first + (self.excess(first) - target) * error / float(np.sqrt(spread.variance))

    def cross(self, target: float, guess: float, step: float, tolerance: float) -> float:
        """Return the shift at which `excess` falls through `target`; infinite where it doesn't."""
        low, high = guess - step, guess + step
        at_low, at_high = self.excess(low) - target, self.excess(high) - target
        reach = self.reach + abs(guess)
        while at_low < 0 and low > -reach:
            high, at_high = low, at_low
            step *= 2
            low -= step
            at_low = self.excess(low) - target
        while at_high > 0 and high < reach:
            low, at_low = high, at_high
            step *= 2
            high += step
            at_high = self.excess(high) - target
        if at_low < 0:
            return -np.inf
        if at_high > 0:
            return np.inf
        if at_low == 0 or at_high == 0:
            return low if at_low == 0 else high
        return float(optimize.brentq(lambda x: self.excess(x) - target, low, high, xtol=tolerance))


class Ranking(Aligned):
    """Both arms sorted, ready to be aligned by any δ. Costs O(n log n) once, O(n) a δ."""

    def __init__(self, pair: Pair, scale: Scale) -> None:
        """Sort; `problem` says why there is nothing to rank."""
        self.pair, self.scale = pair, scale
        self._known: dict[float, float] = {}
        self.problem = pair.problem or self._refuse()
        if self.problem:
            return
        values, moves = self._prepare()
        low, high = (float(f([f(v) for v in values])) for f in (np.min, np.max))
        self.span, self.low, self.high = high - low + 4.0, low - 1.0, high + 1.0
        self.reach, self.pairs = self.span, float(pair.baseline.n) * pair.candidate.n
        self.sides = [self._sort(a, v, m) for a, v, m in zip(pair.arms, values, moves, strict=True)]
        n, m = pair.baseline.traces, pair.candidate.traces
        weights = n * m / (n + m + 1)
        self.weights = weights / weights.sum()

    def _refuse(self) -> str | None:
        if self.scale == "ratio":
            if min(float(arm.values.min()) for arm in self.pair.arms) < 0:
                return "some values are negative: their ratio has no meaning"
            if not all(bool((arm.values > 0).any()) for arm in self.pair.arms):
                return "all values of an arm are zero: there is no ratio"
        return None

    def _prepare(self) -> tuple[list[Floats], list[Floats | None]]:
        """Return both arms' values on the working scale; zeros far below all that is positive."""
        if self.scale == "difference":
            return [arm.values for arm in self.pair.arms], [None, None]
        positive = [arm.values > 0 for arm in self.pair.arms]
        least = min(float(a.values[p].min()) for a, p in zip(self.pair.arms, positive, strict=True))
        floor = least * 1e-20
        values = [
            np.log(np.where(p, a.values, floor))
            for a, p in zip(self.pair.arms, positive, strict=True)
        ]
        return values, [None if p.all() else p.astype(np.float64) for p in positive]

    def _sort(self, arm: Arm, values: Floats, moves: Floats | None) -> _Side:
        keys = values + arm.strata * self.span
        order = np.argsort(keys)
        starts = np.concatenate([[0.0], np.cumsum(arm.traces)[:-1]])
        return _Side(
            arm,
            values[order],
            keys[order],
            order,
            arm.strata[order],
            starts,
            None if moves is None else moves[order],
        )

    def place(self, side: int, shift: float) -> Floats:
        """Return the rank in the other arm's keys of each of this arm's values moved by `shift`.

        In sorted order of this arm, strata one after the other; ties count half. Of many pairs a
        ratio other than 1 ties next to none: there the lower count stands for both, twice as fast.
        """
        one, other = self.sides[side], self.sides[1 - side]
        moved = one.values + (shift if one.moves is None else shift * one.moves)
        needles = np.clip(moved, self.low, self.high) + one.strata * self.span
        rank = np.searchsorted(other.keys, needles, "left").astype(np.float64)
        if shift == 0 or self.pairs <= MANY_PAIRS or self.scale == "difference":
            rank += np.searchsorted(other.keys, needles, "right")
            rank /= 2
        return rank

    def excess(self, shift: float) -> float:
        """Return the joined θ - 1/2 when the candidate is moved down by `shift`; falls with it."""
        known = self._known.get(shift)
        if known is None:
            baseline, candidate = self.sides
            sums = np.add.reduceat(self.place(1, -shift), candidate.starts.astype(np.int64))
            below = sums / candidate.arm.traces - baseline.starts
            theta = below / baseline.arm.traces
            known = self._known[shift] = float(self.weights @ (theta - 0.5))
        return known

    def spread(self, shift: float) -> Spread:
        """Return the variance of `excess` from placements, clustered by unit."""
        parts = []
        for side, sign in ((0, 1.0), (1, -1.0)):
            one = self.sides[side]
            other = self.sides[1 - side]
            rank = self.place(side, sign * shift) - other.starts[one.strata]
            placed = np.empty(one.arm.n)
            placed[one.order] = rank / other.arm.traces[one.strata]
            weights = (self.weights / one.arm.traces)[one.arm.strata]
            parts.append(one.arm.spread(placed, weights))
        return pool(*parts)

    def guess(self) -> tuple[float, float]:
        """Return the weighted difference of the strata's means, and about its standard error."""
        baseline, candidate = (s.arm.means(_unsorted(s)) for s in self.sides)
        error = float(np.sqrt(sum(s.values.var() / s.arm.n for s in self.sides)))
        return float(self.weights @ (candidate - baseline)), error


@dataclass(frozen=True, eq=False)
class Inverted:
    """Limits by inverting the rank test: the shifts that it does not reject."""

    ranking: Aligned

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the shifts at which the test's p-value is alpha."""
        _, spread, _ = self.ranking.middle
        times = critical(alpha, spread.freedom)
        return self.ranking.bound(times), self.ranking.bound(-times)

    def tails(self, point: float) -> tuple[float, float]:
        """Return the one-sided p-values of "at most `point`" and of "at least `point`"."""
        _, spread, _ = self.ranking.middle
        return both_tails(
            self.ranking.excess(point) / float(np.sqrt(spread.variance)), spread.freedom
        )


def rank(pair: Pair, scale: Scale = "ratio") -> Ranking:
    """Return the pair ranked, for `estimate_shift` and `find_superiority`."""
    return Ranking(pair, scale)


def estimate_shift(ranking: Ranking) -> Estimate:
    """Return the shift that aligns the arms: a log ratio, or a difference.

    Values are the standardised medians. A problem where all values are tied.
    """
    pair, scale = ranking.pair, ranking.scale
    known = not ranking.problem
    # Medians last: quantiles of the same pair, estimated beside this, have sorted its values then.
    shift, spread, error = ranking.middle if known else (np.nan, Spread(0.0, 0.0), np.nan)
    medians = (float("nan"), float("nan"))
    if not pair.problem:
        medians = weigh(pair.baseline).quantile(0.5), weigh(pair.candidate).quantile(0.5)
    facts = gather_facts(pair, medians, split=split_means(pair))
    if not known:
        return Estimate(METHOD, scale, facts, problem=ranking.problem)
    if not np.isfinite(shift):
        problem = "no shift aligns the versions: too many values are zero"
        return Estimate(METHOD, scale, facts, problem=problem)
    if not spread.variance > 0 or not np.isfinite(error) or not error > 0:
        return Estimate(METHOD, scale, facts, problem="all values are tied: there is no spread")
    return Estimate(METHOD, scale, facts, shift, error, Inverted(ranking))


def find_superiority(ranking: Ranking, alpha: float = 0.05) -> Superiority | None:
    """Return P(candidate > baseline) + P(=)/2 with logit limits; None without data."""
    if ranking.problem:
        return None
    probability = ranking.excess(0.0) + 0.5
    spread = ranking.spread(0.0)
    inside = min(max(probability, 1e-12), 1 - 1e-12)
    half = critical(alpha, spread.freedom) * np.sqrt(spread.variance) / (inside * (1 - inside))
    low, high = special.expit(special.logit(inside) + np.array([-half, half]))
    return Superiority(probability, float(low), float(high))


def van_elteren(ranking: Ranking) -> tuple[float, float]:
    """Return van Elteren's z and two-sided p-value, by the permutation variance with ties.

    For one stratum this is the Mann-Whitney test without continuity correction. It holds where
    every trace is its own unit and the null hypothesis is equal distributions; the limits of
    `estimate_shift` hold beyond that. (0, 1) where everything is tied or nothing is there.
    """
    if ranking.problem:
        return 0.0, 1.0
    baseline, candidate = ranking.sides
    n, m = baseline.arm.traces, candidate.arm.traces
    total = n + m
    keys = np.sort(np.concatenate([baseline.keys, candidate.keys]))
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sizes = np.diff(np.concatenate([starts, [keys.size]])).astype(np.float64)
    strata = np.repeat(np.arange(total.size), total.astype(np.int64))[starts]
    ties = np.bincount(strata, weights=sizes**3 - sizes, minlength=total.size)
    variance = (total + 1) / (12 * n * m) * (1 - ties / (total**3 - total))
    whole = float(ranking.weights**2 @ variance)
    if not whole > 0:
        return 0.0, 1.0
    z = ranking.excess(0.0) / float(np.sqrt(whole))
    return z, 2 * upper_tail(abs(z))


def _unsorted(side: _Side) -> Floats:
    values = np.empty(side.arm.n)
    values[side.order] = side.values
    return values
