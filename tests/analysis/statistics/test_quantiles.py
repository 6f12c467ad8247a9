"""Quantiles agree with numpy's weighted ones, their variance with the delta method on clusters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.quantiles import (
    OneQuantile,
    estimate_quantiles,
    least_traces,
    weigh,
)
from whence.analysis.statistics.samples import Sample, match

RANDOM = np.random.default_rng(2)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.95, 0.99])
def test_a_standardised_quantile_is_numpys_weighted_one(p):
    b = Sample(RANDOM.lognormal(7, 1, 500), RANDOM.integers(0, 3, 500))
    c = Sample(RANDOM.lognormal(7, 1, 701), np.minimum(RANDOM.integers(0, 9, 701), 2))
    pair = match(b, c)
    for arm in pair.arms:
        oracle = np.quantile(arm.values, p, method="inverted_cdf", weights=arm.weights)
        assert weigh(arm).quantile(p) == oracle
    assert weigh(pair.candidate).quantile(p) == np.quantile(c.values, p, method="inverted_cdf")


def test_without_clusters_the_variance_is_the_binomials():
    pair = match(Sample(RANDOM.normal(size=400)), Sample(RANDOM.normal(size=400)))
    value = weigh(pair.baseline).quantile(0.9)
    assert weigh(pair.baseline).spread(value, 0.9).variance == pytest.approx(
        0.9 * 0.1 / 399, rel=1e-12
    )


def test_with_clusters_the_variance_is_the_delta_methods_on_sums_by_unit():
    units = np.repeat(np.arange(40), RANDOM.integers(1, 9, 40))
    values = RANDOM.normal(size=40)[units] + RANDOM.normal(size=units.size)
    pair = match(Sample(values, None, units), Sample(values, None, units))
    value = weigh(pair.baseline).quantile(0.75)
    hits = np.bincount(units, weights=values <= value)
    sizes = np.bincount(units)
    share = hits.sum() / sizes.sum()
    oracle = (hits - share * sizes).var(ddof=1) * 40 / sizes.sum() ** 2
    assert weigh(pair.baseline).spread(value, 0.75).variance == pytest.approx(oracle, rel=1e-10)


@pytest.mark.parametrize(("n", "p"), [(76, 0.95), (400, 0.95), (100, 0.5), (800, 0.99)])
def test_one_arms_limits_are_within_one_rank_of_the_exact_ones(n, p):
    values = np.arange(1.0, n + 1)
    arm = match(Sample(values), Sample(values)).baseline
    weighed = weigh(arm)
    value = weighed.quantile(p)
    low, high = OneQuantile(weighed, p, value, weighed.spread(value, p)).interval(0.05)
    exact_low = stats.binom.ppf(0.025, n, p)
    exact_high = stats.binom.ppf(0.975, n, p) + 1
    assert abs(low - exact_low) <= 1.5 and abs(min(high, n + 1) - exact_high) <= 1.5


def test_the_tail_needs_its_traces():
    assert (least_traces(0.95), least_traces(0.99), least_traces(0.5)) == (76, 396, 4)
    assert least_traces(0.95, 0.01) > 76
    estimate = estimate_quantiles(
        match(Sample(RANDOM.lognormal(7, 1, 75)), Sample(RANDOM.lognormal(9, 1, 75))), (0.95,)
    )[0]
    result = decide(estimate, Rule())
    assert result.verdict == "inconclusive" and "needs about 76" in result.reason
    assert result.low > 0.1, "the bootstrap's interval is shown all the same"


def test_few_sessions_are_few_however_many_traces_they_have():
    units = np.repeat(np.arange(12), 50)
    arms = [
        Sample(np.exp(RANDOM.normal(size=12)[units] + 0.1 * RANDOM.normal(size=600)), None, units)
        for _ in range(2)
    ]
    result = decide(estimate_quantiles(match(*arms), (0.95,))[0], Rule())
    assert result.verdict == "inconclusive" and "independent traces" in result.reason


def test_a_discrete_metric_that_stays_is_equivalent():
    steps = np.repeat([2.0, 3.0, 4.0], 100)
    result = decide(estimate_quantiles(match(Sample(steps), Sample(steps)), (0.5,))[0], Rule())
    assert (result.verdict, result.effect) == ("equivalent", 0.0)


def test_the_bootstrap_is_fixed_by_its_seed():
    pair = match(Sample(RANDOM.lognormal(7, 1, 40)), Sample(RANDOM.lognormal(7, 1, 40)))
    first, second, other = (
        estimate_quantiles(pair, (0.95,), seed=s)[0].limits.interval(0.05) for s in (0, 0, 1)
    )
    assert first == second and first != other


def test_equal_values_do_not_make_an_interval_narrower_than_their_limit_does():
    """Rounded to steps, F jumps from 0.93 to 0.99: the 95th percentile's own variance counts."""
    values = np.repeat([1.0, 2.0, 3.0], [930, 60, 10])
    units = np.arange(1000) // 4
    pair = match(Sample(values, None, units), Sample(values, None, units))
    arm = weigh(pair.baseline)
    rough = arm.spread(arm.quantile(0.95), 0.95).variance
    shares = [np.bincount(units, weights=values <= level) for level in (1.0, 2.0)]
    oracles = [
        0.95 * 0.05 / (q * (1 - q)) * (one - 4 * q).var(ddof=1) * 250 / 1000**2
        for one, q in zip(shares, (0.93, 0.99), strict=True)
    ]
    assert rough == pytest.approx(max(oracles), rel=1e-9)


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5])
def test_rounded_values_raise_no_more_false_alarms(step):
    draw = np.random.default_rng(8)
    alarms = 0
    for _ in range(400):
        arms = [np.round(draw.lognormal(0, 0.5, 300) / step) * step + step for _ in range(2)]
        (one,) = estimate_quantiles(match(Sample(arms[0]), Sample(arms[1])), [0.95])
        low, high = one.limits.interval(0.05)
        alarms += low > 0 or high < 0
    assert stats.binomtest(alarms, 400, 0.05, alternative="greater").pvalue > 0.001


def test_limits_only_grow_as_the_level_gets_stricter():
    """The correction for skew, which grows with t², must not overtake t·σ."""
    units = np.arange(900) // 150  # six units: few degrees of freedom, large t
    values = RANDOM.lognormal(3, 1, 900) * RANDOM.lognormal(0, 0.2, 6)[units]
    pair = match(Sample(values, None, units), Sample(values, None, units))
    arm = weigh(pair.baseline)
    value = arm.quantile(0.9)
    one = OneQuantile(arm, 0.9, value, arm.spread(value, 0.9))
    ends = [one.interval(alpha) for alpha in (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-5, 1e-8)]
    assert [low for low, _ in ends] == sorted((low for low, _ in ends), reverse=True)
    assert [high for _, high in ends] == sorted(high for _, high in ends)
