"""Association: which metadata values are over-represented among the selected traces.

For every value of every key: the score test of "selected" against "has the value", Cramér's V as
its size, a q-value over all values tested, and the share of the selection that the value explains,
the population attributable fraction (p - p₀)/p, where p is the selected share of all traces and p₀
that of the traces without the value. Values are ranked by that share, not by p: with many traces
everything is significant.

Sources: Rao, Math. Proc. Cambridge Philosophical Society 1948 (score test; here clustered by unit,
Liang and Zeger 1986); Cramér, Mathematical Methods of Statistics 1946; Levin, Acta UICC 1953;
Benjamini and Hochberg, JRSS B 1995.

Limits: an association is not a cause, and shares of values that go together (model and region)
overlap, so they may sum to more than one. Values with fewer than `LEAST_SUPPORT` traces or
`LEAST_UNITS` units are not tested, nor shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from whence.analysis.statistics.multiplicity import find_q_values
from whence.analysis.statistics.samples import LEAST_UNITS, count_units
from whence.analysis.statistics.units import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from whence.analysis.statistics.samples import Codes, Floats

LEAST_SUPPORT = 20


@dataclass(frozen=True)
class Association:
    """One value of one key: the `key`-th array given, the code `value`.

    `selected` of `support` traces are selected; `rate` and `rate_without` are the selected share
    with and without the value; `z` is positive where it is over-represented.
    """

    key: int
    value: int
    support: int
    selected: int
    rate: float
    rate_without: float
    z: float
    p_value: float
    q_value: float
    cramers_v: float
    explained: float


def find_associations(
    selected: npt.NDArray[np.bool_],
    keys: Sequence[Codes],
    units: Codes | None = None,
    *,
    least_support: int = LEAST_SUPPORT,
) -> list[Association]:
    """Return what each value explains, the largest explained share first.

    `keys` are arrays of codes, negative where a trace lacks the key. Empty where all or no traces
    are selected.
    """
    chosen = np.asarray(selected, np.float64)
    n = chosen.size
    if not n or not 0 < chosen.sum() < n:
        return []
    codes, n_units = (np.arange(n), n) if units is None else encode(np.asarray(units))
    found = [
        row
        for place, key in enumerate(keys)
        for row in _test_key(place, np.asarray(key), chosen, codes, n_units, least_support)
    ]
    q = find_q_values(np.array([row.p_value for row in found]))
    rows = [_with_q(row, float(value)) for row, value in zip(found, q, strict=True)]
    return sorted(rows, key=lambda row: (-row.explained, row.p_value, row.key, row.value))


def _test_key(
    place: int, key: Codes, chosen: Floats, units: Codes, n_units: int, least_support: int
) -> list[Association]:
    n, overall = chosen.size, float(chosen.mean())
    known = key >= 0
    values, dense = np.unique(key[known], return_inverse=True)
    if not values.size:
        return []
    k = values.size
    support = np.bincount(dense, minlength=k).astype(np.float64)
    hits = np.bincount(dense, weights=chosen[known], minlength=k)
    met = count_units(dense.astype(np.int64), units[known], k, n_units)
    tested = (support >= least_support) & (n - support >= least_support)
    tested &= (met >= LEAST_UNITS) & (support < n)
    rest = np.maximum(n - support, 1.0)
    rates, without = hits / np.maximum(support, 1.0), (chosen.sum() - hits) / rest
    variance = _variance(chosen - overall, dense, known, units, n_units, support / n)
    score = hits - support * overall
    z = np.divide(score, np.sqrt(np.maximum(variance, 0)), out=np.zeros(k), where=variance > 0)
    plain = np.sqrt(support * rest * overall * (1 - overall) / n)
    phi = np.abs(np.divide(score, plain, out=np.zeros(k), where=plain > 0)) / np.sqrt(n)
    p = 2 * special.ndtr(-np.abs(z))
    return [
        Association(
            key=place,
            value=int(values[i]),
            support=int(support[i]),
            selected=int(hits[i]),
            rate=float(rates[i]),
            rate_without=float(without[i]),
            z=float(z[i]),
            p_value=float(p[i]),
            q_value=1.0,
            cramers_v=float(phi[i]),
            explained=float((overall - without[i]) / overall),
        )
        for i in np.flatnonzero(tested)
    ]


def _variance(
    residual: Floats,
    dense: Codes,
    known: npt.NDArray[np.bool_],
    units: Codes,
    n_units: int,
    share: Floats,
) -> Floats:
    """Return the variance of each value's score Σ(y - ȳ)(x - x̄).

    Traces that are their own units give the classical one, ȳ(1-ȳ)·Σ(x - x̄)²; else the squares of
    sums by unit are added: Σ(A - x̄B)², A over the unit's traces with the value, B over all.
    """
    n, k = residual.size, share.size
    if n_units == n:
        return np.asarray(float((residual**2).mean()) * n * share * (1 - share))
    whole = np.bincount(units, weights=residual, minlength=n_units)
    pairs, inverse = np.unique(dense * n_units + units[known], return_inverse=True)
    with_value = np.bincount(inverse, weights=residual[known], minlength=pairs.size)
    value, unit = pairs // n_units, pairs % n_units
    squares = np.bincount(value, weights=with_value**2, minlength=k)
    crossed = np.bincount(value, weights=with_value * whole[unit], minlength=k)
    total = squares - 2 * share * crossed + share**2 * float(whole @ whole)
    return np.asarray(total * n_units / max(n_units - 1, 1))


def _with_q(row: Association, q: float) -> Association:
    return Association(**{**row.__dict__, "q_value": q})
