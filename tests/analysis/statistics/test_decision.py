"""Verdicts: where the whole interval lies; what is missing where it lies nowhere."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from whence.analysis.statistics.decision import Rule, decide, read_verdict
from whence.analysis.statistics.estimates import Estimate, Facts, Student, search_tails
from whence.errors import InvalidInputError

FACTS = Facts(
    n=(500, 500), units=(500, 500), values=(1.0, 1.1), raw=(1.0, 1.1), coverage=(1.0, 1.0)
)


def estimate(effect: float, error: float, scale: str = "ratio") -> Estimate:
    return Estimate("test", scale, FACTS, effect, error, Student(effect, error))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.11, 0.3, "regressed"),
        (0.1, 0.3, "inconclusive"),
        (-0.05, 0.09, "equivalent"),
        (-0.3, -0.11, "improved"),
        (-0.2, 0.2, "inconclusive"),
        (float("nan"), 0.2, "inconclusive"),
        (-float("inf"), float("inf"), "inconclusive"),
    ],
)
def test_the_verdict_is_where_the_interval_lies(low, high, verdict):
    assert read_verdict(low, high, 0.1, "higher") == verdict
    mirrored = {"regressed": "improved", "improved": "regressed"}.get(verdict, verdict)
    assert read_verdict(low, high, 0.1, "lower") == mirrored


def test_worse_that_may_be_below_the_margin_is_said():
    result = decide(estimate(log(1.1), 0.03), Rule())
    assert result.verdict == "inconclusive" and result.reason.startswith(
        "worse, may be below the margin"
    )
    assert decide(estimate(-log(1.1), 0.03), Rule()).reason.startswith(
        "better, may be below the margin"
    )
    assert decide(estimate(0.0, 0.5), Rule()).reason.startswith("the interval holds both")


def test_the_plan_finds_twice_the_margin_with_the_rules_power():
    """Simulated: at the units it asks for, 80 % of true changes of twice the margin are found."""
    result = decide(estimate(0.02, 0.2), Rule())
    margin = log(1.1)
    error = 0.2 * (500 / result.units_needed) ** 0.5
    seen = np.random.default_rng(0).normal(2 * margin, error, 200_000)
    assert (seen - 1.959964 * error > margin).mean() == pytest.approx(0.8, abs=0.01)
    assert result.smallest_detectable_effect == pytest.approx(
        np.expm1(margin + 2.8016 * 0.2), rel=1e-4
    )
    assert f"needs about {result.units_needed} units" in result.reason


def test_an_effect_near_the_margin_asks_for_more_than_there_are():
    result = decide(estimate(log(1.1) - 0.01, 0.02), Rule())
    assert result.verdict == "inconclusive" and result.units_needed > 500
    assert decide(estimate(log(1.1), 0.02), Rule()).units_needed is None


def test_without_a_margin_there_is_no_equivalence():
    result = decide(estimate(0.0, 0.01), Rule(margin=0.0))
    assert (result.verdict, result.p_equivalent) == ("inconclusive", 1.0)


def test_inverted_intervals_give_the_p_value_that_a_formula_gives():
    limits = Student(0.3, 0.1, 12)
    for point in (-0.2, 0.0, 0.25, 0.4):
        assert search_tails(limits, point) == pytest.approx(limits.tails(point), rel=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [{"margin": -0.1}, {"margin": float("nan")}, {"alpha": 0.0}, {"power": 1.0}, {"worse": "up"}],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        Rule(**wrong)
