"""Matching: units, strata, coverage, and the split of a difference into mix and within."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.statistics.samples import Sample, match, with_values
from whence.analysis.statistics.strata import code_strata, split_difference
from whence.analysis.statistics.units import choose_units, encode
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(8)


def test_the_unit_is_the_session_else_the_user_else_the_trace():
    session, user = np.array([0, 0, -1, -1, -1, 1]), np.array([3, 3, 3, 3, -1, -1])
    units = choose_units(session, user)
    assert units[0] == units[1] and units[2] == units[3]
    assert np.unique(units).size == 4


def test_codes_may_be_any_integers():
    for codes in (np.array([7, -3, 7]), np.array([10**15, 5, 10**15])):
        dense, n = encode(codes)
        assert n == 2 and dense[0] == dense[2] != dense[1]


def test_a_stratum_with_few_units_is_dropped_and_the_coverage_told():
    strata_b = np.repeat([0, 1, 2], [50, 4, 46])
    strata_c = np.repeat([0, 1, 3], [60, 20, 20])
    pair = match(Sample(np.ones(100), strata_b), Sample(np.ones(100), strata_c))
    assert pair.coverage == (0.5, 0.6)
    assert (pair.baseline.n, pair.candidate.n, pair.baseline.n_strata) == (50, 60, 1)


def test_five_traces_of_one_session_are_one_unit():
    one_session = Sample(
        np.ones(100),
        np.repeat([0, 1], 50),
        np.repeat(np.arange(10), [50, *[50 // 9] * 8, 50 - 50 // 9 * 8]),
    )
    pair = match(one_session, Sample(np.ones(100), np.repeat([0, 1], 50)))
    assert pair.baseline.n_strata == 1 and pair.coverage[0] == 0.5


def test_missing_values_are_counted_and_left_out():
    values = np.array([1.0, np.nan, 3.0, np.inf, 5.0] * 4)
    pair = match(Sample(values), Sample(np.ones(8)))
    assert (pair.missing, pair.baseline.n, pair.raw[0]) == ((8, 0), 12, 3.0)


def test_weights_standardise_to_the_candidates_mix():
    pair = match(
        Sample(np.ones(100), np.repeat([0, 1], [80, 20])),
        Sample(np.ones(50), np.repeat([0, 1], [10, 40])),
    )
    assert pair.mix.tolist() == [0.2, 0.8]
    assert np.bincount(pair.baseline.strata, pair.baseline.weights) == pytest.approx([0.2, 0.8])
    assert pair.candidate.weights == pytest.approx(np.full(50, 1 / 50))


def test_other_values_share_the_match():
    pair = match(Sample(np.ones(20)), Sample(np.ones(20)))
    assert with_values(pair, np.arange(20.0), np.ones(20)).raw == (9.5, 1.0)
    with pytest.raises(InvalidInputError, match="one value for each covered trace"):
        with_values(pair, np.ones(3), np.ones(20))


def test_kitagawas_split_adds_up_exactly():
    strata_b, strata_c = RANDOM.integers(0, 4, 300), np.minimum(RANDOM.integers(0, 6, 400), 3)
    b, c = RANDOM.gamma(2, 1 + strata_b), RANDOM.gamma(2, 1.3 + strata_c)
    split = split_difference(match(Sample(b, strata_b), Sample(c, strata_c)), b, c)
    shares = [np.bincount(s, minlength=4) / s.size for s in (strata_b, strata_c)]
    means = [
        np.bincount(s, v, 4) / np.bincount(s, minlength=4)
        for s, v in ((strata_b, b), (strata_c, c))
    ]
    assert split.mix == pytest.approx(
        float(((shares[1] - shares[0]) * (means[0] + means[1]) / 2).sum()), rel=1e-9
    )
    assert split.within == pytest.approx(
        float(((means[1] - means[0]) * (shares[0] + shares[1]) / 2).sum())
    )
    assert (
        split.difference
        == pytest.approx(c.mean() - b.mean())
        == pytest.approx(split.mix + split.within)
    )
    assert split.by_stratum.sum() == pytest.approx(split.difference)


def test_strata_are_made_of_keys_and_bins_of_size():
    environment, name = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    assert np.unique(code_strata(environment, name)).size == 3
    sizes = np.array([0, 3, 900, 1000, 100_000, np.nan])
    codes = code_strata(np.zeros(6, int), sizes=sizes)
    assert codes[2] == codes[3] != codes[4] and codes[0] == codes[5]


def test_lengths_that_differ_are_refused():
    with pytest.raises(InvalidInputError, match="one code for each value"):
        Sample(np.ones(3), np.zeros(2, int))
    with pytest.raises(InvalidInputError, match="flat array"):
        Sample(np.ones((3, 2)))
