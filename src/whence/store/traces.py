"""The tables `traces` (complete) and `open_traces` (not ended): one row per trace, assembled.

Both are derived from `spans` and `headers`. Reading takes the newest row of every key and leaves
out deleted ones, then the newest of a trace that has several: one that moved from `open_traces`,
or to another time, is read once, at its new place.

It reads without FINAL: `traces` is sorted by time, so a trace id is found by the skip index
`by_trace_id`, and LIMIT 1 BY the key does FINAL's work for the few rows found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import TraceRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_KEY_COLUMNS = "trace_id, experiment_id, request_time_ms, version, deleted"


def _select_newest(columns: str, select: str) -> str:
    return f"""\
SELECT {select}
FROM
(
    SELECT {columns}, 1 AS complete
    FROM traces
    WHERE trace_id IN {{trace_ids:Array(String)}}
    ORDER BY version DESC
    LIMIT 1 BY experiment_id, request_time_ms, trace_id
    UNION ALL
    SELECT {columns}, 0 AS complete
    FROM open_traces
    WHERE trace_id IN {{trace_ids:Array(String)}}
    ORDER BY version DESC
    LIMIT 1 BY trace_id
)
WHERE deleted = 0
ORDER BY version DESC
LIMIT 1 BY trace_id
"""


_SELECT = _select_newest(list_columns(TraceRow), list_columns(TraceRow))
_LOCATE = _select_newest(_KEY_COLUMNS, "trace_id, experiment_id, request_time_ms, complete")


def read_traces(store: Store, trace_ids: Collection[str]) -> list[TraceRow]:
    """Return the newest row of each of these traces that exists and is not deleted."""
    if not trace_ids:
        return []
    return store.query(_SELECT, {"trace_ids": list(trace_ids)}).structs(TraceRow)


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
