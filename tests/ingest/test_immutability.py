"""Once a root or a header has spoken for a trace, no later delivery changes what it said.

A root that has not ended may still say other things in its final record. A root of an MLflow client
is one delivery with its header, which outranks it: it has spoken once a header in a final state is
there too.
"""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest.wire import batch, new_trace_hex, pending, span
from whence.errors import ConflictError
from whence.ingest.header import Header
from whence.store.traces import read_traces

COUNTED = {"mlflow.trace.sizeBytes", "mlflow.trace.sizeStats", "mlflow.trace.tokenUsage"}
FINAL = ("OK", "ERROR")
OF_MLFLOW = 9  # the number of an MLflow client's root


def make_root(trace_hex, number, word, *, open_=False):
    said = {
        "whence.metadata.team": word,
        "session.id": word,
        "whence.client_request_id": word,
        "mlflow.chat.tokenUsage": {"input_tokens": number, "output_tokens": 1},
    }
    if number == OF_MLFLOW:
        said["mlflow.traceRequestId"] = f"tr-{trace_hex}"
    status = 2 if word == "b" else 1
    root = span(trace_hex, number, name=word, status=status, attributes=said)
    return batch(pending(root) if open_ else root, service__version=word)


def make_header(trace_hex, experiment_id, word, state):
    return Header(
        trace_id=f"tr-{trace_hex}",
        experiment_id=experiment_id,
        state=state,
        client_request_id=word,
        request_time_ms=None if word == "c" else ord(word),
        duration_ns=None if word == "c" else ord(word) * 10_000_000,
        trace_metadata={"team": word, "app_version": word, f"only {word}": word},
    )


ROOTS = st.tuples(
    st.just("root"), st.sampled_from([3, 7, OF_MLFLOW]), st.sampled_from("ab"), st.booleans()
)
HEADERS = st.tuples(
    st.sampled_from(["header", "import"]),
    st.sampled_from("abc"),
    st.sampled_from([*FINAL, "IN_PROGRESS", None]),
)


def deliver(ingestor, trace_hex, experiment_id, kind, *rest):
    """Send one delivery; what contradicts is refused, which is what is looked for.

    Tell whether it is a header in a final state that was taken.
    """
    if kind == "root":
        number, word, open_ = rest
        root = make_root(trace_hex, number, word, open_=open_)
        ingestor.submit(root, experiment_id=experiment_id).result(30)
        return False
    header = make_header(trace_hex, experiment_id, *rest)
    if kind == "import":
        ingestor.submit_moved([header]).result(30)
        return header.state in FINAL
    with contextlib.suppress(ConflictError):
        ingestor.submit_header(header).result(30)
        return header.state in FINAL
    return False


def test_what_was_said_of_a_trace_stays(chdb_ingestor, chdb_store, experiment_id):
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @example([("header", "c", "OK"), ("root", OF_MLFLOW, "a", False), ("import", "b", "OK")])
    @example([("header", "a", "IN_PROGRESS"), ("root", 3, "a", False), ("import", "b", "OK")])
    @example([("header", "a", "IN_PROGRESS"), ("root", 3, "a", False), ("header", "c", "OK")])
    @given(st.lists(ROOTS | HEADERS, min_size=2, max_size=6))
    def check(steps):
        trace_hex = new_trace_hex()
        before, running, ended, has_header = None, set(), set(), False
        for step in steps:
            awaits_header = (running | ended) == {OF_MLFLOW} and not has_header
            has_header |= deliver(chdb_ingestor, trace_hex, experiment_id, *step)
            (row,) = read_traces(chdb_store, [f"tr-{trace_hex}"])
            if before is not None and not running and not awaits_header:
                compare(before, row)
            before = row
            if step[0] == "root":
                (running if step[3] else ended).add(step[1])
                running -= ended

    check()


def compare(before, after):
    for key in before.metadata.keys() - COUNTED:
        assert after.metadata.get(key) == before.metadata[key], key
    for field in ("app_version", "session", "client_request_id"):
        assert getattr(before, field) in (None, getattr(after, field)), field
    if before.state in FINAL:
        for field in ("state", "request_time_ms", "duration_ns"):
            # 0 ms is a time that nobody has told yet.
            assert getattr(before, field) in (None, 0, getattr(after, field)), field
