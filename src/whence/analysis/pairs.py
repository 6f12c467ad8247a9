"""Judgements in pairs: the same input in both versions, so that inputs can't differ.

Inputs are the same where the hash of the request's preview, and the stratum, are. Of an input that
ran several times, a number counts with its mean, a yes or no with the first in the order of a hash.
A session gives one pair at most, so that pairs are independent.

Limits: pairs are used where there are `LEAST_PAIRS` and they hold half of the judged traces of each
version; else versions are compared as two groups. A preview is the beginning of a long input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.statistics.paired import estimate_paired_rate, estimate_paired_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whence.analysis.statistics.estimates import Estimate

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

LEAST_PAIRS = 30
LEAST_SHARE = 0.5
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # an odd number: strata move a hash apart, one to one


class Pairs(msgspec.Struct, frozen=True):
    """Values of the same inputs, one place a pair."""

    baseline: Floats
    candidate: Floats


def find_pairs(
    values: Floats,
    inputs: NDArray[np.uint64],
    is_candidate: NDArray[np.bool_],
    strata: Codes,
    units: Codes,
    *,
    is_boolean: bool,
) -> Pairs | None:
    """Return the pairs, or None where too few inputs ran in both; `inputs` are 0 where unknown."""
    judged = np.isfinite(values)
    known = judged & (inputs != 0)
    groups = inputs ^ (strata.astype(np.uint64) * _SPREAD)
    arms = []
    for side in (False, True):
        rows = np.flatnonzero(known & (is_candidate == side))
        kinds, first, code = np.unique(groups[rows], return_index=True, return_inverse=True)
        arms.append((rows, kinds, first, code))
    _, *places = np.intersect1d(arms[0][1], arms[1][1], assume_unique=True, return_indices=True)
    if len(places[0]) < LEAST_PAIRS:
        return None
    for number, (_, kinds, _, code) in enumerate(arms):
        paired = np.zeros(len(kinds), np.bool_)
        paired[places[number]] = True
        of_arm = np.count_nonzero(judged & (is_candidate == bool(number)))
        if np.count_nonzero(paired[code]) < LEAST_SHARE * of_arm:
            return None
    means = []
    for (rows, kinds, first, code), place in zip(arms, places, strict=True):
        found = values[rows[first]]
        if not is_boolean:
            counts = np.bincount(code, minlength=len(kinds))
            found = np.bincount(code, weights=values[rows], minlength=len(kinds)) / counts
        means.append(found[place])
    sessions = [units[arm[0][arm[2]]][place] for arm, place in zip(arms, places, strict=True)]
    kept = _first_of_each(sessions[0]) & _first_of_each(sessions[1])
    if np.count_nonzero(kept) < LEAST_PAIRS:
        return None
    return Pairs(means[0][kept], means[1][kept])


def _first_of_each(codes: Codes) -> NDArray[np.bool_]:
    _, first = np.unique(codes, return_index=True)
    kept = np.zeros(len(codes), np.bool_)
    kept[first] = True
    return kept


def estimate_pairs(pairs: Pairs, *, is_boolean: bool) -> Estimate:
    """Return the difference of shares (Tango), or the mean of differences (t)."""
    if is_boolean:
        return estimate_paired_rate(pairs.baseline, pairs.candidate)
    return estimate_paired_values(pairs.baseline, pairs.candidate)
