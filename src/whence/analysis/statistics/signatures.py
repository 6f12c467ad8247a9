"""Signatures: which error signatures are new, gone, more or fewer in the candidate.

A signature is an error's type, normalised message and span. If it is as frequent in both versions,
then of the k units that show it the candidate's share is binomial with n_c/(n_b+n_c), given the
units of both arms: the conditional test of two Poisson rates. Each direction is tested one-sided by
the exact tail; the ratio's interval is Clopper and Pearson's, carried over from the share.

Sources: Przyborowski and Wilenski, Biometrika 1940; Clopper and Pearson, Biometrika 1934.

Limits: counts are of *units* (sessions) that show a signature, not of spans. A signature that the
baseline never showed is *new* only when the baseline had enough traffic to have shown it; before
that it is *not seen yet*. Rates must be small for the Poisson form: at 20 % and more of units the
test is conservative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import special

from whence.analysis.statistics.multiplicity import find_q_values
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Floats

Novelty: TypeAlias = Literal["new", "not seen yet", "more", "alike", "fewer", "gone"]


@dataclass(frozen=True)
class Signature:
    """One signature's counts and what they say; `ratio` is None where the baseline showed none."""

    baseline: int
    candidate: int
    novelty: Novelty
    p_more: float
    p_fewer: float
    q_value: float
    ratio: float | None
    low: float
    high: float | None


def compare_signatures(
    baseline: Floats,
    candidate: Floats,
    n_baseline: int,
    n_candidate: int,
    *,
    alpha: float = 0.05,
) -> list[Signature]:
    """Return what happened to each signature, from the units of either arm that show it.

    q-values are Benjamini and Hochberg's over all of the list, of the two-sided p-value; novelty is
    decided by q < alpha, so that a long list of rare errors does not alarm by its length. All are
    "alike" with p-values of 1 where an arm has no units.
    """
    b, c = np.asarray(baseline, np.float64), np.asarray(candidate, np.float64)
    if b.shape != c.shape:
        raise InvalidInputError(
            f"{b.size} signatures in the baseline, {c.size} in the candidate: give one list"
        )
    if not b.size:
        return []
    if min(n_baseline, n_candidate) <= 0:
        counts = zip(b, c, strict=True)
        return [_tell(i, j, 1.0, 1.0, 1.0, 0.0, np.inf, sure=False, times=1.0) for i, j in counts]
    k, share = b + c, n_candidate / (n_baseline + n_candidate)
    more = np.where(c > 0, special.betainc(np.maximum(c, 1), b + 1, share), 1.0)
    fewer = np.where(b > 0, special.betainc(np.maximum(b, 1), c + 1, 1 - share), 1.0)
    q = find_q_values(np.minimum(2 * np.minimum(more, fewer), 1.0))
    low = np.where(c > 0, special.betaincinv(np.maximum(c, 1), b + 1, alpha / 2), 0.0)
    high = np.where(b > 0, special.betaincinv(c + 1, np.maximum(b, 1), 1 - alpha / 2), 1.0)
    times = n_baseline / n_candidate
    with np.errstate(divide="ignore"):
        low, high = low / (1 - low) * times, high / (1 - high) * times
    low, high = np.where(k > 0, low, 0.0), np.where(k > 0, high, np.inf)
    rows = zip(b, c, more, fewer, q, low, high, strict=True)
    return [_tell(*row, sure=bool(row[4] < alpha), times=times) for row in rows]


def units_to_tell(candidate: int, n_candidate: int, *, alpha: float = 0.05) -> int:
    """Return how many units of the baseline without the signature make it new, all else as it is.

    That is the smallest n_b with 2·(n_c/(n_b+n_c))^k < alpha, for k units in the candidate.
    """
    if candidate <= 0 or n_candidate <= 0:
        return 0
    share = float((alpha / 2) ** (1 / candidate))
    return int(np.floor(n_candidate * (1 - share) / share)) + 1


def _tell(
    b: float,
    c: float,
    more: float,
    fewer: float,
    q: float,
    low: float,
    high: float,
    *,
    sure: bool,
    times: float,
) -> Signature:
    if sure:
        novelty: Novelty = ("more" if b else "new") if more < fewer else ("fewer" if c else "gone")
    else:
        novelty = "not seen yet" if c and not b else "alike"
    return Signature(
        baseline=int(b),
        candidate=int(c),
        novelty=novelty,
        p_more=float(more),
        p_fewer=float(fewer),
        q_value=float(q),
        ratio=float(c / b * times) if b else None,
        low=float(low),
        high=float(high) if np.isfinite(high) else None,
    )
