"""What a server will cut of a trace is told before it is sent."""

from __future__ import annotations

import json

from whence.moves.cuts import list_cuts
from whence.moves.trace import MovedTrace
from whence.otlp.records import SpanRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"


def make_trace(*attributes):
    spans = [
        SpanRecord(
            trace_id=TRACE, span_id=f"{number:016x}", name="one", start_time_ns=1, attributes=said
        )
        for number, said in enumerate(attributes, 1)
    ]
    return MovedTrace(trace_id=f"tr-{TRACE}", spans=spans)


def test_cuts_inside_json_text_and_of_attributes_that_tell_metadata_are_named():
    packed = json.dumps({"plan": "x" * 9_000, "seats": 3})
    attributes = {
        "metadata": json.dumps(packed),
        "tag.tags": json.dumps(["t" * 300, "fine"]),
        "session.id": "s" * 8_001,
        "langfuse.trace.metadata.note": "n" * 8_001,
        "other": "o" * 9_000,
    }
    assert list_cuts(make_trace(attributes, attributes)) == [
        "metadata 'plan' was cut to 8000 characters",
        f"the key of tag '{'t' * 100}…' was cut to 250 characters",
        "metadata 'mlflow.trace.session' was cut to 8000 characters",
        "metadata 'note' was cut to 8000 characters",
    ]


def test_metadata_that_is_too_large_to_be_any_is_named():
    (keys,) = list_cuts(make_trace({"metadata": {str(number): 1 for number in range(257)}}))
    (size,) = list_cuts(make_trace({"metadata": {"long": "x" * 70_000}}))
    assert "257 keys, too much for metadata (65536 and 256)" in keys
    assert "70011 characters and 1 keys, too much for metadata" in size
    (labels,) = list_cuts(make_trace({"tag.tags": [str(number) for number in range(101)]}))
    assert labels == "of the labels in 'tag.tags' the first 100 became tags"
