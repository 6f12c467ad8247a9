"""Large, deep and odd deliveries are stored and read back whole."""

from __future__ import annotations

import threading

import msgspec
import pytest

from ingest.wire import batch, new_trace_hex, span, span_id
from whence.errors import StoreError
from whence.ingest.assemble import assemble
from whence.ingest.facts import facts_of
from whence.ingest.jobs import Job
from whence.ingest.normalise import normalise
from whence.otlp.records import Event, Link
from whence.store.rows import HeaderRow
from whence.store.spans import read_spans
from whence.store.traces import read_traces


def send(ingestor, *spans, experiment_id=None, **resource):
    return ingestor.submit(batch(*spans, **resource), experiment_id=experiment_id).result(60)


def read_one(store, trace_hex):
    return read_traces(store, [f"tr-{trace_hex}"])[0]


def test_a_trace_of_30000_spans_is_whole_again(chdb_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    spans = [
        span(trace, number, 1 if number > 1 else None, attributes={"n": number})
        for number in range(1, 30_001)
    ]
    futures = [
        chdb_ingestor.submit(batch(*spans[at : at + 1000]), experiment_id=experiment_id)
        for at in range(0, 30_000, 1000)
    ]
    assert sum(future.result(60).accepted_spans for future in futures) == 30_000
    row = read_one(chdb_store, trace)
    assert (row.span_count, row.state) == (30_000, "OK")
    rows = read_spans(chdb_store, [row.trace_id])
    assert {one.span_id for one in rows} == {one.span_id for one in spans}
    assert {one.attributes["n"] for one in rows} == {str(n) for n in range(1, 30_001)}


def test_a_prompt_of_5_megabytes_comes_back_whole(ingestor, store, experiment_id):
    trace = new_trace_hex()
    prompt = "äöü 🦜 " * 500_000
    text = msgspec.json.encode({"messages": [{"role": "user", "content": prompt}]}).decode()
    send(ingestor, span(trace, 1, attributes={"whence.inputs": text}), experiment_id=experiment_id)
    (row,) = read_spans(store, [f"tr-{trace}"])
    assert row.inputs == text
    found = read_one(store, trace)
    assert found.request_preview == prompt[:997] + "..."
    assert found.size_bytes > 5_000_000


def test_a_thousand_spans_deep_is_counted_once(chdb_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    usage = {"mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 4}}
    spans = [
        span(trace, n, n - 1 if n > 1 else None, attributes=usage if n >= 500 else {})
        for n in range(1, 1001)
    ]
    send(chdb_ingestor, *spans, experiment_id=experiment_id)
    row = read_one(chdb_store, trace)
    assert (row.span_count, row.input_tokens, row.total_tokens) == (1000, 3, 7)


def test_null_bytes_and_unicode_survive_everywhere(ingestor, store, experiment_id):
    trace = new_trace_hex()
    odd = "a\0b\u202e 🦜"
    root = span(
        trace,
        1,
        name=odd,
        status_message=odd,
        scope=odd,
        trace_state="k=v",
        attributes={"whence.inputs": f'"{odd}"'.replace("\0", "\\u0000"), odd: odd, "b": b"\xff"},
        events=[Event(odd, 5, {odd: [1, {"x": None}]})],
        links=[Link("c" * 32, "d" * 16, {"why": odd})],
    )
    send(ingestor, root, experiment_id=experiment_id, **{f"whence__metadata__{odd}": odd})
    (row,) = read_spans(store, [f"tr-{trace}"])
    assert (row.name, row.status_message, row.scope) == (odd, odd, odd)
    assert msgspec.json.decode(row.attributes[odd]) == odd
    assert msgspec.json.decode(row.inputs) == odd
    assert msgspec.json.decode(row.events) == [
        {"name": odd, "time_ns": "5", "attributes": {odd: [1, {"x": None}]}}
    ]
    assert msgspec.json.decode(row.links)[0]["trace_id"] == "tr-" + "c" * 32
    found = read_one(store, trace)
    assert (found.trace_name, found.metadata[odd]) == (odd, odd)
    assert "\0" not in found.request_preview


def test_impossible_times_are_kept_within_what_a_column_holds(ingestor, store, experiment_id):
    trace = new_trace_hex()
    root = span(trace, 1, start_ns=-5, end_time_ns=2**80, events=[Event("e", 2**70)])
    child = span(trace, 2, 1, start_ns=2**64, end_time_ns=1)
    send(ingestor, root, child, experiment_id=experiment_id)
    row = read_one(store, trace)
    assert (row.request_time_ms, row.duration_ns) == (0, 2**63 - 1)
    rows = {one.span_id: one for one in read_spans(store, [row.trace_id])}
    assert rows[span_id(2)].start_time_ns == 2**63 - 1


def test_spans_that_are_each_others_parents_do_no_harm(chdb_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    usage = {"mlflow.chat.tokenUsage": {"input_tokens": 1, "output_tokens": 1}}
    spans = [span(trace, 1, 2, attributes=usage, name="first"), span(trace, 2, 1)]
    send(chdb_ingestor, *spans, experiment_id=experiment_id)
    row = read_one(chdb_store, trace)
    assert (row.state, row.trace_name, row.span_count) == ("OK", "first", 2)


def test_a_span_that_is_its_own_parent_is_a_root(chdb_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    own = span(trace, 3, 3, name="own", attributes={"input.value": "hi"})
    send(chdb_ingestor, own, span(trace, 4, 3), experiment_id=experiment_id)
    row = read_one(chdb_store, trace)
    assert (row.state, row.trace_name, row.request_preview) == ("OK", "own", '"hi"')


def test_numbers_that_are_no_counts_are_not_counted(chdb_ingestor, chdb_store, experiment_id):
    trace = new_trace_hex()
    for number, usage in enumerate(
        ({"input_tokens": -5}, {"input_tokens": "many"}, {"input_tokens": float("inf")}, "x", [1]),
        start=1,
    ):
        attributes = {"mlflow.chat.tokenUsage": usage, "mlflow.llm.cost": usage}
        child = span(trace, number, number - 1 if number > 1 else None, attributes=attributes)
        send(chdb_ingestor, child, experiment_id=experiment_id)
    huge = {"mlflow.chat.tokenUsage": {"input_tokens": 10**30, "output_tokens": 10**30}}
    send(chdb_ingestor, span(trace, 9, 5, attributes=huge), experiment_id=experiment_id)
    row = read_one(chdb_store, trace)
    assert (row.span_count, row.input_tokens, row.cost_usd) == (6, None, None)


def test_indices_out_of_all_proportion_cost_nothing():
    attributes = {
        "gen_ai.prompt.999999999999.content": "last",
        "gen_ai.prompt.0.content": "first",
        "gen_ai.prompt.x.content": "no index",
    }
    (row,) = normalise(batch(span("a" * 32, 1, attributes=attributes))).rows
    contents = [one["content"] for one in msgspec.json.decode(row.inputs)["messages"]]
    assert contents == ["first", "last"]


def test_a_value_nested_too_deep_to_be_json_is_noted_instead():
    value: list = []
    for _ in range(100_000):
        value = [value]
    (row,) = normalise(batch(span("a" * 32, 1, attributes={"deep": value}))).rows
    while value:
        value = value[0]
    assert "nested deeper" in row.attributes["deep"]


def test_text_that_is_no_json_becomes_a_json_string():
    (row,) = normalise(batch(span("a" * 32, 1, attributes={"whence.inputs": "{oops"}))).rows
    assert row.inputs == '"{oops"'


def test_lone_surrogates_become_replacement_characters():
    attributes = {"k\ud800": "v\ud800", "whence.inputs": "\ud800"}
    record = span("a" * 32, 1, name="n\ud800", attributes=attributes)
    (row,) = normalise(batch(record)).rows
    assert (row.name, row.attributes) == ("n\ufffd", {"k\ufffd": '"v\ufffd"'})


def test_metadata_over_the_limits_is_cut_and_the_cut_is_listed():
    attributes = {
        "whence.metadata.long": "v" * 9000,
        "whence.metadata." + "k" * 300: "x",
        "whence.metadata.": "no key",
    }
    rows = normalise(batch(span("a" * 32, 1, attributes=attributes))).rows
    row, _ = assemble("tr-x", facts_of(rows))
    assert row.metadata["long"] == "v" * 8000
    assert row.metadata["k" * 250] == "x"
    assert row.metadata["whence.truncated"] == "k" * 250 + ",long"


class StoreWhatNoColumnHolds:
    """An action whose row the engine's client can't encode, as a bug in ours could make one."""

    def __init__(self, trace_hex):
        self.row = HeaderRow(trace_id=f"tr-{trace_hex}", version=2**70)

    def apply(self, group):
        group.add_header(self.row)

    def finish(self, group):
        return None


def test_one_request_that_cannot_be_written_fails_alone(chdb_ingestor, chdb_store, experiment_id):
    traces = [new_trace_hex() for _ in range(7)]
    blocked, go = threading.Event(), threading.Event()

    def block(_):
        blocked.set()
        go.wait(30)

    def submit(trace):
        return chdb_ingestor.submit(batch(span(trace, 1)), experiment_id=experiment_id)

    stop = chdb_ingestor.subscribe(block)  # so that the others gather into one group
    futures = [submit(traces[0])]
    assert blocked.wait(30)
    futures += [submit(trace) for trace in traces[1:4]]
    bad = new_trace_hex()
    job = Job(StoreWhatNoColumnHolds(bad), [f"tr-{bad}"])
    poison = chdb_ingestor._writer.submit(job)
    futures += [submit(trace) for trace in traces[4:]]
    stop()
    go.set()
    with pytest.raises(StoreError):
        poison.result(60)
    assert all(future.result(60).accepted_spans == 1 for future in futures)
    rows = read_traces(chdb_store, [f"tr-{trace}" for trace in (*traces, bad)])
    assert {row.trace_id for row in rows} == {f"tr-{trace}" for trace in traces}
