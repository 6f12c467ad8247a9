"""The table `deletions`: the tombstones of traces. A tombstone is never taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = """\
SELECT DISTINCT trace_id
FROM deletions
WHERE trace_id IN {trace_ids:Array(String)}
"""


def read_deleted(store: Store, trace_ids: Collection[str]) -> set[str]:
    """Return those of these traces that have been deleted."""
    if not trace_ids:
        return set()
    return {trace_id for (trace_id,) in store.query(_SELECT, {"trace_ids": list(trace_ids)}).rows}
