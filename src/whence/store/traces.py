"""The tables `traces` (complete) and `open_traces` (not ended): one row per trace, assembled.

Both are derived from `spans` and `headers`. Reading takes the newest row of every key and leaves
out deleted ones, then the newest of a trace that has several: one that moved from `open_traces`,
or to another time, is read once, at its new place.

It reads without FINAL: `traces` is sorted by time, so a trace id is found by the skip index
`by_trace_id`, and LIMIT 1 BY the key does FINAL's work for the few rows found.

A whole row is read as its key and `packed`, a JSON array of all other columns: one column in place
of 24, each of which would cost some 15 µs for every row that lies apart from the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec

from whence.store.rows import TraceRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

KEY_COLUMNS = ("experiment_id", "trace_id", "request_time_ms", "version", "deleted")
PACKED_COLUMNS = tuple(name for name in TraceRow.__struct_fields__ if name not in KEY_COLUMNS)
WHOLE = "experiment_id, trace_id, request_time_ms, version, packed"

_types = {field.name: field.type for field in msgspec.structs.fields(TraceRow)}
# Not strict: a server may be set to write 64-bit numbers in quotes.
_decoder: msgspec.json.Decoder[tuple[Any, ...]] = msgspec.json.Decoder(
    tuple[tuple(_types[name] for name in PACKED_COLUMNS)],  # type: ignore[misc] # at run time
    strict=False,
)


def _select_newest(columns: str, select: str) -> str:
    return f"""\
SELECT {select}
FROM
(
    SELECT {columns}, deleted, 1 AS complete
    FROM traces
    WHERE trace_id IN {{trace_ids:Array(String)}}
    ORDER BY version DESC
    LIMIT 1 BY experiment_id, request_time_ms, trace_id
    UNION ALL
    SELECT {columns}, deleted, 0 AS complete
    FROM open_traces
    WHERE trace_id IN {{trace_ids:Array(String)}}
    ORDER BY version DESC
    LIMIT 1 BY trace_id
)
WHERE deleted = 0
ORDER BY version DESC
LIMIT 1 BY trace_id
"""


_LOCATION = "trace_id, experiment_id, request_time_ms"
SELECT_WHOLE = _select_newest(WHOLE, WHOLE)
_LOCATE = _select_newest(f"{_LOCATION}, version", f"{_LOCATION}, complete")
_UNSEEN = """\
SELECT DISTINCT experiment_id
FROM traces
WHERE experiment_id NOT IN {seen:Array(String)}
"""
_seen: WeakKeyDictionary[Store, frozenset[str]] = WeakKeyDictionary()


def unpack_trace(
    experiment_id: str, trace_id: str, request_time_ms: int, version: int, packed: str
) -> TraceRow:
    """Make a row of the columns of `WHOLE`."""
    return TraceRow(
        experiment_id=experiment_id,
        trace_id=trace_id,
        request_time_ms=request_time_ms,
        version=version,
        **dict(zip(PACKED_COLUMNS, _decoder.decode(packed), strict=True)),
    )


def read_traces(store: Store, trace_ids: Collection[str]) -> list[TraceRow]:
    """Return the newest row of each of these traces that exists and is not deleted."""
    if not trace_ids:
        return []
    found = store.query(SELECT_WHOLE, {"trace_ids": list(trace_ids)}).rows
    return [unpack_trace(*row) for row in found]


def list_experiment_ids(store: Store) -> frozenset[str]:
    """Return every experiment that has traces, and those that had some.

    Only what the sort key can't rule out is read: blocks that may hold an experiment not yet seen.
    """
    seen = _seen.get(store, frozenset())
    found = store.query(_UNSEEN, {"seen": list(seen)}).rows
    if found:
        seen = _seen[store] = seen.union(experiment_id for (experiment_id,) in found)
    return seen


def locate_traces(store: Store, trace_ids: Collection[str]) -> dict[str, tuple[str, int, bool]]:
    """Return where each of these traces lies: its (experiment_id, request_time_ms, complete).

    `complete` tells whether that is in `traces` (True) or in `open_traces`.
    """
    if not trace_ids:
        return {}
    found = store.query(_LOCATE, {"trace_ids": list(trace_ids)}).rows
    return {
        trace_id: (experiment_id, request_time_ms, bool(complete))
        for trace_id, experiment_id, request_time_ms, complete in found
    }
