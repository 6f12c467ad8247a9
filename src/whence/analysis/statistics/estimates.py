"""Estimates: an effect with limits at any level, before a margin turns it into a verdict.

Effects are kept on a working scale: the logarithm of a ratio, or a plain difference. On either
scale zero means no change and swapping the arms changes the sign, so a decision is symmetric.
`Limits` know the interval of any level and the one-sided p-value against any point; the two agree:
the interval's lower end is where the p-value for "not above" equals half the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Pair
    from whence.analysis.statistics.strata import Split
    from whence.analysis.statistics.units import Spread

Scale: TypeAlias = Literal["ratio", "difference"]
Source: TypeAlias = Literal["exact", "sketch"]


NORMAL_FROM = 10_000
"""From this many degrees of freedom on, Student's t is the normal: 1.9602 against 1.9600."""


class Limits(Protocol):
    """The confidence limits of an effect on its working scale."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the two-sided interval of level 1 - alpha; an end may be infinite."""

    def tails(self, point: float) -> tuple[float, float]:
        """Return the one-sided p-values of "at most `point`" and of "at least `point`"."""


@dataclass(frozen=True)
class Facts:
    """What was compared: counts and values of both arms, as (baseline, candidate).

    `values` are standardised to the standard's mix, `raw` are not; `mix` and `within` are the parts
    of the raw difference over the covered strata that the traffic mix explains, and that it does
    not (Kitagawa), in the metric's unit.
    """

    n: tuple[int, int]
    units: tuple[int, int]
    values: tuple[float, float]
    raw: tuple[float, float]
    coverage: tuple[float, float]
    missing: tuple[int, int] = (0, 0)
    mix: float | None = None
    within: float | None = None
    source: Source = "exact"


@dataclass(frozen=True, eq=False)
class Estimate:
    """An effect on its working scale. Where `problem` is set there are no limits, and why.

    `error` is the standard error near the estimate, for power figures only; `caution` is said
    beside the verdict.
    """

    method: str
    scale: Scale
    facts: Facts
    effect: float = float("nan")
    error: float = float("nan")
    limits: Limits | None = None
    problem: str | None = None
    caution: str | None = None


@dataclass(frozen=True)
class Student:
    """Limits of an estimate with Student's t; infinite `freedom` is the normal distribution."""

    effect: float
    error: float
    freedom: float = float("inf")

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return effect ± t·error."""
        half = critical(alpha, self.freedom) * self.error
        return self.effect - half, self.effect + half

    def tails(self, point: float) -> tuple[float, float]:
        """Return P(T ≥ t) and P(T ≤ t) at t = (effect - point)/error."""
        return both_tails((self.effect - point) / self.error, self.freedom)


def critical(alpha: float, freedom: float = float("inf")) -> float:
    """Return the two-sided critical value of Student's t; of the normal above 10,000."""
    if freedom > NORMAL_FROM:
        return float(special.ndtri(1 - alpha / 2))
    return float(special.stdtrit(max(freedom, 1.0), 1 - alpha / 2))


def upper_tail(value: float, freedom: float = float("inf")) -> float:
    """Return P(T ≥ value)."""
    if freedom > NORMAL_FROM:
        return float(special.ndtr(-value))
    return float(special.stdtr(max(freedom, 1.0), -value))


def both_tails(value: float, freedom: float = float("inf")) -> tuple[float, float]:
    """Return P(T ≥ value) and P(T ≤ value)."""
    return upper_tail(value, freedom), upper_tail(-value, freedom)


def student(effect: float, spread: Spread) -> Student:
    """Return t limits from a variance with its degrees of freedom."""
    return Student(effect, float(np.sqrt(spread.variance)), spread.freedom)


def search_tails(limits: Limits, point: float) -> tuple[float, float]:
    """Return the one-sided p-values by inverting intervals: half the level whose end meets `point`.

    Found by 24 halvings on a logarithmic scale from one half down to 1e-12, the least it can be.
    """
    for above in (True, False):
        if _excludes(limits, point, 0.5 - 1e-9, above=above):
            p = _halve(limits, point, above=above)
            return (p, 1 - p) if above else (1 - p, p)
    return 0.5, 0.5


def _halve(limits: Limits, point: float, *, above: bool) -> float:
    most, least = float(np.log(0.5)), float(np.log(1e-12))
    for _ in range(24):
        middle = (most + least) / 2
        if _excludes(limits, point, float(np.exp(middle)), above=above):
            most = middle
        else:
            least = middle
    return float(np.exp(most))


def _excludes(limits: Limits, point: float, p: float, *, above: bool) -> bool:
    low, high = limits.interval(2 * p)
    return low > point if above else high < point


def gather_facts(
    pair: Pair,
    values: tuple[float, float],
    *,
    raw: tuple[float, float] | None = None,
    split: Split | None = None,
    source: Source = "exact",
) -> Facts:
    """Return the facts of a pair, with these standardised values."""
    return Facts(
        n=(pair.baseline.n, pair.candidate.n),
        units=(pair.baseline.n_units, pair.candidate.n_units),
        values=values,
        raw=pair.raw if raw is None else raw,
        coverage=pair.coverage,
        missing=pair.missing,
        mix=None if split is None else split.mix,
        within=None if split is None else split.within,
        source=source,
    )
