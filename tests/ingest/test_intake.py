"""The spool's lines arrive in the store, each at least once, and finished segments go away."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from ingest.wire import batch, new_trace_hex, pending, span
from whence.errors import UnavailableError
from whence.ingest.intake import Intake
from whence.otlp.json import encode_request
from whence.otlp.segments import SegmentWriter, list_segments, waiting_bytes
from whence.store.traces import read_traces


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


def line(*spans, experiment_id):
    body = encode_request(batch(*spans, mlflow__experimentId=experiment_id))
    return body if isinstance(body, bytes) else body.encode()


def read_states(store, traces):
    return sorted(row.state for row in read_traces(store, [f"tr-{one}" for one in traces]))


def test_draining_takes_in_all_that_is_there(chdb_ingestor, chdb_store, spool, experiment_id):
    traces = [new_trace_hex() for _ in range(3)]
    writers = [SegmentWriter(spool), SegmentWriter(spool)]
    for number, trace in enumerate(traces):
        root = span(trace, 1)
        writers[number % 2].append(line(pending(root), experiment_id=experiment_id))
        writers[number % 2].append(line(span(trace, 2, 1), root, experiment_id=experiment_id))
    with Intake(chdb_ingestor, spool) as intake:
        intake.drain()
        assert intake.stats.spans == 9  # a pending record counts too
        assert read_states(chdb_store, traces) == ["OK"] * 3
        assert waiting_bytes(spool) == 0
        assert len(list_segments(spool)) == 2  # their writers live
        for writer in writers:
            writer.close()
        assert intake.drain() == (0, 0)
    assert list_segments(spool) == []


def test_new_lines_are_taken_in_without_being_asked(
    chdb_ingestor, chdb_store, spool, experiment_id
):
    trace = new_trace_hex()
    arrived = threading.Event()
    stop = chdb_ingestor.subscribe(
        lambda trace_ids: arrived.set() if f"tr-{trace}" in trace_ids else None
    )
    with Intake(chdb_ingestor, spool):
        writer = SegmentWriter(spool)
        started = time.monotonic()
        writer.append(line(span(trace, 1), experiment_id=experiment_id))
        assert arrived.wait(30)
        assert time.monotonic() - started < 10
        writer.close()
    stop()


def test_a_line_that_cannot_be_read_is_set_aside_and_the_rest_arrives(
    chdb_ingestor, chdb_store, spool, experiment_id
):
    trace = new_trace_hex()
    with closing(SegmentWriter(spool)) as writer:
        writer.append(b'{"resourceSpans": oops')
        writer.append(line(span(trace, 1), experiment_id=experiment_id))
        segment = writer.segment
        with Intake(chdb_ingestor, spool) as intake:
            intake.drain()
            assert intake.stats.bad_lines == 1
    bad = segment.with_name(f"{segment.name}.bad")
    assert bad.read_bytes() == b'{"resourceSpans": oops\n'
    assert read_states(chdb_store, [trace]) == ["OK"]


def test_a_torn_line_waits_for_its_rest(chdb_ingestor, chdb_store, spool, experiment_id):
    trace, whole = new_trace_hex(), line(span(new_trace_hex(), 1), experiment_id=experiment_id)
    text = line(span(trace, 1), experiment_id=experiment_id)
    with closing(SegmentWriter(spool)) as writer:
        writer.append(whole)
        with Intake(chdb_ingestor, spool) as intake:
            with writer.segment.open("ab") as file:
                file.write(text[:40])
            intake.drain()
            assert read_states(chdb_store, [trace]) == []
            with writer.segment.open("ab") as file:
                file.write(text[40:] + b"\n")
            intake.drain()
    assert read_states(chdb_store, [trace]) == ["OK"]


def test_what_was_taken_in_before_a_crash_is_delivered_again_and_counted_once(
    chdb_ingestor, chdb_store, spool, experiment_id
):
    trace = new_trace_hex()
    text = line(span(trace, 1), span(trace, 2, 1), experiment_id=experiment_id)
    for _ in range(2):  # the offset was not committed: the same lines again
        writer = SegmentWriter(spool)
        writer.append(text)
        writer.close()
        with Intake(chdb_ingestor, spool) as intake:
            intake.drain()
    assert read_traces(chdb_store, [f"tr-{trace}"])[0].span_count == 2


def test_a_large_spool_of_small_lines_fits_through_a_small_queue(
    own_ingestor, chdb_store, spool, experiment_id
):
    traces = [new_trace_hex() for _ in range(2_000)]
    writer = SegmentWriter(spool)
    for trace in traces:
        writer.append(line(span(trace, 1), experiment_id=experiment_id))
    writer.close()
    with Intake(own_ingestor(max_queue_jobs=600), spool) as intake:
        intake.drain()
    assert read_states(chdb_store, traces) == ["OK"] * 2_000
    assert list_segments(spool) == []


def test_a_store_that_takes_nothing_leaves_the_lines_where_they_are(
    own_ingestor, chdb_store, spool, experiment_id
):
    trace = new_trace_hex()
    with closing(SegmentWriter(spool)) as writer:
        writer.append(line(span(trace, 1), experiment_id=experiment_id))
        closed = own_ingestor()
        closed.close()
        with Intake(closed, spool) as intake, pytest.raises(UnavailableError):
            intake.drain()
        assert waiting_bytes(spool) > 0
        with Intake(own_ingestor(), spool) as intake:
            intake.drain()
        assert waiting_bytes(spool) == 0
    assert read_states(chdb_store, [trace]) == ["OK"]
