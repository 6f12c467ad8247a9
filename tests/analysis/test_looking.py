"""Looking again and again at growing traffic: no false alarms, and large changes are found."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.judge import Measured, judge
from whence.analysis.looking import Looking, find_look, judge_again
from whence.analysis.metrics import METRICS

GUARDS = ("duration", "duration_p95", "error_rate", "total_tokens")
CHOSEN = [one for one in METRICS if one.name in GUARDS]
TIMES = 12


class Traffic:
    """Two versions' traces in the order of arrival; `slower` and `failing` are the candidate's."""

    def __init__(self, seed, sizes, *, slower=1.0, failing=0.05):
        draw = np.random.default_rng(seed)
        self.arms = [
            {
                "duration": draw.lognormal(5, 0.6, size) * (slower if arm else 1.0),
                "failed": (draw.random(size) < (failing if arm else 0.05)).astype(float),
                "total_tokens": draw.gamma(4, 50, size),
            }
            for arm, size in enumerate(sizes)
        ]

    def until(self, baseline, candidate):
        """Return what has arrived once each version has so many traces."""
        sizes = int(baseline), int(candidate)
        columns = {
            name: np.concatenate([self.arms[0][name][: sizes[0]], self.arms[1][name][: sizes[1]]])
            for name in self.arms[0]
        }
        whole = sum(sizes)
        return Measured(
            np.arange(whole) >= sizes[0], np.zeros(whole, np.int64), np.arange(whole), columns
        )


def look_often(traffic, growth, margin=0.0):
    """Look at every moment of `growth`; return all verdicts that the guards ever had."""
    verdicts, taken = [], 0
    for sizes in growth:
        measured = traffic.until(*sizes)
        watching = find_look(measured, Looking(taken=taken))
        judged = judge_again(
            measured, CHOSEN, dict.fromkeys(GUARDS, True), dict.fromkeys(GUARDS, margin), watching
        )
        taken = watching.look
        verdicts += [one.result.verdict for one in judged]
    return set(verdicts)


def both_grow(size):
    return [(n, n) for n in np.geomspace(40, size, TIMES)]


def candidate_grows(size):
    return [(size, n) for n in np.geomspace(40, size, TIMES)]


def count_alarms(runs, size, growth, **traffic):
    """Return how many runs ever called something better or worse, with no margin at all."""
    return sum(
        bool(look_often(Traffic(seed, (size, size), **traffic), growth) & {"regressed", "improved"})
        for seed in range(runs)
    )


@pytest.mark.parametrize("growth", [both_grow, candidate_grows])
def test_many_looks_at_the_same_code_raise_no_alarms(growth):
    assert count_alarms(40, 600, growth(600)) <= 2


def test_fixed_tests_would_raise_them():
    """What the sequence is for: the same looks, each at its full level."""
    alarms = 0
    for seed in range(25):
        traffic, found = Traffic(seed, (600, 600)), set()
        for sizes in both_grow(600):
            judged = judge(
                traffic.until(*sizes),
                CHOSEN,
                dict.fromkeys(GUARDS, True),
                dict.fromkeys(GUARDS, 0.0),
            )
            found |= {one.result.verdict for one in judged}
        alarms += bool(found & {"regressed", "improved"})
    assert alarms >= 4


@pytest.mark.slow
@pytest.mark.parametrize("growth", [both_grow, candidate_grows])
def test_many_runs_of_the_same_code_raise_at_most_five_alarms_in_a_hundred(growth):
    assert count_alarms(1000, 5000, growth(5000)) <= 50


def test_a_large_change_is_found_while_traffic_grows():
    found = [
        look_often(
            Traffic(seed, (600, 600), slower=1.5, failing=0.2), candidate_grows(600), margin=0.1
        )
        for seed in range(12)
    ]
    assert sum("regressed" in one for one in found) >= 11
    assert not any("improved" in one for one in found)


def test_a_change_of_the_margin_is_hardly_ever_called_regressed():
    called = [
        look_often(Traffic(seed, (600, 600), slower=1.1), both_grow(600), margin=0.1)
        for seed in range(25)
    ]
    assert sum("regressed" in one for one in called) <= 2


def test_nothing_is_said_before_the_first_look_and_quantiles_wait_for_the_next():
    traffic = Traffic(1, (900, 900), slower=3.0, failing=0.9)

    def ask(sizes, taken):
        measured = traffic.until(*sizes)
        watching = find_look(measured, Looking(taken=taken))
        margins = dict.fromkeys(GUARDS, 0.1)
        guards = dict.fromkeys(GUARDS, True)
        judged = judge_again(measured, CHOSEN, guards, margins, watching)
        return watching, {one.metric.name: one.result for one in judged}

    watching, early = ask((900, 24), 0)
    assert (watching.look, watching.is_new) == (0, False)
    assert {one.verdict for one in early.values()} == {"inconclusive"}
    assert "first look is at 50" in early["duration"].reason
    watching, first = ask((120, 80), 0)
    assert (watching.look, watching.is_new, watching.units) == (2, True, 96.0)
    assert first["duration"].verdict == first["error_rate"].verdict == "regressed"
    assert "look 2" in first["duration"].method
    assert "confidence sequence" in first["error_rate"].method
    again, second = ask((120, 80), watching.look)
    assert (again.look, again.is_new, again.next_units) == (2, False, 113)
    assert second["duration"].verdict == "inconclusive"
    assert "next look is at 113" in second["duration"].reason
    assert second["error_rate"].verdict == "regressed"
