"""Facets beyond what rollups hold: any key, tags as they are now, samples, and what is read."""

from __future__ import annotations

import re
from contextlib import contextmanager

import msgspec
import pytest
from tests.query.rows import insert, trace
from tests.query.test_rollups import restart, roll

from whence import semconv
from whence.errors import FilterError, InvalidInputError
from whence.query import coverage, facet_samples, facet_sql
from whence.query.facets import DEFAULT_FIELDS, count_facets
from whence.query.version_source import select
from whence.query.version_table import read_versions
from whence.store.hours import HOUR_MS, ChangedHours, Hour
from whence.store.rows import TraceRow

T0 = 480_000 * HOUR_MS


@pytest.fixture
def hours(store):
    before = store.hours
    restart(store)
    yield store.hours
    store.hours = before


@pytest.fixture
def plains(store, experiment_id):
    """Nine traces, superseded rows beside them: 6 in production, one still running."""
    found = [
        trace(
            f"tr-{experiment_id}-{index}",
            request_time_ms=T0 + index * HOUR_MS,
            state="IN_PROGRESS" if index == 8 else "OK",
            name=f"name {index % 2}",
            metadata={
                "environment": "prod" if index % 3 else "staging",
                "app_version": str(index // 4),
                "tenant": f"t{index % 4}",
                **({semconv.SESSION: "s"} if index < 2 else {}),
            },
            tags={"colour": "red"} if index < 3 else {},
            tag_writes={"colour": "blue"} if index == 0 else {"colour": None} if index == 1 else {},
        )
        for index in range(9)
    ]
    insert(store, experiment_id, found, stale=True)
    return found


@contextmanager
def watching(store):
    """Keep what the store is asked, and with which parameters."""
    asked = []
    original = store.query

    def query(sql, parameters=None, **options):
        asked.append((sql, parameters or {}))
        return original(sql, parameters, **options)

    store.query = query
    try:
        yield asked
    finally:
        del store.query


def values_of(found, field):
    (facet,) = [one for one in found.facets if one.field == field]
    return {one.value: one.count for one in facet.values}


def test_any_key_and_any_tag_has_facets(store, experiment_id, plains):
    found = count_facets(
        store, experiment_ids=[experiment_id], fields=["metadata.tenant", "tags.colour"]
    )
    assert found.total == 9
    assert values_of(found, "metadata.tenant") == {"t0": 3, "t1": 2, "t2": 2, "t3": 2}
    assert values_of(found, "tags.colour") == {"blue": 1, "red": 1}
    assert [facet.missing for facet in found.facets] == [0, 7]


def test_a_field_is_counted_without_its_own_conditions(store, experiment_id, plains):
    asked = {
        "experiment_ids": [experiment_id],
        "filter_string": "metadata.environment = 'prod' AND metadata.tenant = 't1'",
        "fields": ["environment", "metadata.tenant", "app_version"],
    }
    found = count_facets(store, **asked)
    assert found.total == 2
    assert values_of(found, "environment") == {"production": 2}
    assert values_of(found, "metadata.tenant") == {"t0": 2, "t1": 2, "t2": 1, "t3": 1}
    assert values_of(found, "app_version") == {"0": 1, "1": 1}
    kept = count_facets(store, **asked, own=True)
    assert values_of(kept, "metadata.tenant") == {"t1": 2}


def test_names_are_those_that_a_tag_gave(store, experiment_id, hours):
    one = trace(f"tr-{experiment_id}-a", name="old", tag_writes={semconv.TRACE_NAME_TAG: "new"})
    other = trace(f"tr-{experiment_id}-b", name="old")
    insert(store, experiment_id, [one, other])
    restart(store)
    roll(store, experiment_id)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["name"])
    assert values_of(found, "name") == {"new": 1, "old": 1}
    asked = {"experiment_ids": [experiment_id], "filter_string": "name = 'old'"}
    assert count_facets(store, **asked).total == 1


def test_the_rest_is_told_apart_from_the_missing(store, experiment_id, plains):
    fields = ["metadata.tenant", "session"]
    found = count_facets(store, experiment_ids=[experiment_id], fields=fields, limit=1)
    tenant, session = found.facets
    assert (tenant.distinct, tenant.other, tenant.missing) == (4, 6, 0)
    assert (session.distinct, session.other, session.missing) == (1, 0, 7)


def rows_of(experiment_id, numbers, state="OK", *, an_hour=20):
    """Traces at even times, twenty an hour, each with a session of its own, of three users."""
    return [
        TraceRow(
            experiment_id=experiment_id,
            trace_id=f"tr-{experiment_id}-{index:05}",
            request_time_ms=T0 + index * HOUR_MS // an_hour,
            state=state,
            session=f"s{index}",
            user=f"u{index % 3}",
            version=2,
        )
        for index in numbers
    ]


@pytest.fixture
def low_bounds(monkeypatch):
    monkeypatch.setattr(facet_sql, "EXACT_TRACES", 1000)
    monkeypatch.setattr(facet_sql, "EXACT_VALUES", 1)
    monkeypatch.setattr(facet_samples, "SAMPLE_TRACES", 2000)


def test_beyond_the_bound_a_sample_is_counted_and_marked(store, experiment_id, hours, low_bounds):
    store.insert("traces", rows_of(experiment_id, range(6000)))
    restart(store)
    roll(store, experiment_id)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["state", "session", "user"])
    state, session, user = found.facets
    assert (found.total, found.sampled, state.sample) == (6000, True, None)
    assert session.sample.traces <= 2000
    assert session.sample.fraction == pytest.approx(session.sample.traces / 6000, abs=1e-6)
    # A session of one trace stays one, where extrapolation says three.
    assert {one.count for one in session.values} == {1}
    assert sum(one.count for one in user.values) == pytest.approx(6000, rel=0.01)
    assert all(one.count == pytest.approx(2000, rel=0.05) for one in user.values)


def test_users_that_are_few_are_counted_exactly_beside_a_sample_of_many_sessions(
    store, experiment_id, hours, low_bounds, monkeypatch
):
    monkeypatch.setattr(facet_sql, "EXACT_VALUES", 20_000)  # the engine counts 8,192 at a time
    store.insert("traces", rows_of(experiment_id, range(40_000), an_hour=2000))
    restart(store)
    roll(store, experiment_id)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["session", "user"])
    session, user = found.facets
    assert (found.total, found.sampled, user.sample) == (40_000, True, None)
    assert session.sample.traces < 40_000
    assert values_of(found, "user") == {"u0": 13_334, "u1": 13_333, "u2": 13_333}


def test_a_version_of_few_hours_is_counted_exactly_however_many_sessions_there_are(
    store, experiment_id, hours, low_bounds, monkeypatch
):
    monkeypatch.setattr(facet_sql, "EXACT_VALUES", 20_000)
    rows = rows_of(experiment_id, range(40_000), an_hour=2000)
    store.insert(
        "traces",
        [
            msgspec.structs.replace(row, app_version="2" if 6000 <= index < 9000 else "1")
            for index, row in enumerate(rows)
        ],
    )
    restart(store)
    roll(store, experiment_id)
    asked = {"experiment_ids": [experiment_id], "fields": ["session", "user"]}
    found = count_facets(store, **asked, filter_string="app_version = '2'")
    session, user = found.facets
    assert (found.total, found.sampled, session.distinct, user.missing) == (3000, False, 3000, 0)
    assert values_of(found, "user") == {"u0": 1000, "u1": 1000, "u2": 1000}


def test_a_sample_of_hours_that_lie_ages_apart_is_of_these_hours(
    store, experiment_id, hours, low_bounds
):
    near, far = rows_of(experiment_id, range(1)), rows_of(experiment_id, range(1, 5000))
    far_ms = 10**9 * HOUR_MS
    store.insert(
        "traces",
        [
            *near,
            *(
                msgspec.structs.replace(row, request_time_ms=row.request_time_ms + far_ms)
                for row in far
            ),
        ],
    )
    restart(store)
    roll(store, experiment_id)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["user"])
    assert (found.total, found.sampled) == (5000, True)
    counts = values_of(found, "user")
    assert sum(counts.values()) == pytest.approx(5000, rel=0.05)
    assert all(count == pytest.approx(1667, rel=0.05) for count in counts.values())


@pytest.mark.parametrize("rolled", [0, 600, 5900])
def test_a_sample_is_of_changed_hours_too(store, experiment_id, hours, low_bounds, rolled):
    store.insert("traces", rows_of(experiment_id, range(rolled)))
    restart(store)
    roll(store, experiment_id)
    store.insert("traces", rows_of(experiment_id, range(rolled, 6000)))
    restart(store)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["user"])
    (user,) = found.facets
    assert found.total == 6000
    assert user.sample.fraction == pytest.approx(user.sample.traces / 6000, abs=1e-6)
    assert sum(one.count for one in user.values) == pytest.approx(6000, rel=0.01)


def test_traces_that_have_not_ended_are_not_extrapolated(store, experiment_id, hours, low_bounds):
    store.insert("traces", rows_of(experiment_id, range(6000)))
    store.insert("open_traces", rows_of(experiment_id, range(6000, 6300), "IN_PROGRESS"))
    restart(store)
    roll(store, experiment_id)
    found = count_facets(
        store, experiment_ids=[experiment_id], filter_string="user != 'x'", fields=["state"]
    )
    assert found.sampled
    assert values_of(found, "state") == {"OK": pytest.approx(6000, rel=0.01), "IN_PROGRESS": 300}


def test_a_sample_of_many_experiments_has_few_ranges():
    hours = {Hour(str(number), 5): 10 for number in range(1000)}
    ranges, sample = facet_samples.draw_hours(hours)
    assert len(ranges) == sample.hours == facet_samples.MAX_BLOCKS
    assert sample.fraction == facet_samples.MAX_BLOCKS / 1000


@pytest.mark.parametrize("hours_apart", [0, 1])
def test_many_changed_experiments_are_answered_exactly(store, experiment_id, hours, hours_apart):
    """The first 40 are rolled up, the other 80 have changed: in one hour, or each in another."""
    rows = [
        TraceRow(
            experiment_id=f"{experiment_id}{index:03}",
            trace_id=f"tr-{experiment_id}-{index}",
            request_time_ms=T0 + index * hours_apart * HOUR_MS,
            state="OK",
            user="u",
            app_version="1",
            version=2,
        )
        for index in range(120)
    ]
    asked = {"experiment_ids": [row.experiment_id for row in rows]}
    store.insert("traces", rows[:40])
    restart(store)
    for row in rows[:40]:
        roll(store, row.experiment_id)
    store.insert("traces", rows[40:])
    restart(store)
    for filter_string in ("", "app_version = '1'"):
        found = count_facets(store, **asked, filter_string=filter_string, fields=["state", "user"])
        assert (found.total, values_of(found, "user")) == (120, {"u": 120})
    mine = [hour for hour in store.hours.unseen() if hour.experiment_id.startswith(experiment_id)]
    ranges = coverage.ranges_of(mine)
    assert len(mine) == 80
    assert ranges is None if hours_apart else len(ranges) == 1


def test_changed_hours_that_lie_ages_apart_are_answered_exactly(store, experiment_id, hours):
    """As of a client that takes microseconds for milliseconds."""
    rows = [
        TraceRow(
            experiment_id=experiment_id,
            trace_id=f"tr-{experiment_id}-{index}",
            request_time_ms=T0 + index * 10**9 * HOUR_MS,
            state="OK",
            app_version="1",
            version=2,
        )
        for index in range(80)
    ]
    store.insert("traces", rows[:40])
    restart(store)
    roll(store, experiment_id)
    store.insert("traces", rows[1:])
    restart(store)
    found = count_facets(store, experiment_ids=[experiment_id], fields=["state"])
    assert (found.total, values_of(found, "state")) == (80, {"OK": 80})
    versions = read_versions(
        store, select(experiment_ids=[experiment_id], until_ms=10**30)
    ).versions
    assert [one.traces for one in versions] == [80]
    assert read_versions(store, select(experiment_ids=[experiment_id], since_ms=10**30)).total == 0


def test_traces_of_no_hour_that_matters_are_not_read(store, experiment_id, plains, hours):
    """Rollups tell in which hours a version lies; tenants are counted in those only."""
    roll(store, experiment_id)
    with watching(store) as asked:
        found = count_facets(
            store,
            experiment_ids=[experiment_id],
            filter_string="app_version = '1'",
            fields=["environment", "metadata.tenant"],
        )
        direct = [one for one in asked if "FROM traces FINAL" in one[0]]
        read_versions(store, select(environment="prod", experiment_ids=[experiment_id]))
        versions = asked[-1]
    assert found.total == 4
    ((sql, parameters),) = direct
    limits = sorted(-value for value in parameters.values() if isinstance(value, int))
    assert limits[0] == T0 + 4 * HOUR_MS
    assert limits[-1] == T0 + 8 * HOUR_MS - 1
    assert "FROM traces " not in versions[0]
    assert "trace_statistics" in versions[0]


def test_eight_facets_of_quiet_hours_are_read_without_their_traces(
    store, experiment_id, plains, hours
):
    """Names apart, which tags may have changed here; sessions and users by a statement each."""
    roll(store, experiment_id)
    fields = [name for name in DEFAULT_FIELDS if name != "name"]
    for filter_string in ("", "environment = 'production' AND NOT state = 'ERROR'"):
        with watching(store) as asked:
            found = count_facets(
                store,
                experiment_ids=[experiment_id],
                filter_string=filter_string,
                fields=fields,
                own=True,
            )
        assert values_of(found, "session") == {"s": 1 if filter_string else 2}
        read = [sql for sql, _ in asked if "_counts\n" in sql]
        assert sorted("value_counts" in sql for sql in read) == [False, True, True]
        assert not [sql for sql, _ in asked if "FROM traces" in sql]
        # Beside them: which hours have no values, and on a server which have changed.
        others = [sql for sql, _ in asked if sql not in read]
        assert 1 <= len(others) <= 2  # noqa: PLR2004
        assert all("rolled_hours" in sql for sql in others)


def test_values_of_a_week_are_read_by_the_sort_key(store, experiment_id, plains, hours):
    roll(store, experiment_id)
    plan = store.query(
        "EXPLAIN indexes = 1 SELECT value, sum(traces) FROM value_counts "
        "WHERE experiment_id = {id:String} AND field = 'user' AND hour BETWEEN 5 AND 6 "
        "GROUP BY value",
        {"id": experiment_id},
    )
    keys = re.search(r"Keys:\s*((?:\w+\s+)+)Condition", "\n".join(row[0] for row in plan.rows))
    assert keys[1].split() == ["experiment_id", "field", "hour"]


def test_counts_of_a_week_are_read_by_the_sort_key(store, experiment_id, hours):
    plan = store.query(
        "EXPLAIN indexes = 1 SELECT sum(traces) FROM trace_counts "
        "WHERE experiment_id = {id:String} AND hour BETWEEN 5 AND 6",
        {"id": experiment_id},
    )
    text = "\n".join(row[0] for row in plan.rows)
    assert "experiment_id" in text
    assert "hour" in text


def test_without_trust_in_the_marks_everything_is_read_from_traces(store, experiment_id, plains):
    before = store.hours
    store.hours = ChangedHours(shared=store.hours.shared)
    try:
        found = count_facets(store, experiment_ids=[experiment_id])
        assert (found.total, found.sampled) == (9, False)
        assert values_of(found, "environment") == {"production": 6, "staging": 3}
        assert values_of(found, "state") == {"OK": 8, "IN_PROGRESS": 1}
    finally:
        store.hours = before


@pytest.mark.parametrize(
    "name", ["timestamp_ms", "span.name", "latency", "", "a b", "feedback.x", "trace_id"]
)
def test_a_field_without_facets_is_named(store, name):
    with pytest.raises(FilterError):
        count_facets(store, fields=[name])


@pytest.mark.parametrize("limit", [0, 1001])
def test_the_limit_has_bounds(store, limit):
    with pytest.raises(InvalidInputError, match="limit"):
        count_facets(store, limit=limit)
