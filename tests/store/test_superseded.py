"""What is told from memory of the rows at a key is what the engine says, or the engine is asked."""

from __future__ import annotations

import random

import pytest
from tests.query.test_plans import Watched

from whence.errors import StoreError
from whence.query.search import search_traces
from whence.store import superseded
from whence.store.rows import TraceRow
from whence.store.superseded import ANY, NONE, SupersededRows, mark_of

HIGHEST = """\
SELECT request_time_ms, trace_id, max(version * 2 + deleted)
FROM traces
WHERE experiment_id = {experiment_id:String}
GROUP BY request_time_ms, trace_id
"""
_clock = {"version": 0}


@pytest.fixture(autouse=True)
def _clock_above_all_rows(chdb_store):
    """Versions rise, and none lies ahead of the time: other tests look for the newest rows."""
    _clock["version"] = chdb_store.query("SELECT max(version) FROM traces").rows[0][0]


@pytest.fixture
def known(chdb_store, monkeypatch):
    """What is known of the store, from now on fed by its inserts; it has looked through it all."""
    monkeypatch.setattr(superseded, "AT_ONCE_ROWS", 10_000_000)  # whatever other tests have left
    fresh = SupersededRows(chdb_store.query, chdb_store.query_raw, shared=False)
    monkeypatch.setattr(chdb_store, "superseded", fresh)
    return fresh


def row(experiment_id, number, **given):
    _clock["version"] += 1
    given = {"request_time_ms": 1_000_000 + number, "version": _clock["version"], **given}
    return TraceRow(experiment_id=experiment_id, trace_id=f"tr-{number}", **given)


def insert(store, *rows, replacing=None):
    store.insert_encoded("traces", [store.encode("traces", rows)], replacing=replacing)


def ask(store, known, experiment_id):
    """Return [(highest version, what is known of it)] of every key."""
    rows = store.query(HIGHEST, {"experiment_id": experiment_id}).rows
    keys = [(experiment_id, time_ms, trace_id) for time_ms, trace_id, _ in rows]
    verdicts = known.find(keys)
    assert verdicts is not None
    return [(version, verdict) for (_, _, version), verdict in zip(rows, verdicts, strict=True)]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_known_is_what_the_engine_says_whatever_is_inserted_and_merged(
    chdb_store, known, experiment_id, seed, monkeypatch
):
    monkeypatch.setattr(superseded, "MAX_NOTED", 12)  # looked through again now and then
    draw = random.Random(seed)
    here = f"{experiment_id}-{seed}"
    seen = set()
    for _ in range(25):
        numbers = draw.sample(range(30), draw.randrange(1, 8))
        deleted = {number: int(draw.random() < 0.2) for number in numbers}
        rows = [row(here, number, deleted=deleted[number]) for number in numbers]
        again = {f"tr-{number}" for number in numbers if number in seen}
        insert(chdb_store, *rows, replacing=None if draw.random() < 0.3 else again)
        seen.update(numbers)
        if draw.random() < 0.1:
            chdb_store.command("OPTIMIZE TABLE traces")
        if draw.random() < 0.6:
            for version, verdict in ask(chdb_store, known, here):
                assert verdict in (NONE, version)


def test_only_keys_with_several_rows_are_held(chdb_store, known, experiment_id):
    insert(chdb_store, *(row(experiment_id, number) for number in range(4)))
    again = row(experiment_id, 2)
    insert(chdb_store, again)
    verdicts = [verdict for _, verdict in ask(chdb_store, known, experiment_id)]
    assert sorted(verdicts) == [NONE, NONE, NONE, mark_of(again.version, 0)]
    insert(chdb_store, row(experiment_id, 7), replacing=())
    verdicts = [verdict for _, verdict in ask(chdb_store, known, experiment_id)]
    assert verdicts.count(NONE) == 4  # noqa: PLR2004


def test_where_versions_do_not_rise_the_engine_is_asked(chdb_store, known, experiment_id):
    insert(chdb_store, row(experiment_id, 1))
    known.wait()
    insert(chdb_store, row(experiment_id, 1, version=1))
    assert [verdict for _, verdict in ask(chdb_store, known, experiment_id)] == [ANY]


def test_a_large_store_is_looked_through_by_and_by_the_newest_first(
    chdb_store, known, experiment_id, monkeypatch
):
    monkeypatch.setattr(superseded, "AT_ONCE_ROWS", 0)
    others = chdb_store.query("SELECT count() FROM traces").rows[0][0]
    monkeypatch.setattr(superseded, "SLICE_ROWS", 50 + others // 8)
    insert(chdb_store, *(row(experiment_id, number) for number in range(400)))
    insert(chdb_store, *(row(experiment_id, number) for number in range(0, 400, 3)))
    known.wait(60)
    found = ask(chdb_store, known, experiment_id)
    assert all(verdict in (NONE, version) for version, verdict in found)
    assert sum(verdict != NONE for _, verdict in found) == 134  # noqa: PLR2004


def test_what_has_not_been_looked_at_is_not_known(chdb_store, experiment_id, monkeypatch):
    monkeypatch.setattr(superseded, "SLICE_ROWS", 100)
    insert(chdb_store, *(row(experiment_id, number) for number in range(300)))
    times = []

    def query_raw(sql, parameters):
        times.append(parameters["from_ms"])
        if len(times) > 1:
            raise StoreError("no more")
        return chdb_store.query_raw(sql, parameters)

    known = SupersededRows(chdb_store.query, query_raw, shared=False)
    known.wait(60)
    assert known.find([("x", times[0], "tr-1")]) == [NONE]
    assert known.find([("x", times[0], "tr-1"), ("x", times[0] - 1, "tr-1")]) is None


def test_too_many_are_not_held(chdb_store, known, experiment_id, monkeypatch):
    monkeypatch.setattr(superseded, "MAX_KEYS", 3)
    for _ in range(2):
        insert(chdb_store, *(row(experiment_id, number) for number in range(5)))
    assert known.find([(experiment_id, 1_000_001, "tr-1")]) is None


def test_what_is_inserted_while_the_store_is_looked_through_counts(
    chdb_store, monkeypatch, experiment_id
):
    insert(chdb_store, row(experiment_id, 1), row(experiment_id, 2))

    def query_raw(sql, parameters):
        found = chdb_store.query_raw(sql, parameters)
        insert(chdb_store, row(experiment_id, 1))
        return found

    known = SupersededRows(chdb_store.query, query_raw, shared=False)
    monkeypatch.setattr(chdb_store, "superseded", known)
    known.wait()
    found = ask(chdb_store, known, experiment_id)
    assert sorted(version == verdict for version, verdict in found) == [False, True]


def test_a_store_that_others_write_as_well_is_asked(chdb_store, experiment_id):
    known = SupersededRows(chdb_store.query, chdb_store.query_raw, shared=True)
    known.wait()
    assert known.find([(experiment_id, 1, "tr-1")]) is None


def test_a_page_with_rows_that_were_replaced_is_read_by_one_statement(
    chdb_store, known, experiment_id
):
    insert(chdb_store, *(row(experiment_id, number, state="OK") for number in range(20)))
    insert(chdb_store, *(row(experiment_id, number, state="OK") for number in (3, 15)))
    known.wait()
    store = Watched(chdb_store)
    page = search_traces(store, experiment_ids=[experiment_id], max_results=9)
    assert [info.trace_id for info in page.traces] == [f"tr-{19 - number}" for number in range(9)]
    assert len(store.statements) == 1


def test_a_row_whose_newer_one_is_not_on_the_page_is_asked_about(chdb_store, known, experiment_id):
    insert(chdb_store, *(row(experiment_id, number, state="OK") for number in range(4)))
    insert(
        chdb_store,
        row(experiment_id, 1, state="ERROR"),
        row(experiment_id, 2, state="OK", deleted=1),
    )
    known.wait()
    find = {"experiment_ids": [experiment_id], "filter_string": "state = 'OK'"}
    found = [info.trace_id for info in search_traces(chdb_store, **find).traces]
    assert found == ["tr-3", "tr-0"]
