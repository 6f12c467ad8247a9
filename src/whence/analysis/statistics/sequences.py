"""Sequences: looking again and again while traffic arrives, without crying wolf.

A fixed interval looked at fifty times excludes the truth in a third of runs. Two remedies:

For *means* an asymptotic confidence sequence: an interval so much wider that it holds the truth at
all times at once, with the chance 1 - α. It widens the standard error by a factor that depends on
how many units there are. For *quantiles and ranks*, which have no such sequence here, looks are
taken at geometrically growing numbers of units, the k-th at level 6α/(π²k²): these sum to α over
any number of looks.

Sources: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 2024, eq. (2.7): on the scale of the mean the
half-width is s·√(2(Nρ²+1)/(N²ρ²)·log(√(Nρ²+1)/α)); Robbins, Annals of Mathematical Statistics 1970;
Basel's sum Σ1/k² = π²/6.

`watch` is the sequence of the paper for two arms that grow together, or against a baseline that
stands still (α is then halved, one half for the baseline's fixed interval). `follow` needs not know
which: the standardised error of a difference of two means is, however each arm grows, a Brownian
motion over the root of its information, so the sequence runs in that time, the harmonic mean of
both arms' units.

Limits: asymptotic: start after some tens of units in each arm. One-off reports and gates on a
declared window use fixed intervals, which are narrower.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, log, pi, sqrt
from typing import TYPE_CHECKING

from scipy import special

from whence.analysis.statistics.decision import Result, Rule, decide
from whence.analysis.statistics.estimates import Estimate, critical, search_tails
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.estimates import Limits

TUNED_FOR = 5000.0
"""Units at which the sequence is narrowest."""
GROWTH = 1.5
"""Each look wants this many times the units of the one before."""
FIRST_LOOK = 50
TUNED_TO_FOLLOW = 500.0
"""Versions are compared from 50 units on: 3.9 standard errors there, not 9, and 3.2 at 5000."""

LEAST_P, HALVINGS = 1e-15, 40


def mixture_rho(alpha: float, tuned_for: float = TUNED_FOR) -> float:
    """Return the ρ that makes the sequence narrowest at `tuned_for` units (eq. (2.8))."""
    return sqrt((-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned_for)


def widen(n: float, alpha: float, tuned_for: float = TUNED_FOR) -> float:
    """Return how many standard errors s/√n the sequence's half-width is at `n` units."""
    if n <= 0:
        return inf
    mass = n * mixture_rho(alpha, tuned_for) ** 2
    return sqrt(2 * (mass + 1) / mass * log(sqrt(mass + 1) / alpha))


@dataclass(frozen=True)
class Sequential:
    """Limits of a confidence sequence at its present number of units.

    `baseline_error` is the error of a baseline that stands still, 0 where both arms grow; `error`
    is the error of all that grows.
    """

    effect: float
    error: float
    n: float
    baseline_error: float = 0.0
    tuned_for: float = TUNED_FOR

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval that holds the truth now and at all other times."""
        if self.baseline_error > 0:
            half = widen(self.n, alpha / 2, self.tuned_for) * self.error
            half += critical(alpha / 2) * self.baseline_error
        else:
            half = widen(self.n, alpha, self.tuned_for) * self.error
        return self.effect - half, self.effect + half

    def tails(self, point: float) -> tuple[float, float]:
        """Return the always-valid p-values of "at most `point`" and of "at least `point`"."""
        return search_tails(self, point)


def watch(
    estimate: Estimate, *, baseline_error: float = 0.0, tuned_for: float = TUNED_FOR
) -> Estimate:
    """Return the estimate of a *mean* or a rate with the limits of a confidence sequence.

    N is the harmonic mean of the arms' units, or the candidate's where `baseline_error` (the
    standard error, on the working scale, of a baseline that no longer grows) is given.
    """
    if estimate.problem is not None or estimate.limits is None:
        return estimate
    b, c = estimate.facts.units
    n = float(c) if baseline_error else 2 * b * c / (b + c)
    grows = sqrt(max(estimate.error**2 - baseline_error**2, 0.0))
    limits = Sequential(estimate.effect, grows, n, baseline_error, tuned_for)
    return replace(estimate, method=f"{estimate.method}, confidence sequence", limits=limits)


@dataclass(frozen=True)
class Followed:
    """Limits of an estimate, widened to the level that a confidence sequence stands for.

    Where `limits` are normal that is the sequence; a rate's score limits stay what they are with
    few events, where the standard error says nothing. `n` is the information, in units an arm.
    """

    limits: Limits
    n: float
    tuned_for: float = TUNED_TO_FOLLOW

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval that holds the truth now and at all other times."""
        far = widen(self.n, alpha, self.tuned_for)
        return self.limits.interval(2 * float(special.ndtr(-far)))

    def tails(self, point: float) -> tuple[float, float]:
        """Return the always-valid p-values of "at most `point`" and of "at least `point`"."""
        above, below = self.limits.tails(point)
        p = self._hold(min(above, below))
        return (p, 1 - p) if above < below else (1 - p, p)

    def _hold(self, p: float) -> float:
        """Return half the level at which the sequence reaches as far as a fixed p-value."""
        far = -float(special.ndtri(max(p, LEAST_P)))
        most, least = log(0.5), log(LEAST_P)
        for _ in range(HALVINGS):
            middle = (most + least) / 2
            if far > widen(self.n, 2 * exp(middle), self.tuned_for):
                most = middle
            else:
                least = middle
        return exp(most)


@dataclass(frozen=True)
class Looked:
    """Limits of an estimate at the `look`-th look: each level is the share 6/(π²k²) of itself."""

    limits: Limits
    look: int

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of level α_k."""
        return self.limits.interval(alpha * share_of(self.look))

    def tails(self, point: float) -> tuple[float, float]:
        """Return p-values that hold for all looks together."""
        share = share_of(self.look)
        above, below = self.limits.tails(point)
        return min(above / share, 1.0), min(below / share, 1.0)


def count_information(baseline_units: float, candidate_units: float) -> float:
    """Return the units that two arms of equal size would have: the harmonic mean."""
    both = baseline_units + candidate_units
    return 2 * baseline_units * candidate_units / both if both > 0 else 0.0


def share_of(look: int) -> float:
    """Return the part 6/(π²k²) of a level that the `look`-th of endless looks may take."""
    return 6 / (pi * look) ** 2


def follow(estimate: Estimate, *, tuned_for: float = TUNED_TO_FOLLOW) -> Estimate:
    """Return the estimate of a *mean* or a rate with limits that hold at all times."""
    if estimate.problem is not None or estimate.limits is None:
        return estimate
    n = count_information(*estimate.facts.units)
    method = f"{estimate.method}, confidence sequence"
    return replace(estimate, method=method, limits=Followed(estimate.limits, n, tuned_for))


def look_at(estimate: Estimate, look: int) -> Estimate:
    """Return the estimate of a quantile or a shift with the limits of the `look`-th look."""
    if estimate.problem is not None or estimate.limits is None:
        return estimate
    method = f"{estimate.method}, look {look}"
    return replace(estimate, method=method, limits=Looked(estimate.limits, look))


@dataclass(frozen=True)
class Looks:
    """When to look, and at which level: the k-th look wants first·growth^(k-1) units."""

    alpha: float = 0.05
    first: int = FIRST_LOOK
    growth: float = GROWTH

    def __post_init__(self) -> None:
        if self.first < 1 or self.growth <= 1:
            raise InvalidInputError(
                f"looks from {self.first} units, growing {self.growth} times: "
                "start at 1 at least and grow by more than 1"
            )

    def due(self, units: float) -> int:
        """Return the number of the latest look that `units` allow, 0 before the first."""
        if units < self.first:
            return 0
        return int(log(units / self.first) / log(self.growth) + 1e-9) + 1

    def level(self, look: int) -> float:
        """Return α_k = 6α/(π²k²)."""
        return self.alpha * share_of(look)

    def units(self, look: int) -> float:
        """Return how many units the look wants."""
        return self.first * self.growth ** (look - 1)


def decide_at_look(estimate: Estimate, rule: Rule, look: int, looks: Looks | None = None) -> Result:
    """Return the verdict of the `look`-th look at a quantile or a shift.

    Units must have been taken up to the look's number, not further: looking later is fine, looking
    twice at one level is not.
    """
    looks = Looks(alpha=rule.alpha) if looks is None else looks
    return decide(estimate, rule, alpha=looks.level(look))
