"""Rates agree with statsmodels: score intervals, the stratified test, the exact one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
)
from statsmodels.stats.proportion import test_proportions_2indep as proportions_2indep

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.rates import (
    Score,
    cochran_mantel_haenszel,
    estimate_rate,
    exact_mid_p,
    newcombe,
    restrict,
    wilson,
)
from whence.analysis.statistics.samples import Sample, match

RANDOM = np.random.default_rng(4)


def sample(events: list[int], trials: list[int]) -> Sample:
    strata = np.repeat(np.arange(len(trials)), trials)
    values = np.concatenate([np.arange(n) < k for k, n in zip(events, trials)])
    return Sample(values, strata)


# Newcombe, Statistics in Medicine 1998, table II: c of m against b of n, and Miettinen-Nurminen's limits.
PUBLISHED = [
    (56, 70, 48, 80, 0.0528, 0.3382),
    (9, 10, 3, 10, 0.1700, 0.8406),
    (6, 7, 2, 7, 0.0342, 0.8534),
    (5, 56, 0, 29, -0.0326, 0.1933),
    (0, 10, 0, 20, -0.1658, 0.2844),
    (10, 10, 0, 20, 0.7156, 1.0),
]


@pytest.mark.parametrize(("c", "m", "b", "n", "low", "high"), PUBLISHED)
def test_one_stratum_is_miettinen_and_nurminens_published_interval(c, m, b, n, low, high):
    limits = Score(
        *[(np.array([x * 1.0]), np.array([y * 1.0])) for x, y in ((b, c), (n, m))], np.ones(1)
    )
    assert limits.interval(0.05) == pytest.approx((low, high), abs=5.1e-5)
    assert limits.difference == pytest.approx(c / m - b / n)


def test_at_zero_the_score_is_statsmodels():
    """Only at zero: away from it statsmodels 0.15 has a slip in the cubic's linear coefficient, and
    ends at rates of lower likelihood than `restrict`, as the test of the likelihood below shows."""
    estimate = estimate_rate(match(sample([40], [400]), sample([60], [350])))
    oracle = proportions_2indep(
        60, 350, 40, 400, value=0, method="score", compare="diff", correction=True
    )
    assert estimate.limits.z(0.0) == pytest.approx(oracle.statistic, rel=1e-12)


def test_newcombe_and_wilson_are_statsmodels():
    assert newcombe(5, 60, 14, 70) == pytest.approx(
        confint_proportions_2indep(14, 70, 5, 60, method="newcomb", compare="diff"), rel=1e-9
    )
    assert wilson(3, 50) == pytest.approx(proportion_confint(3, 50, method="wilson"), rel=1e-9)


def test_strata_are_the_cochran_mantel_haenszel_test():
    events, trials = ([3, 9, 20], [4, 16, 25]), ([60, 80, 100], [40, 90, 95])
    pair = match(sample(events[0], trials[0]), sample(events[1], trials[1]))
    tables = [
        np.array(
            [
                [events[1][s], trials[1][s] - events[1][s]],
                [events[0][s], trials[0][s] - events[0][s]],
            ]
        )
        for s in range(3)
    ]
    oracle = StratifiedTable(tables).test_null_odds(correction=False)
    z, p = cochran_mantel_haenszel(pair)
    assert (z**2, p) == pytest.approx((oracle.statistic, oracle.pvalue), rel=1e-12)


def test_the_joined_difference_has_mantel_and_haenszels_weights():
    b, n, c, m = (
        np.array(x, float) for x in ([3, 9, 20], [60, 80, 100], [4, 16, 25], [40, 90, 95])
    )
    estimate = estimate_rate(
        match(sample([3, 9, 20], [60, 80, 100]), sample([4, 16, 25], [40, 90, 95]))
    )
    w = n * m / (n + m)
    assert estimate.effect == pytest.approx(float((w * (c / m - b / n)).sum() / w.sum()), rel=1e-12)
    low, high = estimate.limits.interval(0.05)
    assert [estimate.limits.z(x) for x in (low, high)] == pytest.approx(
        [1.959964, -1.959964], abs=1e-5
    )


@pytest.mark.parametrize("point", [-0.4, -0.02, 0.0, 0.005, 0.3])
def test_restricted_rates_maximise_the_likelihood(point):
    b, n, c, m = 7.0, 50.0, 12.0, 40.0
    at_b, at_c = restrict(*(np.array([x]) for x in (b, n, c, m)), point)

    def loss(p: float) -> float:
        return -stats.binom.logpmf(b, n, p) - stats.binom.logpmf(c, m, p + point)

    low, high = max(0.0, -point) + 1e-9, min(1.0, 1 - point) - 1e-9
    best = optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    assert (at_b[0], at_c[0] - at_b[0]) == pytest.approx((best.x, point), abs=1e-6)


def test_the_exact_test_is_fishers_with_half_of_the_seen_table():
    more, fewer = exact_mid_p(*(np.array([x], float) for x in (1, 90, 6, 80)))
    law = stats.hypergeom(170, 7, 80)
    assert more == pytest.approx(law.sf(6) + law.pmf(6) / 2, rel=1e-9)
    assert fewer == pytest.approx(law.cdf(5) + law.pmf(6) / 2, rel=1e-9)


def test_the_exact_test_over_strata_is_the_sum_over_all_tables():
    b, n, c, m = (np.array(x, float) for x in ([1, 0], [20, 9], [2, 3], [15, 12]))
    more, fewer = exact_mid_p(b, n, c, m)
    laws = [stats.hypergeom(35, 3, 15), stats.hypergeom(21, 3, 12)]
    joint = {(i, j): laws[0].pmf(i) * laws[1].pmf(j) for i in range(4) for j in range(4)}
    assert more == pytest.approx(
        sum(p * (1 if i + j > 5 else 0.5) for (i, j), p in joint.items() if i + j >= 5)
    )
    assert more + fewer == pytest.approx(1.0)


def test_no_event_at_all_still_has_an_interval():
    result = decide(
        estimate_rate(match(sample([0], [3000]), sample([0], [3000]))), Rule(margin=0.005)
    )
    assert result.verdict == "equivalent" and result.low < 0 < result.high


def test_few_events_do_not_exclude_zero_without_the_exact_test():
    estimate = estimate_rate(match(sample([0], [100]), sample([4], [100])))
    assert estimate.limits.exact_p[0] > 0.025
    assert estimate.limits.interval(0.05)[0] == 0.0


def test_errors_that_come_in_sessions_are_worth_fewer():
    units = np.repeat(np.arange(60), 20)
    arms = [(RANDOM.random(60) < p)[units] & (RANDOM.random(1200) < 0.8) for p in (0.1, 0.2)]
    apart = estimate_rate(match(*(Sample(x) for x in arms)))
    joined = estimate_rate(match(*(Sample(x, None, units) for x in arms)))
    assert joined.error > 3 * apart.error
    assert joined.effect == pytest.approx(apart.effect)


def test_the_candidates_mix_can_be_the_weight():
    estimate = estimate_rate(
        match(sample([3, 9], [60, 80]), sample([4, 90], [40, 400])), weighting="candidate"
    )
    assert estimate.effect == pytest.approx(estimate.facts.values[1] - estimate.facts.values[0])


def test_small_strata_beside_sessions_do_not_narrow_the_interval():
    """Sessions that fail as a whole, and eight single traces a stratum: nothing has changed."""
    random = np.random.default_rng(11)
    singles = np.repeat(np.arange(1, 31), 8)

    def draw() -> Sample:
        failed = np.repeat(random.random(60) < 0.2, 20)
        values = np.concatenate([failed, random.random(len(singles)) < 0.2])
        strata = np.concatenate([np.zeros(1200, int), singles])
        units = np.concatenate([np.repeat(np.arange(60), 20), 60 + np.arange(len(singles))])
        return Sample(values.astype(float), strata, units)

    results = [
        decide(estimate_rate(match(draw(), draw())), Rule(margin=0.005, worse="higher"))
        for _ in range(60)
    ]
    assert all(one.high - one.low > 0.05 for one in results)
    assert sum(one.verdict in ("regressed", "improved") for one in results) <= 5


def test_without_any_error_sessions_count_and_not_their_traces():
    """40 sessions of 25 traces without an error are no 1,000 independent traces."""
    units = np.arange(1000) // 25
    clean = np.zeros(1000)
    clustered = estimate_rate(match(Sample(clean, None, units), Sample(clean, None, units)))
    each_one = estimate_rate(match(Sample(np.zeros(40)), Sample(np.zeros(40))))
    assert clustered.limits.interval(0.05) == pytest.approx(
        each_one.limits.interval(0.05), abs=0.006
    )
    assert decide(clustered, Rule(margin=0.02)).verdict == "inconclusive"


def test_one_giant_session_without_an_error_proves_nothing():
    units = np.concatenate([np.zeros(5000, int), np.arange(1, 20)])
    clean = np.zeros(units.size)
    found = estimate_rate(match(Sample(clean, None, units), Sample(clean, None, units)))
    assert decide(found, Rule(margin=0.1)).verdict == "inconclusive"


def test_sessions_that_fail_whole_are_rarely_called_equivalent_or_worse():
    """One session in 400 fails whole: nearly every arm of 150 sessions has no error, or ten."""
    draw = np.random.default_rng(11)
    units = np.arange(1500) // 10
    wrong = 0
    for _ in range(300):
        arms = [(draw.random(150) < rate)[units] for rate in (0.0025, 0.0225)]
        pair = match(*(Sample(one.astype(float), None, units) for one in arms))
        verdict = decide(estimate_rate(pair), Rule(margin=0.01)).verdict
        wrong += verdict in ("equivalent", "improved")
    assert wrong <= 12  # the truth is two points worse; 2.5 % of 300 is 7.5
