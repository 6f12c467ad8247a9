"""Migrations are applied once, in order, and again after a crash."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest

from whence.errors import StoreError
from whence.store import migrations
from whence.store.conflicts import read_conflicts
from whence.store.connection import open_store
from whence.store.documents import read_document
from whence.store.hours import HOUR_MS, Hour
from whence.store.migrations import Migration, migrate, read_migrations, split_statements
from whence.store.rollups import find_unrolled, find_unvalued
from whence.store.rows import TraceRow
from whence.store.spans import read_spans
from whence.store.traces import read_traces

KNOWN = read_migrations()
NEXT = KNOWN[-1].number + 1
ADD_COLUMN = Migration(
    NEXT,
    "add_colour",
    """\
-- A first statement; and a comment with semicolons;
ALTER TABLE tags ADD COLUMN IF NOT EXISTS colour String;

ALTER TABLE tags ADD COLUMN IF NOT EXISTS shade String
    DEFAULT 'a;b';
""",
)
numbers = count()


@pytest.fixture
def url(clickhouse_server_url):
    return f"{clickhouse_server_url}/migrations_{next(numbers)}"


def read_applied(store):
    return store.query("SELECT number, name FROM schema_migrations ORDER BY number").rows


def test_the_steps_are_numbered_without_a_gap():
    assert [migration.number for migration in KNOWN] == list(range(1, len(KNOWN) + 1))


def test_a_new_store_has_every_step_and_a_second_start_applies_none(url):
    expected = [(migration.number, migration.name) for migration in KNOWN]
    with open_store(url) as store:
        assert read_applied(store) == expected
    with open_store(url) as store:
        assert migrate(store) == []
        assert read_applied(store) == expected


def test_a_new_step_is_applied_once(url):
    with open_store(url) as store:
        assert migrate(store, [*KNOWN, ADD_COLUMN]) == [NEXT]
        assert migrate(store, [*KNOWN, ADD_COLUMN]) == []
        store.command("INSERT INTO tags (trace_id, key) VALUES ('t', 'k')")
        assert store.query("SELECT colour, shade FROM tags").rows == [("", "a;b")]


def test_a_step_that_another_server_applied_meanwhile_is_left_out(url):
    """It may already write into a table that the step would put another in the place of."""
    other = Migration(NEXT + 1, "drop_all", "DROP TABLE tags;\n")
    listed = msgspec.structs.replace(
        ADD_COLUMN,
        sql=f"""\
INSERT INTO schema_migrations (number, name, checksum, applied_at)
    VALUES ({other.number}, '{other.name}', '{other.checksum}', now());
""",
    )
    with open_store(url) as store:
        assert migrate(store, [*KNOWN, listed, other]) == [NEXT]
        assert store.query("EXISTS TABLE tags").rows == [(1,)]


def test_a_store_of_the_first_step_keeps_its_rows_and_learns_the_rest(url, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "read_migrations", lambda: KNOWN[:1])
        with open_store(url) as store:
            store.command("INSERT INTO traces (trace_id, state) VALUES ('tr-old', 'OK')")
            store.command("INSERT INTO spans (trace_id, span_id) VALUES ('tr-old', 'a')")
            store.command("INSERT INTO conflicts (trace_id, key, kept, refused) VALUES "
                          "('tr-old', 'k', 'a', 'b')")  # fmt: skip
    with open_store(url) as store:
        assert [row.provenance for row in read_traces(store, ["tr-old"])] == [""]
        assert [row.provenance for row in read_spans(store, ["tr-old"])] == [""]
        assert [(row.kept, row.absent) for row in read_conflicts(store, ["tr-old"])] == [("a", 0)]
        assert read_document(store, "diff", "none") is None


def test_hours_that_were_rolled_up_before_values_were_counted_are_known_to_have_none(
    url, monkeypatch
):
    step = next(migration.number for migration in KNOWN if migration.name == "value_counts")
    with monkeypatch.context() as patched:
        before = [migration for migration in KNOWN if migration.number < step]
        patched.setattr(migrations, "read_migrations", lambda: before)
        with open_store(url) as store:
            store.command("INSERT INTO rolled_hours (experiment_id, hour, generation, version) "
                          "VALUES ('0', 5, 64, 1)")  # fmt: skip
    with monkeypatch.context() as patched:
        then = [migration for migration in KNOWN if migration.number <= step]
        patched.setattr(migrations, "read_migrations", lambda: then)
        with open_store(url) as store:
            assert find_unvalued(store) == {Hour("0", 5)}
            assert find_unvalued(store, before=5) == find_unvalued(store, ["1"]) == set()


def test_hours_are_rolled_up_again_where_statistics_did_not_know_commits(url, monkeypatch):
    step = next(migration.number for migration in KNOWN if migration.name == "manifests")
    row = TraceRow(trace_id="tr-a", state="OK", commit="c" * 40, request_time_ms=1, version=1)
    with monkeypatch.context() as patched:
        before = [migration for migration in KNOWN if migration.number < step]
        patched.setattr(migrations, "read_migrations", lambda: before)
        with open_store(url) as store:
            store.insert("traces", [row])
            store.insert("traces", [msgspec.structs.replace(row, request_time_ms=HOUR_MS)])
            for hour, commits in ((0, "map('c', 1)"), (1, "map()")):
                store.command("INSERT INTO rolled_hours (experiment_id, hour, generation, "
                              f"newest_version, version) VALUES ('0', {hour}, 64, 1, 1)")  # fmt: skip
                store.command("INSERT INTO trace_statistics (experiment_id, hour, generation, "
                              f"commits) VALUES ('0', {hour}, 64, {commits})")  # fmt: skip
            assert find_unrolled(store) == set()
    with open_store(url) as store:
        assert find_unrolled(store) == {Hour("0", 0)}


def test_the_copy_of_traces_keeps_every_row_however_often_it_is_made(url, monkeypatch):
    rows = [
        TraceRow(trace_id="tr-a", state="OK", session="s", metadata={"k": "v"}, version=1),
        TraceRow(trace_id="tr-b", state="OK", models=["m"], cost_usd=1.0, version=1),
        TraceRow(trace_id="tr-c", state="OK", version=1),
    ]
    later = [
        msgspec.structs.replace(rows[1], state="ERROR", version=2),
        msgspec.structs.replace(rows[2], deleted=1, version=2),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "read_migrations", lambda: KNOWN[:2])
        with open_store(url) as store:
            store.insert("traces", rows)
            store.insert("traces", later)
    for _ in range(2):
        with open_store(url) as store:
            found = read_traces(store, ["tr-a", "tr-b", "tr-c"])
            assert sorted(found, key=lambda row: row.trace_id) == [rows[0], later[0]]
            store.command("DELETE FROM schema_migrations WHERE number = 3")


def test_a_step_that_broke_off_is_repeated_whole(url):
    with open_store(url) as store:
        statements = split_statements(ADD_COLUMN.sql)
        assert len(statements) == 2
        broken = msgspec.structs.replace(ADD_COLUMN, sql=f"{statements[0]};\nALTER TABLE nope;\n")
        with pytest.raises(StoreError):
            migrate(store, [*KNOWN, broken])
        assert (NEXT, "add_colour") not in read_applied(store)
        assert migrate(store, [*KNOWN, ADD_COLUMN]) == [NEXT]
        assert (NEXT, "add_colour") in read_applied(store)


def test_every_step_may_run_again_over_its_own_result(url, monkeypatch):
    for number in range(1, len(KNOWN) + 1):
        known = KNOWN[:number]
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "read_migrations", lambda known=known: known)
            with open_store(url) as store:
                for statement in split_statements(known[-1].sql):
                    store.command(statement)


def test_a_store_from_a_newer_version_is_refused(url):
    with open_store(url) as store:
        migrate(store, [*KNOWN, ADD_COLUMN])
    with pytest.raises(StoreError, match=f"step {NEXT}, add_colour.*upgrade Whence"):
        open_store(url)


def test_a_step_that_was_edited_after_it_was_applied_is_refused(url):
    with open_store(url) as store:
        edited = [*KNOWN[:-1], msgspec.structs.replace(KNOWN[-1], sql=KNOWN[-1].sql + "\n-- more")]
        with pytest.raises(StoreError, match="put a change into a new step"):
            migrate(store, edited)
