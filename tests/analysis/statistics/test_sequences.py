"""Looking again and again: the levels add up, and the sequence is the paper's."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.estimates import Student, critical
from whence.analysis.statistics.means import estimate_mean
from whence.analysis.statistics.rates import estimate_rate
from whence.analysis.statistics.samples import Sample, match
from whence.analysis.statistics.sequences import (
    TUNED_TO_FOLLOW,
    Followed,
    Looked,
    Looks,
    count_information,
    decide_at_look,
    follow,
    mixture_rho,
    share_of,
    watch,
    widen,
)
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(9)


def test_the_levels_of_all_looks_add_up_to_alpha():
    looks = Looks(alpha=0.05)
    assert sum(looks.level(k) for k in range(1, 200_000)) == pytest.approx(0.05, rel=1e-4)


def test_looks_are_due_at_geometrically_growing_units():
    looks = Looks(first=50, growth=1.5)
    assert [looks.due(n) for n in (0, 49, 50, 74, 75, 112, 113)] == [0, 0, 1, 1, 2, 2, 3]
    assert looks.due(looks.units(9)) == 9
    with pytest.raises(InvalidInputError, match="grow by more than 1"):
        Looks(growth=1.0)


def test_the_half_width_is_waudby_smiths():
    n, alpha, s = 700.0, 0.05, 3.0
    rho = mixture_rho(alpha)
    mean_scale = s * np.sqrt(
        2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / alpha)
    )
    assert widen(n, alpha) * s / np.sqrt(n) == pytest.approx(mean_scale, rel=1e-12)


def test_rho_makes_it_narrow_near_the_units_it_is_tuned_for():
    at = widen(5000, 0.05)
    assert all(widen(5000, 0.05, tuned) >= at * 0.995 for tuned in (500, 2000, 4000, 6500, 20_000))
    assert at > critical(0.05)
    assert widen(0, 0.05) == float("inf")


def test_a_watched_mean_is_wider_and_its_verdict_valid_at_any_time():
    b, c = RANDOM.lognormal(7, 0.5, 3000), RANDOM.lognormal(7.4, 0.5, 3000)
    estimate = estimate_mean(match(Sample(b), Sample(c)))
    fixed, valid = estimate.limits.interval(0.05), watch(estimate).limits.interval(0.05)
    assert valid[0] < fixed[0] < fixed[1] < valid[1]
    assert decide(watch(estimate), Rule()).verdict == "regressed"
    result = decide(watch(estimate), Rule())
    assert result.p_regressed > decide(estimate, Rule()).p_regressed


def test_a_baseline_that_stands_still_costs_half_of_alpha():
    b, c = RANDOM.lognormal(7, 0.5, 9000), RANDOM.lognormal(7, 0.5, 500)
    pair = match(Sample(b), Sample(c))
    estimate = estimate_mean(pair)
    error = float(np.sqrt(pair.baseline.spread(pair.baseline.values).variance) / b.mean())
    low, high = watch(estimate, baseline_error=error).limits.interval(0.05)
    grows = np.sqrt(estimate.error**2 - error**2)
    assert (high - low) / 2 == pytest.approx(
        widen(500, 0.025) * grows + critical(0.025) * error, rel=1e-9
    )


def test_rates_and_undecided_estimates_can_be_watched():
    arms = [Sample(RANDOM.random(2000) < p) for p in (0.02, 0.1)]
    assert decide(watch(estimate_rate(match(*arms))), Rule(margin=0.005)).verdict == "regressed"
    empty = estimate_rate(match(Sample(np.zeros(0)), arms[1]))
    assert watch(empty) is empty


def test_a_later_look_is_stricter():
    estimate = estimate_mean(
        match(Sample(RANDOM.normal(10, 1, 200)), Sample(RANDOM.normal(10.5, 1, 200)))
    )
    widths = [r.high - r.low for r in (decide_at_look(estimate, Rule(), k) for k in (1, 4))]
    assert widths[0] < widths[1]


@pytest.mark.parametrize("n", [60, 500, 40_000])
def test_followed_limits_are_the_sequence_where_they_are_normal(n):
    followed = Followed(Student(0.3, 0.05), n)
    low, high = followed.interval(0.05)
    assert (high - low) / 2 == pytest.approx(widen(n, 0.05, TUNED_TO_FOLLOW) * 0.05, rel=1e-6)
    above, below = followed.tails(low)
    assert (above, below) == pytest.approx((0.025, 0.975), rel=1e-6)
    assert followed.tails(0.6)[1] < followed.tails(0.5)[1] < 0.5


def test_a_rate_without_events_is_not_known_to_be_zero():
    estimate = follow(estimate_rate(match(Sample(np.zeros(200)), Sample(np.zeros(50)))))
    assert decide(estimate, Rule(margin=0.005)).verdict == "inconclusive"
    low, high = estimate.limits.interval(0.05)
    assert low < -0.03 and high > 0.1


def test_a_looks_limits_take_its_share_of_the_level():
    plain = Student(0.3, 0.1)
    looked = Looked(plain, 3)
    assert looked.interval(0.05) == plain.interval(0.05 * share_of(3))
    assert looked.tails(0.0)[0] == pytest.approx(plain.tails(0.0)[0] / share_of(3))
    assert looked.tails(0.0)[1] == 1.0
    assert count_information(100, 300) == pytest.approx(150)
    assert count_information(0, 0) == 0
