"""Holm and Benjamini-Hochberg agree with statsmodels and scipy; guards never contradict themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from whence.analysis.statistics.decision import Rule, decide, read_verdict
from whence.analysis.statistics.estimates import Estimate, Facts, Student
from whence.analysis.statistics.multiplicity import adjust_holm, decide_guards, find_q_values
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(6)
FACTS = Facts(
    n=(500, 500), units=(500, 500), values=(1.0, 1.1), raw=(1.0, 1.1), coverage=(1.0, 1.0)
)


def guard(effect: float, error: float = 0.05) -> tuple[Estimate, Rule]:
    return Estimate("test", "difference", FACTS, effect, error, Student(effect, error)), Rule()


def test_adjusted_p_values_and_q_values_are_the_oracles():
    for p in (RANDOM.random(40) ** 3, np.array([0.01, 0.01, 0.2]), np.array([0.5])):
        assert adjust_holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)
        assert find_q_values(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], rel=1e-12)
        assert find_q_values(p) == pytest.approx(stats.false_discovery_control(p), rel=1e-12)


def test_an_unknown_p_value_does_not_count():
    q = find_q_values(np.array([0.01, np.nan, 0.04]))
    assert np.isnan(q[1]) and q[[0, 2]] == pytest.approx([0.02, 0.04])


def test_one_guard_is_decided_as_alone():
    assert decide_guards([guard(0.25)]) == [decide(*guard(0.25))]


def test_guards_step_down():
    alone = decide(*guard(0.205)).verdict
    among = [one.verdict for one in decide_guards([guard(0.205), *[guard(0.05)] * 4])]
    after = [
        one.verdict
        for one in decide_guards([guard(0.205), guard(0.9), guard(0.9), guard(0.9), guard(0.9)])
    ]
    assert (alone, among[0], after[0]) == ("regressed", "inconclusive", "regressed")


def test_an_interval_never_contradicts_its_verdict():
    for _ in range(200):
        guards = [guard(RANDOM.normal(0, 0.3), RANDOM.uniform(0.01, 0.2)) for _ in range(6)]
        for one in decide_guards(guards):
            if one.verdict != "inconclusive":
                assert read_verdict(one.low, one.high, one.margin, one.worse) == one.verdict


def test_any_false_regressed_among_eight_guards_is_rare():
    """All eight effects are exactly the margin: the family's error is at most α/2."""
    alarms = sum(
        any(
            one.verdict == "regressed"
            for one in decide_guards([guard(0.1 + 0.05 * x) for x in RANDOM.normal(size=8)])
        )
        for _ in range(1500)
    )
    assert alarms <= stats.binom.ppf(0.999, 1500, 0.025)


def test_a_guard_without_data_takes_no_part():
    nothing = Estimate("test", "difference", FACTS, problem="no data"), Rule()
    results = decide_guards([nothing, guard(0.205)])
    assert [one.verdict for one in results] == ["inconclusive", "regressed"]


def test_more_than_eight_guards_are_refused():
    with pytest.raises(InvalidInputError, match="at most 8"):
        decide_guards([guard(0.1)] * 9)
