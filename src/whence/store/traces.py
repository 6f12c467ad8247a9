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

import msgspec

from whence.store.rows import TraceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from whence.store.connection import Rows, Store

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
SELECT_RUNNING = f"""\
SELECT {WHOLE}
FROM open_traces FINAL
WHERE trace_id IN {{trace_ids:Array(String)}} AND deleted = 0
SETTINGS max_threads = 1
"""
_SELECT_AT = f"""\
SELECT {WHOLE}, deleted
FROM traces
PREWHERE experiment_id IN {{experiment_ids:Array(String)}}
    AND -request_time_ms IN {{times:Array(Int64)}}
    AND trace_id IN {{trace_ids:Array(String)}}
SETTINGS use_skip_indexes = 0, max_threads = 1, use_query_condition_cache = 0
"""


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


def read_trace_at(
    store: Store, trace_ids: Sequence[str], running: Rows, places: Collection[tuple[str, int]]
) -> TraceRow | None:
    """Return the row of the first of these ids that a trace has; `running` is `SELECT_RUNNING`'s.

    The `places` (experiment_id, request_time_ms) are where it probably lies: there the sort key
    finds it. Only where it does not lie there, the index of the trace ids is asked.
    """
    newest: dict[str, TraceRow] = {row[1]: unpack_trace(*row) for row in running.rows}
    at = {
        "experiment_ids": sorted({experiment_id for experiment_id, _ in places}),
        "times": sorted({-time_ms for _, time_ms in places}),
        "trace_ids": list(trace_ids),
    }
    rows = store.query(_SELECT_AT, at).rows if places else []
    of_key: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in sorted(rows, key=lambda row: int(row[3])):
        of_key[row[:3]] = row
    for *whole, deleted in of_key.values():
        earlier = newest.get(whole[1])
        if not deleted and (earlier is None or earlier.version < whole[3]):
            newest[whole[1]] = unpack_trace(*whole)
    # An open trace may have ended meanwhile, at another time.
    known = {row[1] for row in of_key.values() if not row[5]}
    if trace_ids[0] not in known:
        newest.update((row.trace_id, row) for row in read_traces(store, trace_ids))
    return next((newest[one] for one in trace_ids if one in newest), None)


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
