"""Which traces anything is stored of, as a Bloom filter that the engine computes.

A trace's three positions are the first three words of the MD5 of its id, each 32 bits with the
lowest byte first, modulo the filter's bits. One pass over the ids, which `spans` and `headers` are
sorted by, on one thread of the engine.
"""

from __future__ import annotations

from hashlib import md5
from struct import unpack
from typing import TYPE_CHECKING

from whence.errors import StoreError

if TYPE_CHECKING:
    from whence.store.connection import Store

_COUNT = """\
SELECT (SELECT count() FROM traces) + (SELECT count() FROM open_traces)
"""

_FILTER = """\
SELECT word
FROM
(
    SELECT
        intDiv(position, 64) AS place,
        groupBitOr(bitShiftLeft(toUInt64(1), position % 64)) AS word
    FROM
    (
        SELECT arrayJoin(
            arrayMap(
                first -> reinterpretAsUInt32(substring(digest, first, 4)) % {bits:UInt64},
                [1, 5, 9]
            )
        ) AS position
        FROM
        (
            SELECT MD5(trace_id) AS digest FROM spans GROUP BY trace_id
            UNION ALL
            SELECT MD5(trace_id) AS digest FROM headers GROUP BY trace_id
            UNION ALL
            SELECT MD5(trace_id) AS digest FROM deletions GROUP BY trace_id
        )
    )
    GROUP BY place
    ORDER BY place WITH FILL FROM 0 TO {words:UInt64}
)
"""
_SETTINGS = {"optimize_aggregation_in_order": 1, "max_threads": 1}


def count_traces(store: Store) -> int:
    """Return about how many traces are stored; quick."""
    return int(store.query(_COUNT).rows[0][0])


def read_filter(store: Store, bits: int) -> bytearray:
    """Return the filter of `bits` bits, a multiple of 64, the lowest bit of a byte first."""
    parameters = {"bits": bits, "words": bits // 64}
    found = bytearray(store.query_raw(_FILTER, parameters, settings=_SETTINGS))
    if len(found) * 8 != bits:
        raise StoreError(f"the filter of known traces has {len(found)} bytes, not {bits // 8}")
    return found


def find_positions(trace_id: str, bits: int) -> tuple[int, int, int]:
    """Return the bits that stand for a trace."""
    digest = md5(trace_id.encode(errors="replace"), usedforsecurity=False).digest()
    first, second, third, _ = unpack("<4I", digest)
    return first % bits, second % bits, third % bits
