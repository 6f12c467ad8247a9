"""Paired comparisons agree with scipy's and statsmodels' tests, and with published intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from whence.analysis.statistics.comparisons import compare_paired_rate, compare_paired_score
from whence.analysis.statistics.paired import (
    Tango,
    estimate_paired_rate,
    estimate_paired_values,
    mcnemar,
)

RANDOM = np.random.default_rng(5)


def test_the_exact_test_is_mcnemars():
    oracle = statsmodels_mcnemar([[10, 4], [11, 20]], exact=True)
    exact, mid = mcnemar(4, 11)
    assert exact == pytest.approx(oracle.pvalue, rel=1e-10)
    assert mid == pytest.approx(oracle.pvalue - stats.binom.pmf(4, 15, 0.5), rel=1e-9)
    assert mcnemar(0, 0) == (1.0, 1.0)


def test_at_zero_the_score_test_is_mcnemars_chi_square():
    oracle = statsmodels_mcnemar([[10, 40], [65, 20]], exact=False, correction=False)
    assert Tango(40, 65, 135).z(0.0) ** 2 == pytest.approx(oracle.statistic, rel=1e-10)


def test_tangos_interval_holds_the_differences_that_the_score_test_keeps():
    """The restricted rate in z is the maximum of the likelihood, found here by search."""
    limits = Tango(1, 7, 21)
    low, high = limits.interval(0.05)
    for point in (low, high):
        lost = np.linspace(max(1e-9, -point), (1 - point) / 2, 400_001)[:-1]
        gained = lost + point
        kept = (gained > 0) & (gained + lost < 1)
        lost, gained = lost[kept], gained[kept]
        loglik = 1 * np.log(gained) + 7 * np.log(lost) + 13 * np.log(1 - gained - lost)
        best = int(np.argmax(loglik))
        variance = 21 * (gained[best] + lost[best] - point**2)
        assert abs(1 - 7 - 21 * point) / np.sqrt(variance) == pytest.approx(1.959964, abs=1e-3)
    assert (low, high) == pytest.approx((-0.517, -0.026), abs=5e-4), (
        "Fagerland et al. 2014, table 5"
    )


def test_the_mean_difference_is_the_paired_t_test():
    b = RANDOM.normal(size=41)
    c = b + RANDOM.normal(0.2, 0.5, 41)
    estimate = estimate_paired_values(b, c)
    oracle = stats.ttest_rel(c, b)
    assert estimate.effect == pytest.approx(float((c - b).mean()), rel=1e-12)
    assert estimate.limits.interval(0.05) == pytest.approx(
        tuple(oracle.confidence_interval(0.95)), rel=1e-9
    )
    assert 2 * min(estimate.limits.tails(0.0)) == pytest.approx(oracle.pvalue, rel=1e-9)


def test_a_loss_on_few_inputs_is_not_hidden_by_the_many_that_keep_their_score():
    score = RANDOM.choice([0.2, 0.4, 0.6, 0.8, 1.0], 1000)
    lost = np.where(np.arange(1000) % 20 < 3, 0.4, 0.0)  # 15 % of inputs lose 0.4
    result = compare_paired_score(score, score - lost)
    assert result.verdict == "regressed"
    assert result.effect == pytest.approx(-0.06)


def test_pairs_of_one_session_are_averaged():
    units = np.repeat(np.arange(30), 5)
    b, c = RANDOM.normal(size=150), RANDOM.normal(size=150) + 0.1
    estimate = estimate_paired_values(b, c, units)
    means = np.bincount(units, c - b) / 5
    assert estimate.facts.units == (30, 30)
    assert estimate.effect == pytest.approx(estimate_paired_values(np.zeros(30), means).effect)


def test_missing_scores_leave_the_pair_out_and_are_told():
    b = np.array([1.0, 0, np.nan, 1] * 10)
    c = np.array([1.0, 1, 0, np.nan] * 10)
    facts = estimate_paired_rate(b, c).facts
    assert (facts.n, facts.missing, facts.coverage[1]) == ((20, 20), (20, 20), 0.5)


def test_quality_that_falls_is_regressed_and_that_rises_improved():
    b = (RANDOM.random(2000) < 0.8).astype(float)
    worse = b * (RANDOM.random(2000) < 0.9)
    assert compare_paired_rate(b, worse).verdict == "regressed"
    assert compare_paired_rate(worse, b).verdict == "improved"
    score = RANDOM.normal(0.7, 0.1, 500)
    assert (
        compare_paired_score(score, score - 0.05 + RANDOM.normal(0, 0.02, 500)).verdict
        == "regressed"
    )


@pytest.mark.parametrize("n", [0, 1, 9])
def test_few_pairs_are_inconclusive(n):
    for compare in (compare_paired_rate, compare_paired_score):
        result = compare(np.ones(n), np.zeros(n))
        assert result.verdict == "inconclusive" and "pairs" in result.reason
