"""Paired: quality where the same input ran in both versions, so that inputs can't differ.

Yes/no scores: the difference of the two shares is (n_c - n_b)/n over the pairs that disagree, with
Tango's score interval; the null test is McNemar's, exact with mid-p. Numeric scores: the mean of
the pairs' differences with Student's t. Ranks (Wilcoxon) would speak of another number than the
margin does: where most inputs keep their score and a few lose much, the centre by ranks is zero.

Sources: Tango, Statistics in Medicine 1998; McNemar, Psychometrika 1947; Fagerland, Lydersen and
Laake, BMC Medical Research Methodology 2013 (mid-p); Student, Biometrika 1908.

Limits: pairs are independent; several pairs of one unit are averaged to one (numeric), or should be
reduced by the caller (yes/no). Few pairs of very skewed differences make t's interval short. Never
pair across assessment sources: two judges differ by more than two versions do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from whence.analysis.statistics.estimates import Estimate, Facts, Student, both_tails, critical
from whence.analysis.statistics.units import encode, sum_by_unit
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Codes, Floats

LEAST_PAIRS = 10
NO_SPREAD = 1e-13  # rounding of sums, as a share of what was summed


@dataclass(frozen=True)
class Tango:
    """Tango's score limits: `gained` pairs are yes only in the candidate, `lost` in the other."""

    gained: float
    lost: float
    n: float

    def z(self, point: float) -> float:
        """Return the score statistic of "the difference is `point`"."""
        g, lost, n = self.gained, self.lost, self.n
        half = (2 * n - g + lost) * point - g - lost
        root = sqrt(max(half**2 - 8 * n * (-lost * point * (1 - point)), 0.0))
        at = (root - half) / (4 * n)
        variance = n * (2 * at + point * (1 - point))
        gap = g - lost - n * point
        return (
            gap / sqrt(variance) if variance > 0 else float(np.sign(gap)) * np.inf if gap else 0.0
        )

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the differences at which |z| is critical."""
        far, middle, edge = critical(alpha), (self.gained - self.lost) / self.n, 1 - 1e-12
        low, high = -1.0, 1.0
        if self.z(-edge) > far and middle > -edge:
            low = float(optimize.brentq(lambda d: self.z(d) - far, -edge, middle, xtol=1e-13))
        if self.z(edge) < -far and middle < edge:
            high = float(optimize.brentq(lambda d: self.z(d) + far, middle, edge, xtol=1e-13))
        return low, high

    def tails(self, point: float) -> tuple[float, float]:
        """Return the one-sided p-values of "at most `point`" and of "at least `point`"."""
        return both_tails(self.z(point))


def estimate_paired_rate(baseline: Floats, candidate: Floats) -> Estimate:
    """Return the difference of two shares over pairs of 0/1 scores; a NaN leaves its pair out."""
    b, c, missing = _complete(baseline, candidate)
    facts = _facts(b, c, missing, b.size)
    name = "paired, Tango"
    if b.size < LEAST_PAIRS:
        return Estimate(name, "difference", facts, problem=_too_few(b.size))
    gained = float(((c != 0) & (b == 0)).sum())
    lost = float(((c == 0) & (b != 0)).sum())
    limits = Tango(gained, lost, float(b.size))
    low, high = limits.interval(0.05)
    effect = (gained - lost) / b.size
    return Estimate(name, "difference", facts, effect, (high - low) / (2 * critical(0.05)), limits)


def mcnemar(gained: int, lost: int) -> tuple[float, float]:
    """Return McNemar's two-sided p-values (exact, mid-p) from the pairs that disagree."""
    n = gained + lost
    if n == 0:
        return 1.0, 1.0
    tail = float(special.bdtr(min(gained, lost), n, 0.5))
    own = float(
        np.exp(
            special.gammaln(n + 1)
            - special.gammaln(gained + 1)
            - special.gammaln(lost + 1)
            - n * np.log(2)
        )
    )
    return min(2 * tail, 1.0), min(2 * tail - own, 1.0)


def estimate_paired_values(
    baseline: Floats, candidate: Floats, units: Codes | None = None
) -> Estimate:
    """Return the mean of candidate minus baseline; pairs of one unit are averaged."""
    b, c, missing = _complete(baseline, candidate)
    differences = c - b
    if units is not None:
        if np.shape(units) != np.shape(baseline):
            raise InvalidInputError("units needs one code for each pair")
        kept = np.isfinite(np.asarray(baseline, np.float64)) & np.isfinite(
            np.asarray(candidate, np.float64)
        )
        codes, n_units = encode(np.asarray(units, np.int64)[kept])
        differences = sum_by_unit(differences, codes, n_units) / np.maximum(
            np.bincount(codes, minlength=n_units), 1
        )
    facts = _facts(b, c, missing, differences.size)
    name = "paired, mean difference"
    if differences.size < LEAST_PAIRS:
        return Estimate(name, "difference", facts, problem=_too_few(differences.size))
    with np.errstate(over="ignore", invalid="ignore"):
        effect = float(differences.mean())
        error = float(differences.std(ddof=1)) / sqrt(differences.size)
    if not isfinite(error):
        return Estimate(name, "difference", facts, problem="the scores are too large to add up")
    if not error > NO_SPREAD * max(1.0, abs(effect)):
        problem = "all pairs differ alike: there is no spread"
        return Estimate(name, "difference", facts, effect, problem=problem)
    limits = Student(effect, error, differences.size - 1)
    return Estimate(name, "difference", facts, effect, error, limits)


def _complete(baseline: Floats, candidate: Floats) -> tuple[Floats, Floats, int]:
    b, c = np.asarray(baseline, np.float64), np.asarray(candidate, np.float64)
    if b.shape != c.shape:
        raise InvalidInputError(
            f"{b.size} baseline scores for {c.size} of the candidate: give pairs"
        )
    known = np.isfinite(b) & np.isfinite(c)
    return b[known], c[known], int(b.size - known.sum())


def _facts(b: Floats, c: Floats, missing: int, units: int) -> Facts:
    means = (float(b.mean()), float(c.mean())) if b.size else (float("nan"), float("nan"))
    share = b.size / (b.size + missing) if b.size else 0.0
    return Facts(
        n=(b.size, c.size),
        units=(units, units),
        values=means,
        raw=means,
        coverage=(share, share),
        missing=(missing, missing),
    )


def _too_few(n: int) -> str:
    return f"{n} pairs: a paired comparison needs {LEAST_PAIRS}"
