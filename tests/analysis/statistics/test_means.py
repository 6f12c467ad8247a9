"""Means agree with Welch's t-test and with the delta method written out."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.means import estimate_mean, estimate_winsorised, per_unit
from whence.analysis.statistics.samples import Sample, match

RANDOM = np.random.default_rng(3)


def test_one_stratum_of_single_traces_is_welchs_t_test():
    b, c = RANDOM.normal(5, 1, 30), RANDOM.normal(5.5, 2, 47)
    estimate = estimate_mean(match(Sample(b), Sample(c)), "difference")
    oracle = stats.ttest_ind(c, b, equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert estimate.limits.interval(0.05) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert decide(estimate, Rule(margin=0.0)).p_value == pytest.approx(oracle.pvalue, rel=1e-10)
    assert estimate.limits.freedom == pytest.approx(oracle.df, rel=1e-10)


def test_the_ratio_is_the_delta_method():
    b, c = RANDOM.gamma(2, 3, 200), RANDOM.gamma(2, 3.3, 300)
    estimate = estimate_mean(match(Sample(b), Sample(c)))
    assert estimate.effect == pytest.approx(np.log(c.mean() / b.mean()), rel=1e-12)
    variance = b.var(ddof=1) / 200 / b.mean() ** 2 + c.var(ddof=1) / 300 / c.mean() ** 2
    assert estimate.error == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_clusters_are_those_of_a_regression_with_clustered_errors():
    units = np.repeat(np.arange(30), RANDOM.integers(1, 8, 30))
    values = 5 + RANDOM.normal(size=30)[units] + RANDOM.normal(size=units.size)
    pair = match(Sample(values, None, units), Sample(values, None, units))
    fit = sm.OLS(values, np.ones(values.size)).fit(
        cov_type="cluster", cov_kwds={"groups": units, "use_correction": False}
    )
    found = pair.baseline.spread(values).variance
    assert found == pytest.approx(float(fit.bse[0]) ** 2 * 30 / 29, rel=1e-10)


def test_strata_are_weighed_by_the_candidates_mix():
    strata_b, strata_c = np.repeat([0, 1], [60, 40]), np.repeat([0, 1], [20, 80])
    b, c = RANDOM.normal(10 + 5 * strata_b, 1), RANDOM.normal(10 + 5 * strata_c, 1)
    estimate = estimate_mean(match(Sample(b, strata_b), Sample(c, strata_c)), "difference")
    means = [(b[strata_b == s].mean(), c[strata_c == s].mean()) for s in (0, 1)]
    assert estimate.effect == pytest.approx(
        0.2 * (means[0][1] - means[0][0]) + 0.8 * (means[1][1] - means[1][0])
    )
    variance = sum(
        w**2
        * (
            b[strata_b == s].var(ddof=1) / (strata_b == s).sum()
            + c[strata_c == s].var(ddof=1) / (strata_c == s).sum()
        )
        for s, w in ((0, 0.2), (1, 0.8))
    )
    assert estimate.error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert estimate.facts.values[1] == pytest.approx(c.mean())


def test_sessions_are_summed_before_they_are_compared():
    units = np.array([7, 7, 3, 3, 3, 9])
    found = per_unit(
        Sample(np.array([1.0, 2.0, 3.0, np.nan, 5.0, np.nan]), np.array([1, 2, 0, 0, 0, 4]), units)
    )
    assert found.values[:2].tolist() == [8.0, 3.0] and np.isnan(found.values[2])
    assert found.strata.tolist() == [0, 1, 4]


def test_a_heavy_tail_gives_no_verdict_and_winsorising_shows_the_bulk():
    """Five runaway traces in 2000 against none are no evidence on the mean: by chance one in sixteen."""
    b, c = RANDOM.lognormal(0, 0.3, 2000), RANDOM.lognormal(0, 0.3, 2000)
    c[:5] = 5000.0
    raw, cut = (
        decide(e(match(Sample(b), Sample(c))), Rule()) for e in (estimate_mean, estimate_winsorised)
    )
    assert raw.verdict == "inconclusive" and "heavy tail" in raw.reason and raw.low > 0.1
    assert cut.verdict == "equivalent"


def test_many_runaway_traces_are_evidence():
    b, c = RANDOM.lognormal(0, 0.3, 50_000), RANDOM.lognormal(0, 0.3, 50_000)
    c[:500] = 500.0
    assert decide(estimate_mean(match(Sample(b), Sample(c))), Rule()).verdict == "regressed"
