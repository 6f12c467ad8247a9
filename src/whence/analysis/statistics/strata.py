"""Strata: standardised values, and how much of a difference is only another mix of traffic.

A stratum is environment × trace name × input-size bin (× model, unless the model is what changed).
Both arms are standardised to the candidate's mix when they are matched (`samples.match`); what the
mix itself did is told apart by Kitagawa's split. Never stratify by what the candidate changes
(tokens, number of spans): that would explain the regression away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from whence.analysis.statistics.samples import Codes, Floats, Pair


@dataclass(frozen=True)
class Split:
    """The raw difference over the covered strata, `difference` = `mix` + `within`, exactly.

    `by_stratum` holds both parts of each stratum: an array of (mix, within) rows.
    """

    difference: float
    mix: float
    within: float
    by_stratum: Floats


def split_difference(pair: Pair, baseline: Floats, candidate: Floats) -> Split:
    """Split the difference of two plain means into mix and within (Kitagawa).

    Δ = Σ(w_c - w_b)(m_b + m_c)/2 + Σ(m_c - m_b)(w_b + w_c)/2, with w the share of traces and m
    the mean of `baseline` and `candidate`, a number for each trace of either arm. Each stratum's
    mix part is taken around the overall mean: a stratum that grows at the expense of all others
    is credited with its distance from them, and the sum stays the same. Source: Kitagawa,
    "Components of a Difference Between Two Rates", J. American Statistical Association 1955.
    """
    means = pair.baseline.means(baseline), pair.candidate.means(candidate)
    shares = [arm.traces / max(arm.n, 1) for arm in pair.arms]
    level = float((shares[0] + shares[1]) @ (means[0] + means[1])) / 4
    mix = (shares[1] - shares[0]) * ((means[0] + means[1]) / 2 - level)
    within = (means[1] - means[0]) * (shares[0] + shares[1]) / 2
    difference = float(shares[1] @ means[1] - shares[0] @ means[0])
    return Split(difference, float(mix.sum()), float(within.sum()), np.stack([mix, within], 1))


def split_means(pair: Pair) -> Split | None:
    """Split the difference of the pair's means over its covered strata; None for an empty arm."""
    if pair.problem:
        return None
    return split_difference(pair, pair.baseline.values, pair.candidate.values)


def code_strata(*keys: Codes, sizes: Floats | None = None, bins: int = 4) -> Codes:
    """Return one stratum code for each trace from several keys, and bins of the input size.

    Bins are powers of four of the size (0, 1-3, 4-15, 16-63, …), the same for every comparison,
    so that neither arm's data moves a border; `bins` of them are kept below the largest size and
    what is smaller shares the lowest. Give both arms' traces together.
    """
    n = keys[0].size if keys else (0 if sizes is None else sizes.size)
    code = np.zeros(n, dtype=np.int64)
    parts = list(keys)
    if sizes is not None and n:
        steps = np.floor(np.log2(np.maximum(np.nan_to_num(sizes), 0) + 1) / 2).astype(np.int64)
        parts.append(np.maximum(steps, steps.max() - bins + 1))
    for part in parts:
        kinds, dense = np.unique(part, return_inverse=True)
        code = code * kinds.size + dense
        _, code = np.unique(code, return_inverse=True)
    return code
