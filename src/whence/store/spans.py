"""The table `spans`: what arrived, one row per (trace_id, span_id), the highest version counting.

Append-only, except that a deleted trace's spans are removed. Order of the rows read is not defined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.newest import newest_rows
from whence.store.parameters import split_list
from whence.store.rows import SpanRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Rows, Store

PAYLOAD_COLUMNS = ("inputs", "outputs", "events", "links")
_SPEAKS_FOR_TRACE = (
    "parent_id = '' OR parent_id = span_id OR attributes['whence.local_root'] = 'true'"
)

# Without FINAL, which takes as long as all the rest where a few traces are read.
SELECT_SPANS = f"""\
SELECT {list_columns(SpanRow)}, _part
FROM spans
WHERE trace_id IN {{trace_ids:Array(String)}}
"""

_SELECT_FACTS = f"""\
SELECT
    {list_columns(SpanRow, without=PAYLOAD_COLUMNS)},
    if({_SPEAKS_FOR_TRACE}, spans.inputs, '') AS inputs,
    if({_SPEAKS_FOR_TRACE}, spans.outputs, '') AS outputs
FROM spans FINAL
WHERE trace_id IN {{trace_ids:Array(String)}}
"""

_DELETE = """\
DELETE FROM spans
WHERE trace_id IN {trace_ids:Array(String)}
"""


def read_spans(store: Store, trace_ids: Collection[str]) -> list[SpanRow]:
    """Return the spans of these traces, whole."""
    if not trace_ids:
        return []
    return gather_spans(store.query(SELECT_SPANS, {"trace_ids": list(trace_ids)}))


def gather_spans(found: Rows) -> list[SpanRow]:
    """Make spans of what `SELECT_SPANS` found."""
    return newest_rows(found, SpanRow, ("trace_id", "span_id"))


def read_span_facts(store: Store, trace_ids: Collection[str]) -> list[SpanRow]:
    """Return the spans of these traces with their payload columns left empty.

    That is all a trace is assembled from, and payloads are most of the bytes. Roots and local roots
    keep inputs and outputs, of which previews are made.
    """
    if not trace_ids:
        return []
    return store.query(_SELECT_FACTS, {"trace_ids": list(trace_ids)}).structs(SpanRow)


def delete_spans(store: Store, trace_ids: Collection[str]) -> None:
    """Remove the spans of these traces: hidden on return, gone from the disk after a merge."""
    if not trace_ids:
        return
    for part in split_list(trace_ids):
        store.command(_DELETE, {"trace_ids": part})
