"""The table `tags`: what API calls set and deleted, one row per (trace_id, key).

These rows overlay the initial tags in `traces.tags`. A deleted tag keeps its row (`deleted` 1), so
that an initial tag of that key stays hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import TagRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(TagRow)}
FROM tags FINAL
WHERE trace_id IN {{trace_ids:Array(String)}}
ORDER BY trace_id, key
"""


def read_tags(store: Store, trace_ids: Collection[str]) -> list[TagRow]:
    """Return the tag rows of these traces, the deleted ones (`deleted` 1) among them."""
    if not trace_ids:
        return []
    return store.query(_SELECT, {"trace_ids": list(trace_ids)}).structs(TagRow)
