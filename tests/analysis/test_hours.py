"""Hours as strata: load that swings with the hour of the day is not taken for the version's."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.judge import Measured
from whence.analysis.looking import Looking, find_look, judge_again
from whence.analysis.metrics import METRICS
from whence.analysis.strata import DEFAULT_BY, HOURS, find_strata, match_hours
from whence.query.population import Codes, Population, TraceIds

HOUR_MS, DAY_HOURS = 3_600_000, 24
MONDAY_MS = 1_789_948_800_000  # 00:00 UTC
GUARDS = ("duration", "duration_p95", "error_rate")
CHOSEN = [one for one in METRICS if one.name in GUARDS]


def draw(seed, *, days, hours, an_hour, swing=1.0, slower=1.0, from_hour=8):
    """Draw a baseline of some days, and a candidate of the hours from a morning after them on.

    By day (8 to 20 UTC) everything takes `swing` times as long, and fails as much more often.
    """
    dice = np.random.default_rng(seed)
    sizes = days * DAY_HOURS * an_hour, hours * an_hour
    begins = 0.0, days * DAY_HOURS + from_hour
    at = np.concatenate(
        [
            begin + dice.random(size) * length
            for begin, size, length in zip(begins, sizes, (days * DAY_HOURS, hours), strict=True)
        ]
    )
    whole = sum(sizes)
    is_candidate = np.arange(whole) >= sizes[0]
    load = np.where((at % DAY_HOURS >= 8) & (at % DAY_HOURS < 20), swing, 1.0)
    duration = dice.lognormal(5, 0.5, whole) * load * np.where(is_candidate, slower, 1.0)
    one = Codes(np.zeros(whole, np.int32), ("chat",))
    population = Population(
        is_candidate=is_candidate,
        key=np.arange(whole, dtype=np.uint64),
        unit=np.arange(whole),
        request_time_ms=MONDAY_MS + (at * HOUR_MS).astype(np.int64),
        duration_ms=duration,
        failed=dice.random(whole) < 0.02 * load,
        numbers={},
        labels={"environment": one, "name": one, "trace_name": one},
        request_bytes=np.full(whole, 100.0),
        found=sizes,
        unfinished=(0, 0),
        ids=TraceIds(None, np.arange(whole)),
    )
    return population


def watch(population, *, matched, parts=6):
    """Look while the candidate's hours come; return the verdicts of the guards, and the strata."""
    taken, verdicts, by = 0, set(), DEFAULT_BY
    last_ms = population.request_time_ms.max()
    first_ms = population.request_time_ms[population.is_candidate].min()
    for until_ms in np.geomspace((last_ms - first_ms) / 8, last_ms - first_ms, parts) + first_ms:
        seen = ~population.is_candidate | (population.request_time_ms <= until_ms)
        part = take(population, seen)
        by = match_hours(part, DEFAULT_BY) if matched else DEFAULT_BY
        columns = {"duration": part.duration_ms, "failed": part.failed.astype(np.float64)}
        measured = Measured(part.is_candidate, find_strata(part, by), part.unit, columns)
        watching = find_look(measured, Looking(taken=taken))
        margins = {"duration": 0.1, "duration_p95": 0.1, "error_rate": 0.005}
        judged = judge_again(measured, CHOSEN, dict.fromkeys(GUARDS, True), margins, watching)
        taken = watching.look
        verdicts |= {one.result.verdict for one in judged}
    return verdicts, by


def take(population, rows):
    labels = {name: Codes(one.codes[rows], one.names) for name, one in population.labels.items()}
    return Population(
        is_candidate=population.is_candidate[rows],
        key=population.key[rows],
        unit=np.arange(int(rows.sum())),
        request_time_ms=population.request_time_ms[rows],
        duration_ms=population.duration_ms[rows],
        failed=population.failed[rows],
        numbers={},
        labels=labels,
        request_bytes=population.request_bytes[rows],
        found=(
            int((rows & ~population.is_candidate).sum()),
            int((rows & population.is_candidate).sum()),
        ),
        unfinished=(0, 0),
        ids=population.ids,
    )


def count_alarms(runs, *, matched, **traffic):
    """Return how many rollouts ever called an unchanged version worse, or better."""
    return sum(
        bool(watch(draw(seed, **traffic), matched=matched)[0] & {"regressed", "improved"})
        for seed in range(runs)
    )


@pytest.mark.parametrize(
    ("days", "an_hour", "chosen"),
    [
        (8, 60, "hour_of_week"),
        (2, 60, "hour_of_day"),
        (2, 3, "part_of_week"),
        (2, 1, None),
    ],
)
def test_hours_are_as_fine_as_both_versions_have_traffic(days, an_hour, chosen):
    population = draw(1, days=days, hours=12, an_hour=an_hour)
    found = match_hours(population, DEFAULT_BY)
    assert found[len(DEFAULT_BY) :] == (() if chosen is None else (chosen,))


def test_hours_that_are_asked_for_are_not_added_to():
    population = draw(1, days=2, hours=12, an_hour=60)
    asked = (*DEFAULT_BY, HOURS[0])
    assert match_hours(population, asked) == asked
    assert match_hours(take(population, population.is_candidate), DEFAULT_BY) == DEFAULT_BY


def test_load_that_swings_by_the_hour_raises_alarms_only_where_hours_are_not_matched():
    swinging = {"days": 2, "hours": 10, "an_hour": 40, "swing": 3.0}
    assert count_alarms(5, matched=False, **swinging) == 5
    assert count_alarms(10, matched=True, **swinging) == 0


def test_a_version_that_is_worse_is_found_beside_a_load_that_swings():
    traffic = {"days": 2, "hours": 10, "an_hour": 40, "swing": 3.0, "slower": 1.6}
    found = [watch(draw(seed, **traffic), matched=True)[0] for seed in range(6)]
    assert all("regressed" in one for one in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "an_hour"), [(8, 40), (2, 40), (2, 4)], ids=["week", "day", "parts"]
)
def test_unchanged_versions_under_a_swinging_load_are_hardly_ever_called_worse(days, an_hour):
    """No hour holds both kinds of load; each of the three kinds of hours is chosen once."""
    swinging = {"days": days, "hours": 10, "an_hour": an_hour, "swing": 3.0}
    assert count_alarms(400, matched=True, **swinging) <= 12
