"""New error signatures: the conditional test of two Poisson rates, as scipy and statsmodels have it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.rates import test_poisson_2indep as poisson_2indep

from whence.analysis.statistics.signatures import compare_signatures, units_to_tell


def test_each_direction_is_the_exact_conditional_test():
    for b, c, n, m in (
        (3, 14, 1000, 900),
        (0, 5, 400, 2000),
        (9, 0, 300, 300),
        (4, 4, 10_000, 500),
    ):
        found = compare_signatures(np.array([b]), np.array([c]), n, m)[0]
        law = stats.binomtest(c, b + c, m / (n + m), alternative="greater")
        assert found.p_more == pytest.approx(law.pvalue, rel=1e-9)
        if b:
            oracle = poisson_2indep(c, m, b, n, method="exact-cond", alternative="larger")
            assert found.p_more == pytest.approx(oracle.pvalue, rel=1e-9)
        less = stats.binomtest(c, b + c, m / (n + m), alternative="less")
        assert found.p_fewer == pytest.approx(less.pvalue, rel=1e-9)
        share = stats.binomtest(c, b + c, m / (n + m)).proportion_ci(0.95)
        assert found.low == pytest.approx(share.low / (1 - share.low) * n / m, rel=1e-7)
        if b:
            assert found.high == pytest.approx(share.high / (1 - share.high) * n / m, rel=1e-7)


def test_new_only_when_the_baseline_had_the_chance_to_show_it():
    early, late = (
        compare_signatures(np.array([0]), np.array([6]), n, 1000)[0] for n in (100, 2000)
    )
    assert (early.novelty, late.novelty) == ("not seen yet", "new")
    assert early.ratio is None and early.high is None


def test_the_units_to_tell_are_just_enough():
    n = units_to_tell(6, 1000)
    found = [
        compare_signatures(np.array([0]), np.array([6]), at, 1000)[0].novelty for at in (n - 1, n)
    ]
    assert found == ["not seen yet", "new"]
    assert units_to_tell(0, 1000) == 0


def test_gone_fewer_more_alike():
    found = compare_signatures(np.array([30, 60, 10, 5]), np.array([0, 20, 60, 5]), 1000, 1000)
    assert [one.novelty for one in found] == ["gone", "fewer", "more", "alike"]


def test_a_long_list_does_not_alarm_by_its_length():
    """600 rare signatures, alike in both versions."""
    random = np.random.default_rng(7)
    rates = random.uniform(0.5, 8, 600)
    alarmed = sum(
        any(
            one.novelty in {"new", "more", "fewer", "gone"}
            for one in compare_signatures(random.poisson(rates), random.poisson(rates), 5000, 5000)
        )
        for _ in range(100)
    )
    assert alarmed <= stats.binom.ppf(0.999, 100, 0.05)


def test_no_traffic_says_nothing():
    found = compare_signatures(np.array([0, 2]), np.array([3, 0]), 0, 50)
    assert [one.novelty for one in found] == ["not seen yet", "alike"]
    assert compare_signatures(np.array([]), np.array([]), 10, 10) == []
