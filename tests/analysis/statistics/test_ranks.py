"""The rank test and its ratio agree with scipy, and with the definition over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.estimates import critical
from whence.analysis.statistics.ranks import estimate_shift, find_superiority, rank, van_elteren
from whence.analysis.statistics.samples import Sample, match

RANDOM = np.random.default_rng(1)


def test_one_stratum_is_the_mann_whitney_test_with_ties():
    b, c = RANDOM.integers(1, 12, 60) * 1.0, RANDOM.integers(2, 14, 45) * 1.0
    z, p = van_elteren(rank(match(Sample(b), Sample(c))))
    oracle = stats.mannwhitneyu(c, b, method="asymptotic", use_continuity=False)
    assert p == pytest.approx(oracle.pvalue, rel=1e-12)
    assert z == pytest.approx(
        stats.norm.isf(oracle.pvalue / 2) * np.sign(oracle.statistic - 30 * 45)
    )


def test_several_strata_are_van_elterens_sum_of_weighted_rank_sums():
    top = variance = 0.0
    parts = []
    for stratum, (n, m) in enumerate([(20, 15), (9, 30), (40, 41)]):
        b, c = RANDOM.integers(1, 30, n) * 1.0, RANDOM.integers(3, 33, m) * 1.0
        parts.append((stratum, b, c))
        pooled = np.concatenate([b, c])
        ranks = stats.rankdata(pooled)
        total = n + m
        top += (ranks[n:].sum() - m * (total + 1) / 2) / (total + 1)
        # The permutation variance of a rank sum, ties and all.
        variance += m * n / total * ranks.var(ddof=1) / (total + 1) ** 2
    baseline = Sample(
        np.concatenate([b for _, b, _ in parts]),
        np.concatenate([[s] * b.size for s, b, _ in parts]),
    )
    candidate = Sample(
        np.concatenate([c for *_, c in parts]), np.concatenate([[s] * c.size for s, _, c in parts])
    )
    z, _ = van_elteren(rank(match(baseline, candidate)))
    assert z == pytest.approx(top / np.sqrt(variance), rel=1e-12)


def test_the_interval_is_brunner_and_munzels_test_inverted():
    b, c = RANDOM.normal(0, 1, 40), RANDOM.normal(0.4, 2, 55)
    ranking = rank(match(Sample(b), Sample(c)), "difference")
    spread = ranking.spread(0.0)
    oracle = stats.brunnermunzel(b, c)
    statistic = ranking.excess(0.0) / np.sqrt(spread.variance)
    assert statistic == pytest.approx(-oracle.statistic, rel=1e-12) or statistic == pytest.approx(
        oracle.statistic, rel=1e-12
    )
    df = stats.ttest_ind(
        stats.rankdata(b), stats.rankdata(c), equal_var=False
    ).df  # another estimate of the same
    assert 30 < spread.freedom < 100 and 30 < df < 100
    assert 2 * stats.t.sf(abs(statistic), spread.freedom) == pytest.approx(oracle.pvalue, rel=1e-9)


def test_the_ratio_is_the_median_of_all_pairs_ratios():
    for n, m in ((30, 41), (25, 24), (600, 400)):
        b, c = RANDOM.lognormal(7, 1, n), RANDOM.lognormal(7.2, 1, m)
        estimate = estimate_shift(rank(match(Sample(b), Sample(c))))
        pairs = np.log(c)[:, None] - np.log(b)[None, :]
        assert estimate.effect == pytest.approx(
            float(np.median(pairs)), abs=1e-9 if n * m < 1e5 else 1e-3 * estimate.error
        )


def test_the_limits_are_order_statistics_of_the_pairs():
    b, c = RANDOM.lognormal(7, 1, 40), RANDOM.lognormal(7.1, 1, 50)
    ranking = rank(match(Sample(b), Sample(c)))
    low, high = estimate_shift(ranking).limits.interval(0.05)
    _, spread, _ = ranking.middle
    far = critical(0.05, spread.freedom) * np.sqrt(spread.variance)
    pairs = np.sort((np.log(c)[:, None] - np.log(b)[None, :]).ravel())
    at = [int(np.ceil((0.5 + sign * far) * pairs.size)) - 1 for sign in (-1, 1)]
    assert low == pytest.approx(pairs[at[0]], abs=1e-6)
    assert high == pytest.approx(pairs[at[1]], abs=1e-6)


def test_large_arms_take_a_newton_step_and_end_at_the_same_limits(monkeypatch):
    n = 40_000
    b, c = RANDOM.lognormal(7, 1, n), RANDOM.lognormal(7.05, 1, n)
    strata = RANDOM.integers(0, 10, n)
    quick = estimate_shift(rank(match(Sample(b, strata), Sample(c, strata))))
    monkeypatch.setattr("whence.analysis.statistics.ranks.MANY_PAIRS", 1e12)
    slow = estimate_shift(rank(match(Sample(b, strata), Sample(c, strata))))
    assert quick.limits.interval(0.05) == pytest.approx(
        slow.limits.interval(0.05), abs=0.02 * slow.error
    )


def test_the_probability_that_the_candidate_is_slower_is_auc():
    b, c = RANDOM.normal(0, 1, 50), RANDOM.normal(0.5, 1, 70)
    found = find_superiority(rank(match(Sample(b), Sample(c)), "difference"))
    u = stats.mannwhitneyu(c, b).statistic
    assert found.probability == pytest.approx(u / (50 * 70), rel=1e-12)
    assert found.low < found.probability < found.high


def test_zeros_keep_their_rank_and_a_ratio_does_not_move_them():
    b = np.concatenate([np.zeros(20), RANDOM.lognormal(7, 1, 80)])
    estimate = estimate_shift(rank(match(Sample(b), Sample(b * 1.5))))
    low, high = estimate.limits.interval(0.05)
    assert low < np.log(1.5) < high
    assert estimate.effect == pytest.approx(np.log(1.5), abs=estimate.error)


def test_a_simpson_paradox_is_called_right():
    """Better in each environment, worse pooled: production is slow, and the candidate mostly ran there."""
    n = 4000
    place_b, place_c = (RANDOM.random(n) < 0.2).astype(int), (RANDOM.random(n) < 0.8).astype(int)
    b = Sample(RANDOM.lognormal(6, 0.5, n) * np.where(place_b, 4, 1), place_b)
    c = Sample(0.7 * RANDOM.lognormal(6, 0.5, n) * np.where(place_c, 4, 1), place_c)
    pooled = decide(estimate_shift(rank(match(Sample(b.values), Sample(c.values)))), Rule())
    apart = decide(estimate_shift(rank(match(b, c))), Rule())
    assert (pooled.verdict, apart.verdict) == ("regressed", "improved")
    assert apart.effect == pytest.approx(-0.3, abs=0.05)
