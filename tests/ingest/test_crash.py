"""What was acknowledged is there after `kill -9`, and every trace's row says what its spans say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from ingest.wire import batch, new_trace_hex, span
from whence.ingest.normalise import normalise
from whence.store.rows import DeletionRow, TraceRow
from whence.store.traces import locate_traces, read_traces

PROGRAM = Path(__file__).with_name("crash_program.py")


def ingest_and_kill(directory, count):
    """Return the lines acknowledged until the process was killed, `count` at least."""
    command = [sys.executable, str(PROGRAM), "write", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
        lines += process.stdout.readlines()
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


def test_every_acknowledged_span_survives_being_killed_under_load(tmp_path):
    acknowledged = []
    for count in (100, 173, 251, 62):
        acknowledged += ingest_and_kill(tmp_path, count)
    command = [sys.executable, str(PROGRAM), "read", str(tmp_path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    stored = {tuple(pair) for pair in found["spans"]}
    lost = {(f"tr-{trace}", one) for trace, one, _ in acknowledged} - stored
    assert not lost
    span_counts = Counter(trace_id for trace_id, _ in stored)
    rows = {trace_id: row for trace_id, *row in found["rows"]}
    assert len(rows) == len(found["rows"]), "a trace is in both tables"
    assert {trace_id: row[1] for trace_id, row in rows.items()} == dict(span_counts)
    ended = {f"tr-{trace}" for trace, _, is_root in acknowledged if is_root == "1"}
    assert ended
    assert {tuple(rows[trace_id][::2]) for trace_id in ended} == {("OK", 1)}


@pytest.fixture
def rows_of(experiment_id):
    """Span rows as the writer stamps them, later than anything in the store."""

    def make(store, *spans):
        newest = store.query("SELECT max(received_at_us) FROM spans").rows[0][0]
        rows = normalise(batch(*spans), experiment_id=experiment_id).rows
        return [
            msgspec.structs.replace(row, received_at_us=newest + 10, version=2**62) for row in rows
        ]

    return make


def test_spans_without_their_trace_row_are_assembled_at_the_next_start(
    chdb_store, own_ingestor, rows_of
):
    trace = new_trace_hex()
    chdb_store.insert("spans", rows_of(chdb_store, span(trace, 1), span(trace, 2, 1)))
    assert read_traces(chdb_store, [f"tr-{trace}"]) == []
    own_ingestor()
    (row,) = read_traces(chdb_store, [f"tr-{trace}"])
    assert (row.state, row.span_count) == ("OK", 2)


def test_a_trace_row_older_than_its_newest_span_is_assembled_again(
    chdb_store, own_ingestor, rows_of, experiment_id
):
    trace = new_trace_hex()
    first = own_ingestor()
    first.submit(batch(span(trace, 1)), experiment_id=experiment_id).result(30)
    first.close()
    newest = int(chdb_store.query("SELECT max(version) FROM traces").rows[0][0])
    late = [
        msgspec.structs.replace(row, received_at_us=newest + 1)
        for row in rows_of(chdb_store, span(trace, 2, 1))
    ]
    chdb_store.insert("spans", late)
    own_ingestor()
    assert read_traces(chdb_store, [f"tr-{trace}"])[0].span_count == 2


def test_a_trace_left_in_both_tables_stays_in_one(chdb_store, own_ingestor, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    first = own_ingestor()
    first.submit(batch(span(trace_id[3:], 1)), experiment_id=experiment_id).result(30)
    first.close()
    (row,) = read_traces(chdb_store, [trace_id])
    stale = msgspec.structs.replace(row, state="IN_PROGRESS", version=row.version - 1)
    chdb_store.insert("open_traces", [stale])
    own_ingestor()
    sql = "SELECT trace_id FROM open_traces FINAL WHERE trace_id = {trace_id:String}"
    assert chdb_store.query(sql, {"trace_id": trace_id}).rows == []
    assert locate_traces(chdb_store, [trace_id])[trace_id][2]


def test_a_deletion_that_was_cut_short_is_finished(chdb_store, own_ingestor, experiment_id):
    trace_id = f"tr-{new_trace_hex()}"
    first = own_ingestor()
    first.submit(batch(span(trace_id[3:], 1)), experiment_id=experiment_id).result(30)
    first.close()
    (row,) = read_traces(chdb_store, [trace_id])
    assert isinstance(row, TraceRow)
    chdb_store.insert("deletions", [DeletionRow(trace_id=trace_id, deleted_at_us=row.version + 1)])
    own_ingestor()
    assert read_traces(chdb_store, [trace_id]) == []
