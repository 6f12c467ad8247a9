"""What a crash between two inserts leaves: spans without their trace row, traces in two tables.

Truth (`spans`, `headers`, `deletions`) is inserted before what is derived from it, so the derived
rows can be made again. These queries find the trace ids to do that for. They look back over a
window from the newest row: the engine keeps the least and the greatest value of every column of a
merged part, and reads a few narrow columns of the parts that reach into the window.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_KNOWN = """\
SELECT trace_id FROM deletions WHERE trace_id IN {trace_ids:Array(String)}
UNION DISTINCT
SELECT trace_id FROM headers WHERE trace_id IN {trace_ids:Array(String)}
UNION DISTINCT
SELECT trace_id FROM spans WHERE trace_id IN {trace_ids:Array(String)}
"""

# A stamp far ahead of this machine's clock is damage; going on from it would spoil every later one.
HOUR_US = 3600 * 1_000_000
MAX_AHEAD_US = 24 * HOUR_US
LOOK_BACK_US = (HOUR_US, 30 * 24 * HOUR_US)  # then further, to the beginning
NEWEST = """\
SELECT max(newest)
FROM
(
    SELECT max(received_at_us) AS newest
    FROM spans
    WHERE received_at_us BETWEEN {since_us:Int64} AND {latest_us:Int64}
    UNION ALL
    SELECT max(received_at_us) AS newest
    FROM headers
    WHERE received_at_us BETWEEN {since_us:Int64} AND {latest_us:Int64}
    UNION ALL
    SELECT max(deleted_at_us) AS newest
    FROM deletions
    WHERE deleted_at_us BETWEEN {since_us:Int64} AND {latest_us:Int64}
    UNION ALL
    SELECT toInt64(max(version)) AS newest
    FROM traces
    WHERE version BETWEEN {since_us:Int64} AND {latest_us:Int64}
    UNION ALL
    SELECT toInt64(max(version)) AS newest
    FROM open_traces
    WHERE version BETWEEN {since_us:Int64} AND {latest_us:Int64}
)
"""

# `recent` is what arrived in the window, `assembled` how new its rows are. A row's version is taken
# after its newest delivery was stamped, from the same clock.
UNASSEMBLED = """\
WITH recent AS
(
    SELECT trace_id, max(received_at_us) AS received_at_us
    FROM
    (
        SELECT trace_id, received_at_us FROM spans WHERE received_at_us >= {since_us:Int64}
        UNION ALL
        SELECT trace_id, received_at_us FROM headers WHERE received_at_us >= {since_us:Int64}
    )
    GROUP BY trace_id
)
SELECT recent.trace_id
FROM recent
LEFT JOIN
(
    SELECT trace_id, max(version) AS assembled_at_us
    FROM
    (
        SELECT trace_id, version FROM traces WHERE version >= {since_us:UInt64}
        UNION ALL
        SELECT trace_id, version FROM open_traces WHERE version >= {since_us:UInt64}
    )
    GROUP BY trace_id
) AS assembled ON assembled.trace_id = recent.trace_id
WHERE assembled.assembled_at_us < recent.received_at_us
"""

_IN_BOTH = """\
SELECT trace_id
FROM open_traces FINAL
WHERE trace_id IN (SELECT trace_id FROM traces WHERE version >= {since_us:UInt64})
"""

_DELETED = """\
SELECT DISTINCT trace_id
FROM deletions
WHERE deleted_at_us >= {since_us:Int64}
"""


def find_known(store: Store, trace_ids: Collection[str]) -> set[str]:
    """Return those of these traces of which anything is stored: spans, a header, a tombstone."""
    if not trace_ids:
        return set()
    return {trace_id for (trace_id,) in store.query(_KNOWN, {"trace_ids": list(trace_ids)}).rows}


def read_newest_us(store: Store) -> int:
    """Return the highest sane time stamp that any writer has given, 0 in an empty store."""
    now_us = time.time_ns() // 1000
    for look_back_us in (*LOOK_BACK_US, now_us):
        window = {"since_us": now_us - look_back_us, "latest_us": now_us + MAX_AHEAD_US}
        newest_us = int(store.query(NEWEST, window).rows[0][0])
        if newest_us:
            return newest_us
    return 0


def find_unassembled(store: Store, since_us: int) -> set[str]:
    """Return the traces received since then whose row is missing, stale, or in both tables."""
    found = store.query(UNASSEMBLED, {"since_us": max(since_us, 0)}).rows
    found += store.query(_IN_BOTH, {"since_us": max(since_us, 0)}).rows
    return {trace_id for (trace_id,) in found}


def find_deletions(store: Store, since_us: int) -> set[str]:
    """Return the traces deleted since then."""
    found = store.query(_DELETED, {"since_us": max(since_us, 0)}).rows
    return {trace_id for (trace_id,) in found}
