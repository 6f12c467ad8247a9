"""What a crash between two inserts leaves: spans without their trace row, traces in two tables.

Truth (`spans`, `headers`, `deletions`) is inserted before what is derived from it, so the derived
rows can be made again. These queries find the trace ids to do that for; they look back over a
window from the newest row, so they cost one scan of a few narrow columns.
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
MAX_AHEAD_US = 24 * 3600 * 1_000_000
_NEWEST = """\
SELECT greatest(
    (SELECT maxIf(received_at_us, received_at_us <= {latest_us:Int64}) FROM spans),
    (SELECT maxIf(received_at_us, received_at_us <= {latest_us:Int64}) FROM headers),
    (SELECT maxIf(deleted_at_us, deleted_at_us <= {latest_us:Int64}) FROM deletions),
    (SELECT toInt64(maxIf(version, version <= {latest_us:Int64})) FROM traces),
    (SELECT toInt64(maxIf(version, version <= {latest_us:Int64})) FROM open_traces)
)
"""

# `recent` is what arrived in the window, `assembled` how new its rows are. A row's version is taken
# after its newest delivery was stamped, from the same clock.
_UNASSEMBLED = """\
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
    latest_us = time.time_ns() // 1000 + MAX_AHEAD_US
    return int(store.query(_NEWEST, {"latest_us": latest_us}).rows[0][0])


def find_unassembled(store: Store, since_us: int) -> set[str]:
    """Return the traces received since then whose row is missing, stale, or in both tables."""
    found = store.query(_UNASSEMBLED, {"since_us": max(since_us, 0)}).rows
    found += store.query(_IN_BOTH, {"since_us": max(since_us, 0)}).rows
    return {trace_id for (trace_id,) in found}


def find_deletions(store: Store, since_us: int) -> set[str]:
    """Return the traces deleted since then."""
    found = store.query(_DELETED, {"since_us": max(since_us, 0)}).rows
    return {trace_id for (trace_id,) in found}
