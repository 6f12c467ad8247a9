"""The table of docs/statistics.md, re-simulated with fixed seeds, and the page made from it."""

from __future__ import annotations

import json

import pytest
import statistics_page
from statistics_simulation import SCENARIOS, find_breach, run


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.key)
def test_rates_hold_their_bounds_in_short_form(scenario):
    counts = run(scenario, scenario.quick)
    breaches = [
        find_breach(bound, counts[name], scenario.quick) for name, bound in scenario.alarms.items()
    ]
    assert not any(breaches), breaches


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.key)
def test_rates_hold_their_bounds_in_full_length(scenario):
    counts = run(scenario, scenario.runs)
    breaches = [
        find_breach(bound, counts[name], scenario.runs) for name, bound in scenario.alarms.items()
    ]
    assert not any(breaches), breaches


def test_the_page_is_made_from_the_results_of_these_scenarios():
    results = json.loads(statistics_page.RESULTS.read_text(encoding="utf-8"))
    assert statistics_page.PAGE.read_text(encoding="utf-8") == statistics_page.make_page(results)
    wanted = {one.key: {"runs", *one.alarms} for one in SCENARIOS}
    assert {key: set(counts) for key, counts in results.items()} == wanted
    assert {key: counts["runs"] for key, counts in results.items()} == {
        one.key: one.runs for one in SCENARIOS
    }


def test_the_results_on_the_page_hold_their_bounds():
    results = json.loads(statistics_page.RESULTS.read_text(encoding="utf-8"))
    assert statistics_page.find_breaches(results) == []
