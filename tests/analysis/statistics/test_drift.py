"""Change points: found where they are planted, rarely where nothing changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.analysis.statistics.drift import _best, find_change_points
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(11)


def test_planted_changes_are_found_in_place():
    series = RANDOM.normal(np.repeat([100.0, 130.0, 110.0], [30, 25, 35]), 5)
    found = find_change_points(series)
    assert [abs(one.place - at) <= 1 for one, at in zip(found, (30, 55), strict=True)] == [
        True,
        True,
    ]
    assert found[0].low < 30 < found[0].high
    assert found[0].effect == pytest.approx(found[0].after - found[0].before)


def test_the_effect_is_welchs():
    series = np.concatenate([RANDOM.normal(10, 1, 20), RANDOM.normal(20, 3, 30)])
    found = find_change_points(series, alpha=0.05)
    at = found[0].place
    interval = stats.ttest_ind(series[at:], series[:at], equal_var=False).confidence_interval(0.95)
    if len(found) == 1:
        assert (found[0].low, found[0].high) == pytest.approx((interval.low, interval.high))


def test_the_energy_distance_is_its_definition():
    x = RANDOM.normal(size=24)
    at, best = _best(np.abs(x[:, None] - x[None, :]), 5)
    energies = {}
    for k in range(5, 20):
        left, right = x[:k], x[k:]
        across = np.abs(left[:, None] - right[None, :]).mean()
        within = [
            np.abs(s[:, None] - s[None, :]).sum() / (s.size * (s.size - 1)) for s in (left, right)
        ]
        energies[k] = left.size * right.size / 24 * (2 * across - sum(within))
    assert at == max(energies, key=energies.get) and best == pytest.approx(max(energies.values()))


def test_a_series_without_a_change_rarely_alarms():
    alarms = sum(
        bool(find_change_points(RANDOM.lognormal(0, 1, 40), alpha=0.05)) for _ in range(100)
    )
    assert alarms <= stats.binom.ppf(0.999, 100, 0.05)


def test_gaps_short_series_and_constant_ones():
    series = RANDOM.normal(np.repeat([1.0, 9.0], 20), 0.5)
    series[[3, 10, 11]] = np.nan
    assert [one.place for one in find_change_points(series)] == [20]
    assert find_change_points(np.array([1.0, 2.0, 3.0])) == []
    assert find_change_points(np.ones(50)) == []
    assert find_change_points(np.full(50, np.nan)) == []
    with pytest.raises(InvalidInputError, match="at most 1000"):
        find_change_points(np.ones(1001))
