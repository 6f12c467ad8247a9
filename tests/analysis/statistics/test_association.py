"""Over-represented values: scipy's tests without clusters, fewer alarms with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.analysis.statistics.association import find_associations

RANDOM = np.random.default_rng(10)


def test_the_score_test_and_cramers_v_are_scipys():
    key = RANDOM.integers(0, 4, 1000)
    chosen = RANDOM.random(1000) < np.where(key == 2, 0.5, 0.2)
    for row in find_associations(chosen, [key]):
        has = key == row.value
        table = np.array(
            [
                [(chosen & has).sum(), (~chosen & has).sum()],
                [(chosen & ~has).sum(), (~chosen & ~has).sum()],
            ]
        )
        chi, p, *_ = stats.chi2_contingency(table, correction=False)
        assert (row.z**2, row.p_value) == pytest.approx((chi, p), rel=1e-9)
        assert row.cramers_v == pytest.approx(stats.contingency.association(table), rel=1e-9)
        assert (row.support, row.selected) == (has.sum(), (chosen & has).sum())


def test_the_guilty_value_explains_most_and_comes_first():
    region, model = RANDOM.integers(0, 5, 4000), RANDOM.integers(0, 3, 4000)
    chosen = RANDOM.random(4000) < np.where(model == 1, 0.3, 0.01)
    rows = find_associations(chosen, [region, model])
    assert (rows[0].key, rows[0].value) == (1, 1) and rows[0].q_value < 1e-6
    overall, without = chosen.mean(), chosen[model != 1].mean()
    assert rows[0].explained == pytest.approx((overall - without) / overall)
    assert all(row.q_value > 1e-4 for row in rows if row.key == 0)


def test_with_clusters_the_variance_is_that_of_sums_by_unit():
    units = np.repeat(np.arange(80), 10)
    tenant = RANDOM.integers(0, 2, 80)[units]
    chosen = (RANDOM.random(80) < 0.3)[units]
    row = find_associations(chosen, [tenant], units)[0]
    x, y = (tenant == row.value) - (tenant == row.value).mean(), chosen - chosen.mean()
    sums = np.bincount(units, x * y)
    assert row.z**2 == pytest.approx((x * y).sum() ** 2 / (sums @ sums * 80 / 79), rel=1e-9)


def test_sessions_that_fail_together_do_not_alarm():
    alarms = 0
    for _ in range(300):
        units = np.repeat(np.arange(100), 10)
        tenant, chosen = RANDOM.integers(0, 2, 100)[units], (RANDOM.random(100) < 0.3)[units]
        alarms += any(row.p_value < 0.05 for row in find_associations(chosen, [tenant], units))
    assert alarms <= stats.binom.ppf(0.999, 300, 0.05)


def test_rare_values_missing_keys_and_empty_selections():
    key = np.array([0] * 19 + [1] * 100 + [-1] * 100)
    chosen = np.arange(219) % 3 == 0
    assert [row.value for row in find_associations(chosen, [key])] == [1]
    assert find_associations(np.zeros(50, bool), [np.zeros(50, int)]) == []
    assert find_associations(np.ones(50, bool), [np.zeros(50, int)]) == []
    assert find_associations(np.zeros(0, bool), []) == []
    assert find_associations(chosen, [np.full(219, -1)]) == []
