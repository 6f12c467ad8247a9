"""What is held of small tables is what the engine says of them, or nothing is held."""

from __future__ import annotations

import uuid

import pytest

from whence.errors import StoreError
from whence.store import kept
from whence.store.assessments import read_assessments
from whence.store.conflicts import SELECT_CONFLICTS, read_conflicts
from whence.store.kept import KeptTables
from whence.store.overlay import SELECT_ASSESSMENTS, ask_overlay, read_overlay
from whence.store.rows import AssessmentRow, ConflictRow, TagRow
from whence.store.tags import read_tags


@pytest.fixture
def trace_id():
    return f"tr-{uuid.uuid4().hex}"


def held(store, *, shared=False):
    """Tables that are read anew, and not fed by the store's inserts."""
    return KeptTables(store.query, shared=shared)


def assessment(trace_id, **given):
    return AssessmentRow(trace_id=trace_id, assessment_id="a", kind="feedback", **given)


def test_rows_that_were_there_before_are_found(chdb_store, trace_id):
    rows = [
        assessment(trace_id, value="1", version=1),
        assessment(trace_id, value="2", version=2, metadata={"by": "é\0"}, rationale=""),
    ]
    chdb_store.insert("assessments", rows[:1])
    chdb_store.insert("assessments", rows[1:])
    assert held(chdb_store).find("assessments", [trace_id]) == rows[1:]
    assert held(chdb_store).find("assessments", ["tr-unknown"]) == []


def test_a_row_written_again_and_again_is_held_once_and_maps_count(
    chdb_store, trace_id, monkeypatch
):
    monkeypatch.setattr(kept, "MAX_BYTES", 1000)
    tables = held(chdb_store)
    monkeypatch.setattr(chdb_store, "kept", tables)
    monkeypatch.setattr(tables, "_read", lambda table: [])
    tables.find("tags", [])
    for version in range(20):
        row = TagRow(trace_id=trace_id, key="k", value="x" * 500, version=version)
        chdb_store.insert("tags", [row])
        assert tables.find("tags", [trace_id]) == [row]
    tables.find("assessments", [])
    chdb_store.insert("assessments", [assessment(trace_id, metadata={"k": "x" * 3000})])
    assert tables.find("assessments", [trace_id]) is None


@pytest.mark.parametrize("versions", [(1, 2), (2, 1), (1, 1)])
def test_rows_inserted_since_replace_each_other_as_in_the_engine(chdb_store, trace_id, versions):
    chdb_store.kept.find("tags", [])  # reads the table, if that hasn't been done
    for value, version in zip("ab", versions, strict=True):
        row = TagRow(trace_id=trace_id, key="k", value=value, version=version)
        chdb_store.insert("tags", [row, TagRow(trace_id=trace_id, key=value, deleted=1)])
    found = chdb_store.kept.find("tags", [trace_id])
    assert sorted(found, key=lambda row: row.key) == read_tags(chdb_store, [trace_id])
    assert ask_overlay(chdb_store, [trace_id]).statements == []


def test_every_type_of_column_survives_an_insert(chdb_store, trace_id):
    row = assessment(trace_id, metadata={"k": "v"}, value="\ud800", create_time_ms=-5, valid=0)
    chdb_store.kept.find("assessments", [])
    chdb_store.insert("assessments", [row, assessment("tr-other")])
    assert chdb_store.kept.find("assessments", [trace_id]) == read_assessments(
        chdb_store, [trace_id]
    )


def test_conflicts_that_were_taken_back_are_left_out(chdb_store, trace_id):
    given = {"trace_id": trace_id, "key": "k", "source": "root"}
    chdb_store.kept.find("conflicts", [])
    chdb_store.insert("conflicts", [ConflictRow(kept="1", refused="2", at_us=1, **given)])
    chdb_store.insert("conflicts", [ConflictRow(kept="1", refused="3", at_us=1, **given)])
    chdb_store.insert("conflicts", [ConflictRow(kept="3", refused="3", at_us=2, **given)])
    asked = chdb_store.query(SELECT_CONFLICTS, {"trace_ids": [trace_id]}).structs(ConflictRow)
    assert read_conflicts(chdb_store, [trace_id]) == asked
    assert [row.refused for row in asked] == ["2"]


def test_a_key_is_known_of_any_trace(chdb_store, trace_id):
    key = f"key {trace_id}"
    assert chdb_store.kept.has_key("tags", key) is False
    chdb_store.insert("tags", [TagRow(trace_id=trace_id, key=key, deleted=1)])
    assert chdb_store.kept.has_key("tags", key) is True
    assert held(chdb_store).has_key("tags", key) is True


def test_nothing_is_held_of_a_large_table(chdb_store, trace_id, monkeypatch):
    rows = [TagRow(trace_id=trace_id, key=str(number)) for number in range(3)]
    chdb_store.insert("tags", rows)
    monkeypatch.setattr(kept, "MAX_ROWS", 2)
    tables = held(chdb_store)
    assert tables.find("tags", [trace_id]) is None
    assert tables.find("tags", [trace_id]) is None


def test_nothing_is_held_any_more_of_a_table_that_has_grown_large(monkeypatch):
    tables = KeptTables(lambda *_: _Answers(), shared=False)
    assert tables.find("tags", []) == []
    monkeypatch.setattr(kept, "MAX_ROWS", 2)
    with tables.inserting("tags", [_Batch(3)]):
        pass
    assert tables.find("tags", []) is None
    assert tables.has_key("tags", "0") is None


def test_while_rows_are_inserted_and_after_a_failure_the_engine_is_asked(monkeypatch):
    tables = KeptTables(lambda *_: _Answers(), shared=False)
    assert tables.find("tags", []) == []
    with tables.inserting("tags", [_Batch(1)]):
        assert tables.find("tags", []) is None
    assert [row.key for row in tables.find("tags", ["tr-1"])] == ["0"]
    with pytest.raises(StoreError), tables.inserting("tags", [_Batch(2)]):
        raise StoreError("no")
    assert tables.find("tags", ["tr-1"]) is None
    monkeypatch.setattr(kept.time, "monotonic", lambda: 1e12)
    assert tables.find("tags", ["tr-1"]) == []  # as the engine says


def test_a_reading_that_an_insert_overtook_is_not_kept(monkeypatch):
    def query(*_):
        if not overtaken:
            overtaken.append(True)
            with tables.inserting("tags", [_Batch(1)]):
                pass
        return _Answers()

    overtaken = []
    tables = KeptTables(query, shared=False)
    assert tables.find("tags", []) is None
    assert tables.find("tags", []) is None  # not read again at once
    monkeypatch.setattr(kept.time, "monotonic", lambda: 1e12)
    assert tables.find("tags", []) == []


def test_nothing_is_held_where_others_write_too(chdb_store, trace_id):
    chdb_store.insert("tags", [TagRow(trace_id=trace_id, key="k")])
    assert held(chdb_store, shared=True).find("tags", [trace_id]) is None


def test_both_ways_of_reading_say_the_same(chdb_store, trace_id, monkeypatch):
    given = {"create_time_ms": 1, "metadata": {"k": "v"}}
    chdb_store.insert("assessments", [assessment(trace_id, version=3, **given)])
    chdb_store.insert("assessments", [assessment(trace_id, value="2", version=3, **given)])
    chdb_store.insert("tags", [TagRow(trace_id=trace_id, key="k", value="v", deleted=1)])
    known = read_overlay(chdb_store, [trace_id])
    monkeypatch.setattr(chdb_store, "kept", held(chdb_store, shared=True))
    assert SELECT_ASSESSMENTS in [sql for sql, _ in ask_overlay(chdb_store, [trace_id]).statements]
    assert read_overlay(chdb_store, [trace_id]) == known
    assert [row.value for row in known.assessments[trace_id]] == ["2"]


class _Batch:
    """Tags of one trace, as an insert has them."""

    def __init__(self, count):
        self._count = count

    def to_pylist(self):
        keys = map(str, range(self._count))
        return [
            {"trace_id": "tr-1", "key": key, "value": "", "version": 1, "deleted": 0}
            for key in keys
        ]


class _Answers:
    """What an engine without rows says."""

    rows = ((0, 0),)

    def structs(self, _row_type):
        return []
