"""Sessions and users, counted from `value_counts`: which hours it holds, and who reads it.

That the counts are those of the traces, whatever was delivered, is tested in `test_rollups.py`.
"""

from __future__ import annotations

import time

import pytest
from tests.query.test_rollups import T0, Play, check, count_rows, interrupted, restart

from whence import semconv
from whence.ingest.ingestor import Ingestor
from whence.ingest.rollups import Roller
from whence.query.facets import count_facets
from whence.store import rollups as rollups_module
from whence.store.hours import HOUR_MS, ChangedHours, Hour
from whence.store.rollups import (
    find_first_under_way,
    find_unvalued,
    remove_old_generations,
    roll_up,
)


@pytest.fixture(scope="module")
def ingestor(store):
    with Ingestor(store) as opened:
        yield opened


@pytest.fixture
def hours(store):
    """A fresh memory of what has changed, trusted; what it was is put back."""
    before = store.hours
    restart(store)
    yield store.hours
    store.hours = before


def test_superseded_values_are_removed_where_there_are_many(store, ingestor, hours, monkeypatch):
    remove_old_generations(store, now_us=10**9)
    play = Play(store, ingestor)
    for number in range(2):
        play.do("deliver", number, 0, "OK", 5, {semconv.TRACE_USER: "u"})
        play.do("roll")
    assert remove_old_generations(store, now_us=10**9, at_least=2) == 1
    assert count_rows(store, "value_counts", play.experiment_id) == 2 * 2
    monkeypatch.setattr(rollups_module, "VALUES_A_COUNT", 1)
    assert remove_old_generations(store, now_us=10**9, at_least=2) == 1
    assert count_rows(store, "value_counts", play.experiment_id) == 2


def test_sessions_and_users_of_a_quiet_hour_are_read_from_rollups(store, ingestor, hours):
    """The answer follows a generation that was tampered with, so it is where the answer is from."""
    play = Play(store, ingestor)
    play.do("deliver", 1, 0, "OK", 5, {semconv.TRACE_USER: "u", semconv.SESSION: "s"})
    play.do("deliver", 2, 0, "OK", 5, {semconv.TRACE_USER: "u"})
    play.do("roll")
    store.derive(
        "INSERT INTO value_counts SELECT * FROM value_counts WHERE experiment_id = {id:String}",
        {"id": play.experiment_id},
    )
    asked = {"experiment_ids": [play.experiment_id], "fields": ["session", "user"]}
    session, user = count_facets(store, **asked).facets
    assert [(one.value, one.count) for one in session.values] == [("s", 2)]
    assert (session.missing, session.distinct) == (2, 1)
    assert [(one.value, one.count) for one in user.values] == [("u", 4)]
    # No name is in the rollup: what speaks of names is counted from the traces.
    session, user = count_facets(store, **asked, filter_string="NOT name = 'x'").facets
    assert [(one.value, one.count) for one in user.values] == [("u", 2)]
    play.do("deliver", 3, 5, "OK", 5, {semconv.SESSION: "s"})
    check(store, play.experiment_id)


def test_values_are_read_from_traces_until_a_generation_has_them(store, ingestor, hours):
    play = Play(store, ingestor)
    mine = [play.experiment_id]
    play.do("deliver", 1, 0, "OK", 5, {semconv.TRACE_USER: "u"})
    play.do("roll without values")
    assert find_unvalued(store, mine) == {Hour(play.experiment_id, T0 // HOUR_MS)}
    check(store, play.experiment_id)
    play.do("roll")
    assert find_unvalued(store, mine) == set()
    # Somebody may be reading them, so the next generation has them too.
    play.do("deliver", 2, 0, "OK", 5, {semconv.TRACE_USER: "v"})
    play.do("roll without values")
    assert find_unvalued(store, mine) == set()
    check(store, play.experiment_id)


def test_values_stay_where_another_server_computes_the_hour_without_them(
    store, ingestor, hours, monkeypatch
):
    """Its clock is a minute ahead, and it is overtaken after it has read what there is."""
    play = Play(store, ingestor)
    hour = Hour(play.experiment_id, T0 // HOUR_MS)
    play.do("deliver", 1, 0, "OK", 5, {semconv.TRACE_USER: "u"})
    monkeypatch.setattr(hours, "_last_version", time.time_ns() // 1000 + 60_000_000)

    def overtake():
        store.hours = ChangedHours(shared=hours.shared)
        roll_up(store, (*hour, hour.number), now_us=1)
        store.hours = hours

    with interrupted(store, "derive", overtake):
        roll_up(store, (*hour, hour.number), now_us=1, values_before=0)
    assert find_unvalued(store, [play.experiment_id]) == set()
    check(store, play.experiment_id)


def test_values_of_a_run_of_hours_are_written_in_several_statements(
    store, ingestor, hours, monkeypatch
):
    monkeypatch.setattr(rollups_module, "VALUES_AT_ONCE", 4)
    play = Play(store, ingestor)
    for number in range(6):
        time_ms = (number // 2 + number // 4) * HOUR_MS  # two in each of the hours 0, 1, 3
        play.do("deliver", number, time_ms, "OK", 5, {semconv.TRACE_USER: f"u{number % 4}"})
    roll_up(store, (play.experiment_id, T0 // HOUR_MS, T0 // HOUR_MS + 3), now_us=1)
    check(store, play.experiment_id)
    sql = "SELECT sum(traces) FROM value_counts WHERE experiment_id = {id:String} GROUP BY field"
    assert store.query(sql, {"id": play.experiment_id}).rows == [(6,), (6,)]


def test_an_hour_has_values_some_time_after_it_is_over():
    end_us = 490_001 * HOUR_MS * 1000
    assert find_first_under_way(end_us - 1) == 490_000
    assert find_first_under_way(end_us) == 490_000
    assert find_first_under_way(end_us + rollups_module.VALUES_AFTER_MS * 1000) == 490_001


def test_the_thread_writes_values_of_hours_that_are_over(store, ingestor, hours):
    play = Play(store, ingestor)
    now_ms = int(time.time() * 1000)
    store.hours = ChangedHours(shared=store.hours.shared)
    play.do("deliver", 1, 0, "OK", 5, {semconv.TRACE_USER: "u"})
    play.do("deliver", 2, now_ms - T0, "OK", 5, {semconv.TRACE_USER: "u"})
    play.do("roll without values")
    both = {Hour(play.experiment_id, ms // HOUR_MS) for ms in (T0, now_ms)}
    assert find_unvalued(store, [play.experiment_id]) == both
    with Roller(store, debounce_s=0.01, min_rest_s=0.01):
        deadline = time.monotonic() + 60
        while len(unvalued := find_unvalued(store, [play.experiment_id])) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert unvalued == {Hour(play.experiment_id, now_ms // HOUR_MS)}
    check(store, play.experiment_id)
