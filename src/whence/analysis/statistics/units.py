"""Units of independence: the session, else the user, else the trace.

Traces of one session share a user, a topic and a state of the caches: ten of them don't tell what
ten independent ones would. So every variance of this package is one of *sums by unit*: an
estimator is written as a sum of influences, one a trace; the influences of one unit are added, and
only units are treated as independent (the delta method on clusters: Deng, Knoblich and Lu,
"Applying the Delta Method in Metric Analytics", KDD 2018; Liang and Zeger, Biometrika 1986).

Limits: with few units a robust variance is too small and noisy. Each stratum's influences are
scaled by √(g/(g-1)) for its g units, which is exact where units don't cross strata and are of equal
size, and limits use Student's t with Satterthwaite's degrees of freedom, counted from the
*effective* number of units (Σn)²/Σn², so that one giant session does not pass for evidence
(Carter, Schnepel and Steigerwald, Review of Economics and Statistics 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Arm, Codes, Floats


@dataclass(frozen=True)
class Spread:
    """A variance and its degrees of freedom; `third` is the sum of the units' cubed influences."""

    variance: float
    freedom: float
    third: float = 0.0


def choose_units(session: Codes, user: Codes) -> Codes:
    """Return a unit code for each trace: its session, else its user, else itself.

    Missing codes are negative. The three kinds never share a unit.
    """
    n = session.size
    n_sessions = int(session.max(initial=-1)) + 1
    n_users = int(user.max(initial=-1)) + 1
    alone = n_sessions + n_users + np.arange(n, dtype=np.int64)
    by_user = np.where(user >= 0, n_sessions + user, alone)
    return np.where(session >= 0, session, by_user).astype(np.int64)


def encode(codes: Codes) -> tuple[Codes, int]:
    """Return the codes made dense from zero, in their order, and how many there are."""
    if not codes.size:
        return codes.astype(np.int64), 0
    low, high = int(codes.min()), int(codes.max())
    if high - low <= 4 * codes.size + 1024:
        seen = np.bincount(codes - low) > 0
        if seen.all():
            return (codes - low).astype(np.int64), int(seen.size)
        return (np.cumsum(seen) - 1)[codes - low], int(seen.sum())
    kinds, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64), int(kinds.size)


def first_strata(units: Codes, strata: Codes, n_units: int) -> Codes:
    """Return the stratum of each unit's first trace: chosen without regard to any outcome."""
    homes = np.zeros(n_units, dtype=np.int64)
    homes[units[::-1]] = strata[::-1]
    return homes


def sum_by_unit(of: Floats, units: Codes, n_units: int) -> Floats:
    """Return the sum of `of` over the traces of each unit."""
    return np.bincount(units, weights=of, minlength=n_units).astype(np.float64, copy=False)


def effective_units(sizes: Floats, homes: Codes, n_strata: int) -> Floats:
    """Return (Σn)²/Σn² in each stratum: the number of equal units that weigh as these do."""
    total = np.bincount(homes, weights=sizes, minlength=n_strata)
    square = np.bincount(homes, weights=sizes * sizes, minlength=n_strata)
    return np.asarray(np.divide(total * total, square, out=np.zeros(n_strata), where=square > 0))


def variance_of_sum(arm: Arm, influence: Floats) -> Spread:
    """Return the variance of Σ influence, given influences centred within each stratum.

    Degrees of freedom are Satterthwaite's: (Σv)²/Σ(v²/(g-1)) over the strata's parts v.
    """
    if not arm.n:
        return Spread(0.0, 0.0)
    met = arm.units_met
    scale = np.sqrt(np.divide(met, met - 1, out=np.ones_like(met), where=met > 1))
    influence = influence * scale[arm.strata]
    if arm.alone:
        sums = influence
        squares = np.bincount(arm.strata, weights=sums**2, minlength=arm.n_strata)
        units = arm.traces
    else:
        sums = sum_by_unit(influence, arm.units, arm.n_units)
        squares = np.bincount(arm.homes, weights=sums**2, minlength=arm.n_strata)
        sizes = np.bincount(arm.units, minlength=arm.n_units).astype(np.float64)
        units = effective_units(sizes, arm.homes, arm.n_strata)
    variance = float(squares.sum())
    parts = float((squares**2 / np.maximum(units - 1, 1)).sum())
    freedom = variance**2 / parts if parts > 0 else float(max(arm.n_units - 1, 0))
    return Spread(variance, freedom, float((sums**2) @ sums))


def pool(*spreads: Spread) -> Spread:
    """Return the variance of the sum of independent parts (Welch and Satterthwaite)."""
    variance = sum(one.variance for one in spreads)
    parts = sum(one.variance**2 / one.freedom for one in spreads if one.freedom > 0)
    freedom = variance**2 / parts if parts > 0 else max((s.freedom for s in spreads), default=0.0)
    return Spread(variance, freedom)


def design_effect(robust: float, independent: float) -> float:
    """Return the ratio of a robust variance to the one of independent traces, at least 1.

    Below 1 is nearly always noise of the robust variance, and would narrow intervals.
    """
    return max(robust / independent, 1.0) if independent > 0 else 1.0
