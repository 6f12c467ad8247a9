"""Paired: quality where the same input ran in both versions, so that inputs can't differ.

Yes/no scores: the difference of the two shares is (n_c - n_b)/n over the pairs that disagree, with
Tango's score interval; the null test is McNemar's, exact with mid-p. Numeric scores: the
Hodges-Lehmann pseudo-median of the pairs' differences with Wilcoxon's signed-rank test inverted.

Sources: Tango, Statistics in Medicine 1998; McNemar, Psychometrika 1947; Fagerland, Lydersen and
Laake, BMC Medical Research Methodology 2013 (mid-p); Wilcoxon, Biometrics Bulletin 1945; Hollander,
Wolfe and Chicken, Nonparametric Statistical Methods, ch. 3.

Limits: pairs are independent; several pairs of one unit are averaged to one (numeric), or should be
reduced by the caller (yes/no). The signed-rank interval assumes differences symmetric around their
centre. Never pair across assessment sources: two judges differ by more than two versions do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from whence.analysis.statistics.estimates import Estimate, Facts, both_tails, critical
from whence.analysis.statistics.units import encode, sum_by_unit
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Codes, Floats

LEAST_PAIRS = 10


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


@dataclass(frozen=True, eq=False)
class SignedRank:
    """Limits by inverting Wilcoxon's signed-rank test; `differences` sorted."""

    differences: Floats

    def z(self, point: float) -> float:
        """Return the normal score of "the centre is `point`": zeros dropped, ties averaged."""
        moved = self.differences - point
        moved = moved[moved != 0]
        if not moved.size:
            return 0.0
        ranks, ties = _rank(np.abs(moved))
        n = moved.size
        variance = (n * (n + 1) * (2 * n + 1) - ties / 2) / 24
        return float((ranks[moved > 0].sum() - n * (n + 1) / 4) / np.sqrt(variance))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the centres at which |z| is critical."""
        far = critical(alpha)
        return self.cross(far), self.cross(-far)

    def cross(self, target: float) -> float:
        """Return where z falls through `target`, or the end of the data where it doesn't."""
        low, high = float(self.differences[0]), float(self.differences[-1])
        tiny = max(abs(low), abs(high), 1e-300) * 1e-12
        low, high = low - tiny, high + tiny
        if self.z(low) <= target:
            return low + tiny
        if self.z(high) >= target:
            return high - tiny
        return float(optimize.brentq(lambda d: self.z(d) - target, low, high, xtol=tiny))

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
    """Return the pseudo-median of candidate minus baseline; pairs of one unit are averaged."""
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
    name = "paired, Wilcoxon signed-rank"
    if differences.size < LEAST_PAIRS:
        return Estimate(name, "difference", facts, problem=_too_few(differences.size))
    limits = SignedRank(np.sort(differences))
    if limits.differences[0] == limits.differences[-1]:
        return Estimate(
            name,
            "difference",
            facts,
            float(differences[0]),
            problem="all pairs differ alike: there is no spread",
        )
    low, high = limits.interval(0.05)
    effect = (limits.cross(1e-12) + limits.cross(-1e-12)) / 2
    return Estimate(name, "difference", facts, effect, (high - low) / (2 * critical(0.05)), limits)


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


def _rank(values: Floats) -> tuple[Floats, float]:
    """Return mid-ranks, and Σ(t³ - t) over ties."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    group = np.cumsum(new) - 1
    sizes = np.bincount(group).astype(np.float64)
    last = np.cumsum(sizes)
    ranks = np.empty(values.size)
    ranks[order] = (last - (sizes - 1) / 2)[group]
    return ranks, float((sizes**3 - sizes).sum())


def _too_few(n: int) -> str:
    return f"{n} pairs: a paired comparison needs {LEAST_PAIRS}"
