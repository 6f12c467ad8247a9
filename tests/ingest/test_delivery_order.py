"""Any order, any split, any repetition of deliveries ends in the same trace.

A multi-service trace (a root service, two called services with local roots, pending records, a
header or none) is delivered permuted, split and repeated, and compared with the delivery once and
in order: by the assembly rule alone on many examples, through the ingestor and a store on a few.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.wire import batch, new_trace_hex, pending, span
from whence.ingest.assemble import assemble
from whence.ingest.facts import facts_of
from whence.ingest.header import Header, decode_header, encode_header, merge_headers
from whence.ingest.normalise import normalise
from whence.store.conflicts import read_conflicts
from whence.store.headers import read_headers
from whence.store.spans import read_spans
from whence.store.traces import read_traces

FRONT = {"service__version": "2.1.0", "deployment__environment__name": "prod", "host__name": "a"}
SEARCH = {"service__version": "7.0", "service__name": "search", "cloud__region": "eu"}
MODEL = {"service__name": "model", "k8s__pod__name": "model-1", "session__id": "from model"}


def make_trace(trace_hex, *, contradicting=False):
    """Return (resource, span) pairs of three services, in the order in which they happened."""
    local = {"whence.local_root": True}
    root = span(
        trace_hex,
        1,
        name="chat",
        end_time_ns=1_790_000_000_500_000_000,
        attributes={
            "whence.inputs": '{"messages":[{"role":"user","content":"hi"}]}',
            "whence.metadata.mlflow.trace.user": "ada",
            "whence.metadata.team": "blue",
            "mlflow.traceTag.colour": "red",
            "whence.client_request_id": "req-1",
            "mlflow.traceRequestId": "tr-x",
        },
    )
    search = span(
        trace_hex,
        10,
        2,
        name="search",
        attributes={
            **local,
            "whence.metadata.index": "v3",
            "whence.metadata.team": "green" if contradicting else "blue",
        },
    )
    usage = {"input_tokens": 10, "output_tokens": 5}
    model = span(
        trace_hex,
        20,
        3,
        name="generate",
        status=2,
        attributes={**local, "mlflow.chat.tokenUsage": usage, "gen_ai.request.model": "gpt-4o"},
    )
    return [
        (FRONT, pending(root)),
        (FRONT, span(trace_hex, 2, 1)),
        (SEARCH, pending(search)),
        (SEARCH, span(trace_hex, 11, 10, attributes={"whence.metadata.shard": "4"})),
        (SEARCH, search),
        (FRONT, span(trace_hex, 3, 1)),
        (MODEL, pending(model)),
        (
            MODEL,
            span(trace_hex, 21, 20, attributes={"mlflow.chat.tokenUsage": usage, "model": "x"}),
        ),
        (MODEL, model),
        (FRONT, root),
    ]


def make_header(trace_id, experiment_id):
    return Header(
        trace_id=trace_id,
        experiment_id=experiment_id,
        request_time_ms=1_790_000_000_001,
        duration_ns=400_000_000,
        state="ERROR",
        trace_metadata={"app_version": "2.1.0", "mlflow.source.name": "chat.py"},
        tags={"mlflow.traceName": "chat turn"},
    )


def deliveries(count):
    """Draw a permutation with repetitions, cut into requests: lists of indices."""

    def cut(order):
        lengths = st.lists(st.integers(1, 4), min_size=len(order), max_size=len(order))
        return lengths.map(lambda sizes: _split(order, sizes))

    repeats = st.lists(st.integers(0, count - 1), max_size=6)
    return (
        st.tuples(st.permutations(range(count)), repeats, st.randoms(use_true_random=False))
        .map(_mix)
        .flatmap(cut)
    )


def _mix(drawn):
    order, repeats, random = drawn
    mixed = list(order)
    for index in repeats:
        mixed.insert(random.randint(0, len(mixed)), index)
    return mixed


def _split(order, sizes):
    parts, at = [], 0
    for size in sizes:
        if at < len(order):
            parts.append(order[at : at + size])
            at += size
    return parts


def fold(trace_id, records, requests, header_at, header):
    """Play the writer: remember facts by span id, the first final record of each."""
    facts, stored_header = {}, None
    for number, request in enumerate(requests):
        for index in request:
            resource, record = records[index]
            rows = normalise(batch(record, **resource), experiment_id="9").rows
            (fact,) = facts_of(rows)
            known = facts.get(fact.span_id)
            if known is None or not known.end_time_ns:
                facts[fact.span_id] = msgspec.structs.replace(fact, received_at_us=number + 1)
        if header is not None and number in header_at:
            stored_header = (
                header if stored_header is None else merge_headers(stored_header, header)[0]
            )
            stored_header = decode_header(encode_header(stored_header))
    if header is not None and stored_header is None:
        stored_header = header
    row, conflicts = assemble(trace_id, facts.values(), stored_header)
    return row, [(c.key, c.kept, c.refused) for c in conflicts]


@settings(max_examples=300, deadline=None)
@given(
    requests=deliveries(10),
    header_at=st.sets(st.integers(0, 9), max_size=3),
    with_header=st.booleans(),
    contradicting=st.booleans(),
)
def test_the_rule_gives_the_same_trace_for_every_delivery(
    requests, header_at, with_header, contradicting
):
    trace_hex = "ab" * 16
    records = make_trace(trace_hex, contradicting=contradicting)
    header = make_header(f"tr-{trace_hex}", "9") if with_header else None
    once = fold(f"tr-{trace_hex}", records, [[i] for i in range(10)], {9}, header)
    assert fold(f"tr-{trace_hex}", records, requests, header_at, header) == once
    row, conflicts = once
    assert (row.span_count, row.app_version, row.total_tokens) == (7, "2.1.0", 15)
    assert (row.session, row.metadata["shard"], row.metadata["team"]) == ("from model", "4", "blue")
    assert (("team", "blue", "green") in conflicts) == contradicting


def deliver(ingestor, trace_hex, requests, header, experiment_id):
    """Send the trace; the header after the first request, and again at the end."""
    records = make_trace(trace_hex, contradicting=True)
    futures = []
    for number, request in enumerate(requests):
        for index in request:
            resource, record = records[index]
            futures.append(ingestor.submit(batch(record, **resource), experiment_id=experiment_id))
        if header is not None and number in (0, len(requests) - 1):
            futures.append(ingestor.submit_header(header))
        if number % 2:
            futures[-1].result(30)
    for future in futures:
        future.result(30)


def read_outcome(store, trace_id):
    """Return all that is stored of a trace, without ids and stamps."""
    row = msgspec.structs.replace(read_traces(store, [trace_id])[0], trace_id="", version=0)
    spans = [
        msgspec.structs.replace(one, trace_id="", received_at_us=0, version=0)
        for one in sorted(read_spans(store, [trace_id]), key=lambda one: one.span_id)
    ]
    conflicts = [(one.key, one.kept, one.refused) for one in read_conflicts(store, [trace_id])]
    return row, spans, conflicts, len(read_headers(store, [trace_id]))


@pytest.mark.parametrize("with_header", [False, True])
def test_the_store_ends_in_the_same_trace_for_every_delivery(
    chdb_ingestor, chdb_store, experiment_id, with_header
):
    def play(requests):
        trace_hex = new_trace_hex()
        trace_id = f"tr-{trace_hex}"
        header = make_header(trace_id, experiment_id) if with_header else None
        deliver(chdb_ingestor, trace_hex, requests, header, experiment_id)
        return read_outcome(chdb_store, trace_id)

    once = play([[i] for i in range(10)])
    assert play([list(range(9, -1, -1))]) == once
    assert play([list(range(10)), list(range(10))]) == once

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(requests=deliveries(10))
    def check(requests):
        assert play(requests) == once

    check()


def test_a_writer_without_memory_ends_in_the_same_trace(
    own_ingestor, chdb_ingestor, chdb_store, experiment_id
):
    outcomes = []
    for ingestor in (chdb_ingestor, own_ingestor(max_remembered_spans=0)):
        trace_hex = new_trace_hex()
        header = make_header(f"tr-{trace_hex}", experiment_id)
        deliver(ingestor, trace_hex, [[i] for i in range(9, -1, -1)], header, experiment_id)
        outcomes.append(read_outcome(chdb_store, f"tr-{trace_hex}"))
    assert outcomes[0] == outcomes[1]
