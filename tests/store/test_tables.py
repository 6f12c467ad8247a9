"""Every table keeps what it is given, and one row per key: the one with the highest version."""

from __future__ import annotations

from whence.store.rows import SpanRow
from whence.store.spans import read_spans


def test_a_span_comes_back_whole(store, experiment_id):
    row = SpanRow(
        experiment_id=experiment_id,
        trace_id=f"tr-{experiment_id}",
        span_id="a" * 16,
        version=2**64 - 1,
    )
    store.insert("spans", [row])
    assert read_spans(store, [row.trace_id]) == [row]
