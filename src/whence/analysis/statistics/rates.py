"""Rates: the difference of two risks over strata, by a score interval that holds at small counts.

Strata are joined with Mantel and Haenszel's weights n_b·n_c/N. The interval holds every difference
d that the score test of Miettinen and Nurminen does not reject: Σw(p_c - p_b - d) against its
variance at the *restricted* maximum-likelihood rates, which is sound at zero events and near 0 and
100 %, where the usual interval (estimate ± z·error) collapses. Clusters divide the counts by their
design effect; where fewer than `LEAST_MIXED` units have an event, or have a trace without one,
nothing tells how alike the traces of a unit are, and each unit counts as one trace of its weight.
With few events a mid-p exact conditional test must agree before zero is excluded.

Sources: Miettinen and Nurminen, Statistics in Medicine 1985; Mantel and Haenszel, JNCI 1959;
Cochran, Biometrics 1954; Newcombe, Statistics in Medicine 1998; Rao and Scott, Biometrics 1992
(design effect); Lancaster, JASA 1961 (mid-p).

Limits: the joined difference weighs strata by how much they know; it is the candidate's own mix
only if the difference is alike in all of them. The values shown are standardised to the
candidate's mix. Two arms without any event are compared by their interval alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import optimize, special

from whence.analysis.statistics.estimates import (
    Estimate,
    both_tails,
    critical,
    gather_facts,
    upper_tail,
)
from whence.analysis.statistics.strata import split_means
from whence.analysis.statistics.units import design_effect

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Arm, Codes, Floats, Pair

Weighting: TypeAlias = Literal["mantel-haenszel", "candidate"]

FEW_EVENTS = 20
"""With at most this many units with an event, in both arms together, the exact test has a say."""

LEAST_MIXED = 5
"""Below so many units with an event (or without) an estimated design effect is noise, or zero."""


@dataclass(frozen=True, eq=False)
class Score:
    """Miettinen and Nurminen's limits over strata of events and trials, not always whole.

    `sizes` are the traces of both arms before a design effect divided them; None: it did not.
    """

    events: tuple[Floats, Floats]
    trials: tuple[Floats, Floats]
    weights: Floats
    sizes: Floats | None = None
    freedom: float = float("inf")
    exact_p: tuple[float, float] | None = None

    @cached_property
    def difference(self) -> float:
        """The weighted difference of the observed risks."""
        (b, c), (n, m) = self.events, self.trials
        return float(self.weights @ (c / m - b / n))

    def z(self, point: float) -> float:
        """Return the score statistic of "the difference is `point`"."""
        (b, c), (n, m) = self.events, self.trials
        at_b, at_c = restrict(b, n, c, m, point)
        total = n + m if self.sizes is None else self.sizes
        variance = (at_c * (1 - at_c) / m + at_b * (1 - at_b) / n) * total / (total - 1)
        whole = float(self.weights**2 @ variance)
        gap = self.difference - point
        return (
            gap / float(np.sqrt(whole))
            if whole > 0
            else float(np.sign(gap)) * np.inf
            if gap
            else 0.0
        )

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return where |z| is critical; zero stays in where the exact test keeps it."""
        far = critical(alpha, self.freedom)
        low, high = self._find(far, -1.0, self.difference), self._find(-far, self.difference, 1.0)
        if self.exact_p is not None:
            if low > 0 and self.exact_p[0] > alpha / 2:
                low = 0.0
            if high < 0 and self.exact_p[1] > alpha / 2:
                high = 0.0
        return low, high

    def tails(self, point: float) -> tuple[float, float]:
        """Return the one-sided p-values of "at most `point`" and of "at least `point`"."""
        above, below = both_tails(self.z(point), self.freedom)
        if self.exact_p is not None and point >= 0 and self.difference > 0:
            above = max(above, self.exact_p[0])
        if self.exact_p is not None and point <= 0 and self.difference < 0:
            below = max(below, self.exact_p[1])
        return above, below

    def _find(self, target: float, low: float, high: float) -> float:
        edge = 1e-12
        low, high = max(low, -1 + edge), min(high, 1 - edge)
        if low >= high:
            return self.difference
        at_low, at_high = self.z(low) - target, self.z(high) - target
        if at_low <= 0:
            return low if target > 0 else self.difference
        if at_high >= 0:
            return high if target < 0 else self.difference
        return float(optimize.brentq(lambda d: self.z(d) - target, low, high, xtol=1e-13))


def restrict(b: Floats, n: Floats, c: Floats, m: Floats, point: float) -> tuple[Floats, Floats]:
    """Return the most likely risks (baseline, candidate) whose difference is `point`.

    The likelihood's derivative is a cubic with one root inside the bounds, found by the
    trigonometric form (Miettinen and Nurminen's appendix); b of n and c of m are events of trials.
    """
    total, events = n + m, b + c
    l2 = (m + 2 * n) * point - total - events
    l1 = (n * point - total - 2 * b) * point + events
    l0 = b * point * (1 - point)
    third = l2 / (3 * total)
    q = third**3 - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    p = np.where(q >= 0, 1.0, -1.0) * np.sqrt(np.maximum(third**2 - l1 / (3 * total), 0))
    cube = p**3
    ratio = np.divide(q, cube, out=np.zeros_like(q), where=cube != 0)
    angle = (np.pi + np.arccos(np.clip(ratio, -1, 1))) / 3
    low, high = max(0.0, -point), min(1.0, 1.0 - point)
    at_b = np.clip(2 * p * np.cos(angle) - third, low, high)
    return at_b, np.clip(at_b + point, 0.0, 1.0)


def estimate_rate(pair: Pair, *, weighting: Weighting = "mantel-haenszel") -> Estimate:
    """Return the difference of two rates; values are 0 or 1, others count as their truth.

    `weighting` "candidate" joins the strata by the candidate's mix instead.
    """
    name = "Mantel–Haenszel, Miettinen–Nurminen"
    if weighting == "candidate":
        name = "standardised, Miettinen–Nurminen"
    if pair.problem:
        nothing = gather_facts(pair, (float("nan"), float("nan")))
        return Estimate(name, "difference", nothing, problem=pair.problem)
    hits = [(arm.values != 0).astype(np.float64) for arm in pair.arms]
    values = pair.baseline.mean(hits[0]), pair.candidate.mean(hits[1])
    facts = gather_facts(pair, values, split=split_means(pair))
    counts = [
        np.bincount(arm.strata, weights=hit, minlength=arm.n_strata)
        for arm, hit in zip(pair.arms, hits, strict=True)
    ]
    n, m = pair.baseline.traces, pair.candidate.traces
    weights = n * m / (n + m) if weighting == "mantel-haenszel" else pair.mix
    effects, freedom = _find_design(pair, hits, weights / weights.sum())
    limits = Score(
        events=(counts[0] / effects[0], counts[1] / effects[1]),
        trials=(n / effects[0], m / effects[1]),
        weights=weights / weights.sum(),
        sizes=n + m,
        freedom=freedom,
        exact_p=_ask_exact(pair, hits),
    )
    low, high = limits.interval(0.05)
    error = (high - low) / (2 * critical(0.05, freedom))
    return Estimate(name, "difference", facts, limits.difference, error, limits)


def cochran_mantel_haenszel(pair: Pair) -> tuple[float, float]:
    """Return the Cochran-Mantel-Haenszel z, without continuity correction, and its two-sided p.

    Every trace must be its own unit. (0, 1) where no stratum has both an event and none.
    """
    if pair.problem:
        return 0.0, 1.0
    n, m = pair.baseline.traces, pair.candidate.traces
    b, c = (arm.means(arm.values != 0) * arm.traces for arm in pair.arms)
    total, events = n + m, b + c
    variance = float((n * m * events * (total - events) / (total**2 * (total - 1))).sum())
    if not variance > 0:
        return 0.0, 1.0
    z = float((c - m * events / total).sum()) / float(np.sqrt(variance))
    return z, 2 * upper_tail(abs(z))


def newcombe(b: float, n: float, c: float, m: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return Newcombe's hybrid score interval of c/m - b/n, for one stratum (his method 10)."""
    (bl, bu), (cl, cu) = wilson(b, n, alpha), wilson(c, m, alpha)
    p, q = b / n, c / m
    return q - p - float(np.hypot(q - cl, bu - p)), q - p + float(np.hypot(cu - q, p - bl))


def wilson(events: float, trials: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return Wilson's score interval of one proportion (JASA 1927)."""
    z = critical(alpha)
    p, square = events / trials, z * z / trials
    middle = (p + square / 2) / (1 + square)
    half = z * float(np.sqrt(p * (1 - p) / trials + square / (4 * trials))) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def exact_mid_p(b: Floats, n: Floats, c: Floats, m: Floats) -> tuple[float, float]:
    """Return the one-sided mid-p values ("not more", "not fewer" events in the candidate).

    Conditional on each stratum's events the candidate's count is hypergeometric when nothing
    differs; the sum over strata is their convolution (Gart, Biometrics 1970). Half of the
    observed sum's own probability counts. Counts are whole numbers.
    """
    whole = np.ones(1)
    for events, left, right in zip(b + c, n, m, strict=True):
        if events:
            whole = np.convolve(whole, _hypergeometric(int(events), int(left), int(right)))
    seen = int(c.sum())
    own = float(whole[seen]) / 2
    return float(whole[seen + 1 :].sum()) + own, float(whole[:seen].sum()) + own


def _hypergeometric(events: int, baseline: int, candidate: int) -> Floats:
    k = np.arange(events + 1)
    inside = (k <= candidate) & (events - k <= baseline)
    k = np.where(inside, k, 0)
    other = np.where(inside, events - k, 0)
    logs = _log_choose(candidate, k) + _log_choose(baseline, other)
    logs -= _log_choose(candidate + baseline, np.array([events]))
    return np.asarray(np.where(inside, np.exp(logs), 0.0))


def _log_choose(n: int, k: Codes) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


def _find_design(
    pair: Pair, hits: list[Floats], weights: Floats
) -> tuple[tuple[float, float], float]:
    """Return each arm's design effect under these stratum weights, and the degrees of freedom."""
    if pair.baseline.alone and pair.candidate.alone:
        return (1.0, 1.0), float("inf")
    effects, freedom = [], []
    for arm, hit in zip(pair.arms, hits, strict=True):
        risk = arm.means(hit)
        plain = float(weights**2 @ (risk * (1 - risk) / arm.traces))
        spread = arm.spread(hit, (weights / arm.traces)[arm.strata])
        effect, free = design_effect(spread.variance, plain), spread.freedom
        if not arm.alone and _is_scarce(arm, hit):
            sizes = np.bincount(arm.units, minlength=arm.n_units).astype(np.float64)
            effect = max(effect, float(sizes @ sizes) / arm.n)
            free = max(arm.n / effect - 1, 1.0)
        effects.append(1.0 if arm.alone else effect)
        freedom.append(free if spread.variance > 0 or not arm.alone else float(arm.n_units - 1))
    return (effects[0], effects[1]), min(freedom)


def _is_scarce(arm: Arm, hit: Floats) -> bool:
    """Tell whether too few units have an event, or a trace without one, to see how they cluster."""
    with_one = np.count_nonzero(np.bincount(arm.units, hit, arm.n_units))
    without = np.count_nonzero(np.bincount(arm.units, 1 - hit, arm.n_units))
    return bool(min(with_one, without) < LEAST_MIXED)


def _ask_exact(pair: Pair, hits: list[Floats]) -> tuple[float, float] | None:
    """Return the exact test's p-values over units where few have an event, else None."""
    units = [
        arm_hit if arm.alone else np.minimum(np.bincount(arm.units, arm_hit, arm.n_units), 1.0)
        for arm, arm_hit in zip(pair.arms, hits, strict=True)
    ]
    seen = float(units[0].sum() + units[1].sum())
    if not 0 < seen <= FEW_EVENTS:
        return None
    tables = [_tabulate(arm, unit) for arm, unit in zip(pair.arms, units, strict=True)]
    return exact_mid_p(tables[0][0], tables[0][1], tables[1][0], tables[1][1])


def _tabulate(arm: Arm, hit: Floats) -> tuple[Floats, Floats]:
    homes = arm.strata if arm.alone else arm.homes
    return (
        np.bincount(homes, hit, arm.n_strata).astype(np.float64, copy=False),
        np.bincount(homes, minlength=arm.n_strata).astype(np.float64),
    )
