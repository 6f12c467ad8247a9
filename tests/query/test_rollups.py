"""What rollups say is what the deduplicated traces say, whatever was delivered in which order.

Deliveries go through the ingestor. The reference counts the rows of `traces FINAL` and
`open_traces FINAL` in Python. Hours are rolled up between deliveries, in the middle of them, and
not at all; computations break off; the process forgets everything, as after a crash.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from whence import semconv
from whence.errors import StoreError
from whence.ingest.header import Header
from whence.ingest.ingestor import Ingestor
from whence.ingest.rollups import Roller
from whence.query.facets import DEFAULT_FIELDS, count_facets
from whence.query.version_source import select
from whence.query.version_table import read_versions
from whence.store import hours as hours_module
from whence.store import rollups as rollups_module
from whence.store.hours import HOUR_MS, ChangedHours, Hour, read_unseen, remove_seen_marks
from whence.store.rollups import (
    find_unrolled,
    find_unvalued,
    remove_old_generations,
    roll_up,
    runs_of,
)

T0 = 490_000 * HOUR_MS
_numbers = itertools.count()
COLUMNS = {"name": "trace_name"}


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


def restart(store):
    """Forget what is only in memory, and learn it from the store, as a new process does."""
    store.hours = ChangedHours(shared=store.hours.shared)
    store.hours.adopt(read_unseen(store))
    store.hours.mark(store, find_unrolled(store) - store.hours.unseen().keys())
    store.hours.trusted = True


def roll(store, experiment_id):
    mine = [hour for hour in store.hours.unseen() if hour.experiment_id == experiment_id]
    for run in runs_of({*mine, *find_unvalued(store, [experiment_id])}, 24):
        roll_up(store, run, now_us=1)


def roll_without_values(store, experiment_id):
    """Roll up as while the hours are under way."""
    mine = [hour for hour in store.hours.unseen() if hour.experiment_id == experiment_id]
    for run in runs_of(mine, 24):
        roll_up(store, run, now_us=1, values_before=0)


@contextmanager
def interrupted(store, method, action, *, calls=1):
    """Run `action` when `method` has been called so often, before what it does."""
    original = getattr(store, method)
    pending = [None] * (calls - 1) + [action]

    def call(target, *args, **kwargs):
        if pending and (method != "insert" or target == "rolled_hours"):
            due = pending.pop(0)
            if due is not None:
                due()
        return original(target, *args, **kwargs)

    setattr(store, method, call)
    try:
        yield
    finally:
        delattr(store, method)


def break_off():
    raise StoreError("the process ended here")


def read_rows(store, experiment_id):
    columns = (
        "environment, app_version, commit, branch, state, trace_name, session, user, "
        "request_time_ms, duration_ns, total_tokens, cost_usd"
    )
    sql = " UNION ALL ".join(
        f"SELECT {columns} FROM {table} FINAL WHERE experiment_id = {{id:String}} AND deleted = 0"
        for table in ("traces", "open_traces")
    )
    found = store.query(sql, {"id": experiment_id})
    names = [name.strip() for name in columns.split(",")]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def check_facets(store, experiment_id, *, filter_string="", keep=lambda _: True, **options):
    rows = [row for row in read_rows(store, experiment_id) if keep(row)]
    found = count_facets(
        store, experiment_ids=[experiment_id], filter_string=filter_string, own=True, **options
    )
    assert found.total == len(rows)
    assert not found.sampled
    for facet in found.facets:
        column = COLUMNS.get(facet.field, facet.field)
        counts = Counter(row[column] for row in rows)
        missing = counts.pop(None, 0)
        expected = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        assert [(one.value, one.count) for one in facet.values] == expected, facet.field
        assert (facet.missing, facet.distinct, facet.other) == (missing, len(counts), 0)


def check_versions(store, experiment_id, environment, since_ms=None):
    rows = [
        row
        for row in read_rows(store, experiment_id)
        if environment in (None, row["environment"]) and row["request_time_ms"] >= (since_ms or 0)
    ]
    selection = select(environment=environment, experiment_ids=[experiment_id], since_ms=since_ms)
    table = read_versions(store, selection)
    expected = {name_of(row) for row in rows}
    assert {(one.app_version, one.commit) for one in table.versions} == expected
    assert table.total == len(expected)
    for one in table.versions:
        check_version(one, [row for row in rows if name_of(row) == (one.app_version, one.commit)])


def name_of(row):
    """Return what tells versions apart: traces without an app version are told by their commit."""
    return row["app_version"], row["commit"] if row["app_version"] is None else None


def check_version(one, rows):
    ended = [row for row in rows if row["state"] != "IN_PROGRESS"]
    durations = sorted(row["duration_ns"] for row in ended if row["duration_ns"] is not None)
    errors = sum(row["state"] == "ERROR" for row in ended)
    assert (one.traces, one.unfinished, one.errors) == (len(ended), len(rows) - len(ended), errors)
    assert one.error_rate == (errors / len(ended) if ended else None)
    assert one.total_tokens == sum(row["total_tokens"] or 0 for row in ended)
    assert one.counted == sum(row["total_tokens"] is not None for row in ended)
    assert one.cost_usd == pytest.approx(sum(row["cost_usd"] or 0 for row in ended))
    times = [row["request_time_ms"] for row in rows]
    assert (one.first_seen_ms, one.last_seen_ms) == (min(times), max(times))
    commits = Counter(row["commit"] for row in ended if row["commit"] is not None)
    assert {commit.commit: commit.traces for commit in one.commits} == dict(commits)
    for percent, found in ((50, one.p50_ms), (95, one.p95_ms), (99, one.p99_ms)):
        if not durations:
            assert found is None
            continue
        exact = durations[max(1, -(-len(durations) * percent // 100)) - 1]
        assert found == pytest.approx(exact / 1e6, rel=0.011)


def check(store, experiment_id):
    check_facets(store, experiment_id)
    check_facets(
        store,
        experiment_id,
        filter_string="environment = 'production' AND NOT app_version = '2'",
        keep=lambda row: row["environment"] == "production" and row["app_version"] != "2",
    )
    check_facets(
        store,
        experiment_id,
        filter_string="state = 'ERROR' OR commit IS NULL",
        keep=lambda row: row["state"] == "ERROR" or row["commit"] is None,
    )
    since_ms = T0 + HOUR_MS + 1000
    check_facets(
        store,
        experiment_id,
        filter_string=f"timestamp_ms >= {since_ms} AND timestamp_ms < {T0 + 3 * HOUR_MS}",
        keep=lambda row: since_ms <= row["request_time_ms"] < T0 + 3 * HOUR_MS,
    )
    for environment in (None, "production"):
        check_versions(store, experiment_id, environment)
    check_versions(store, experiment_id, "production", since_ms)


traces = st.integers(0, 5)
times = st.sampled_from([0, 1000, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1000, 3 * HOUR_MS, 9 * HOUR_MS])
details = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.sampled_from(["production", "prod", "staging"]),
        "app_version": st.sampled_from(["1", "2", "3"]),
        semconv.GIT_COMMIT: st.sampled_from(["a" * 40, "b" * 40]),
        semconv.TOKEN_USAGE: st.just('{"total_tokens":7}'),
        semconv.SESSION: st.sampled_from(["s1", "s2"]),
        semconv.TRACE_USER: st.sampled_from(["u1", "u2", ""]),
    },
)
deliveries = st.tuples(
    st.just("deliver"),
    traces,
    st.none() | times,
    st.sampled_from([None, "OK", "ERROR", "IN_PROGRESS"]),
    st.none() | st.integers(0, 10**12),
    details,
)
steps = (
    deliveries
    | st.tuples(st.just("delete"), traces)
    | st.tuples(st.sampled_from(["roll", "roll without values", "restart", "roll broken off"]))
    | st.tuples(st.sampled_from(["roll while"]), deliveries, st.integers(1, 3))
)


class Play:
    """One example: its experiment, and what is done to it."""

    def __init__(self, store, ingestor):
        self.store, self.ingestor = store, ingestor
        self.experiment_id = str(int.from_bytes(os.urandom(7), "big"))

    def do(self, what, *given):
        if what == "deliver":
            self.deliver(*given)
        elif what == "delete":
            self.ingestor.delete_traces([self.name(given[0])])
        elif what == "roll":
            roll(self.store, self.experiment_id)
        elif what == "roll without values":
            roll_without_values(self.store, self.experiment_id)
        elif what == "restart":
            restart(self.store)
        elif what == "roll broken off":
            with interrupted(self.store, "insert", break_off):
                try:
                    roll(self.store, self.experiment_id)
                except StoreError:
                    restart(self.store)
        else:
            step, calls = given
            with interrupted(self.store, "derive", lambda: self.do(*step), calls=calls):
                roll(self.store, self.experiment_id)

    def deliver(self, number, time_ms, state, duration_ns, metadata):
        header = Header(
            trace_id=self.name(number),
            experiment_id=self.experiment_id,
            request_time_ms=None if time_ms is None else T0 + time_ms,
            state=state,
            duration_ns=duration_ns,
            trace_metadata=metadata,
        )
        self.ingestor.submit_header(header).exception(30)  # a contradiction is refused

    def name(self, number):
        return f"tr-{self.experiment_id}-{number}"


@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],  # an example takes a second: shrinking takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(steps, min_size=3, max_size=14))
def test_rollups_agree_with_the_traces_after_any_deliveries(store, ingestor, hours, script):
    play = Play(store, ingestor)
    for step in script:
        play.do(*step)
    check(store, play.experiment_id)
    roll(store, play.experiment_id)
    check(store, play.experiment_id)


@pytest.mark.parametrize("duration_ns", [0, 1, 2, 511, 512, 10**6, 10**15])
def test_percentiles_of_short_and_long_durations_are_as_near(store, ingestor, hours, duration_ns):
    play = Play(store, ingestor)
    play.do("deliver", 1, 0, "OK", duration_ns, {"app_version": "1"})
    check_versions(store, play.experiment_id, None)


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_write_during_the_computation_leaves_the_hour_to_be_read_from_traces(
    store, ingestor, hours, calls
):
    """It comes before the counts, the statistics or the values are computed."""
    play = Play(store, ingestor)
    play.do("deliver", 1, 0, "OK", 5, {"app_version": "1"})
    play.do("roll while", ("deliver", 2, 10, "OK", 5, {"app_version": "1"}), calls)
    assert Hour(play.experiment_id, T0 // HOUR_MS) in store.hours.unseen()
    check(store, play.experiment_id)


def test_a_quiet_hour_is_read_from_rollups_only(store, ingestor, hours):
    """The answer follows a generation that was tampered with, so it is where the answer is from."""
    play = Play(store, ingestor)
    play.do("deliver", 1, 0, "OK", 5, {"app_version": "1"})
    play.do("roll")
    store.derive(
        "INSERT INTO trace_counts SELECT * FROM trace_counts WHERE experiment_id = {id:String}",
        {"id": play.experiment_id},
    )
    found = count_facets(store, experiment_ids=[play.experiment_id], fields=["state"])
    assert found.total == 2
    play.do("deliver", 2, 5, "OK", 5, {"app_version": "1"})
    check(store, play.experiment_id)


def count_rows(store, table, experiment_id):
    sql = f"SELECT count() FROM {table} WHERE experiment_id = {{id:String}}"
    return store.query(sql, {"id": experiment_id}).rows[0][0]


def test_generations_that_no_longer_count_are_removed_later(store, ingestor, hours):
    play = Play(store, ingestor)
    for number in range(3):
        play.do("deliver", number, 0, "OK", 5, {"app_version": "1", semconv.TRACE_USER: "u"})
        play.do("roll")
    assert count_rows(store, "trace_counts", play.experiment_id) == 3
    assert count_rows(store, "value_counts", play.experiment_id) == 3 * 2  # a user, no session
    assert remove_old_generations(store, now_us=2) == 0
    assert remove_old_generations(store, now_us=10**9) >= 2
    assert count_rows(store, "trace_counts", play.experiment_id) == 1
    assert count_rows(store, "value_counts", play.experiment_id) == 2
    check(store, play.experiment_id)


def test_the_thread_rolls_up_what_was_there_and_what_comes(store, ingestor, hours):
    play = Play(store, ingestor)
    store.hours = ChangedHours(shared=store.hours.shared)
    play.do("deliver", 1, 0, "OK", 5, {"app_version": "1"})
    with Roller(store, debounce_s=0.01, min_rest_s=0.01):
        wait_until_rolled(store, play)
        play.do("deliver", 2, 0, "OK", 5, {"app_version": "2"})
        wait_until_rolled(store, play)
        found = store.query(
            "SELECT count() FROM rolled_hours FINAL WHERE experiment_id = {id:String}",
            {"id": play.experiment_id},
        )
        assert found.rows == [(1,)]
    check(store, play.experiment_id)


def test_an_hour_that_cannot_be_computed_does_not_keep_others_from_it(store, ingestor, hours):
    play = Play(store, ingestor)
    store.hours = ChangedHours(shared=store.hours.shared)
    for number, time_ms in enumerate((0, 3 * HOUR_MS)):
        play.do("deliver", number, time_ms, "OK", 5, {"app_version": "1"})
    newest = T0 // HOUR_MS + 3
    derive = store.derive

    def refuse(sql, values=None, **options):
        if (values or {}).get("first") == newest:
            raise StoreError("memory limit exceeded")
        derive(sql, values, **options)

    store.derive = refuse
    try:
        with Roller(store, debounce_s=0.01, min_rest_s=0.01):
            wait_until_rolled(store, play)
            assert Hour(play.experiment_id, newest) in store.hours.read_changed(store)
    finally:
        del store.derive
    check(store, play.experiment_id)


def wait_until_rolled(store, play):
    hour = Hour(play.experiment_id, T0 // HOUR_MS)
    deadline = time.monotonic() + 240  # it rolls up the hours of all tests before
    while not store.hours.trusted or hour in store.hours.read_changed(store):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_living_process_is_not_said_to_be_seen(clickhouse_store):
    """What it has on its way can't be known: only itself, or ten minutes, can say so."""
    store, before = clickhouse_store, clickhouse_store.hours
    hour = Hour(str(int.from_bytes(os.urandom(7), "big")), 490_000)
    try:
        store.hours = other = ChangedHours(shared=True)
        other.mark(store, [hour])
        store.hours = mine = ChangedHours(shared=True)
        mine.mark(store, [hour])
        roll_up(store, (*hour, hour.number), now_us=1)
        assert hour in read_unseen(store)
        store.hours = other
        roll_up(store, (*hour, hour.number), now_us=1)
        assert hour not in read_unseen(store)
    finally:
        store.hours = before


def test_marks_of_processes_that_ended_are_removed_once_they_were_seen(
    clickhouse_store, monkeypatch
):
    store, before = clickhouse_store, clickhouse_store.hours
    of_hour = "SELECT count() FROM dirty_hours FINAL WHERE experiment_id = {id:String}"
    hour = Hour(str(int.from_bytes(os.urandom(7), "big")), 490_000)
    scope = {"id": hour.experiment_id}
    try:
        for _ in range(3):
            store.hours = ChangedHours(shared=True)
            store.hours.mark(store, [hour])
            time.sleep(0.001)
        remove_seen_marks(store)
        assert store.query(of_hour, scope).rows == [(3,)]  # young
        monkeypatch.setattr(hours_module, "ABANDONED_AFTER_S", 0.0)
        monkeypatch.setattr(rollups_module, "ABANDONED_AFTER_S", 0.0)
        remove_seen_marks(store)
        assert store.query(of_hour, scope).rows == [(3,)]  # not seen
        for _ in range(2):
            roll_up(store, (*hour, hour.number), now_us=1)
            remove_seen_marks(store)
            assert store.query(of_hour, scope).rows == [(0,)]
        sees = "SELECT mapKeys(seen) FROM rolled_hours FINAL WHERE experiment_id = {id:String}"
        assert store.query(sees, scope).rows == [([store.hours.writer],)]
        store.hours.mark(store, [hour])
        assert hour in read_unseen(store)
    finally:
        store.hours = before


def test_every_default_field_is_counted(store, ingestor, hours):
    play = Play(store, ingestor)
    play.do("deliver", 1, 0, "OK", 5, {})
    found = count_facets(store, experiment_ids=[play.experiment_id])
    assert [facet.field for facet in found.facets] == list(DEFAULT_FIELDS)
