"""The table `conflicts`: refused writes to immutable metadata, by (trace_id, key, refused).

A row whose `kept` equals its `refused` takes a conflict back: a later delivery resolved it. One
that is `absent` stands: its span had ended without the key, which another span may fill later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import ConflictRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

SELECT_CONFLICTS = f"""\
SELECT {list_columns(ConflictRow)}
FROM conflicts FINAL
WHERE trace_id IN {{trace_ids:Array(String)}} AND (kept != refused OR absent)
ORDER BY trace_id, key, refused
"""


def read_conflicts(store: Store, trace_ids: Collection[str]) -> list[ConflictRow]:
    """Return the conflicts of these traces, each once."""
    if not trace_ids:
        return []
    found = find_conflicts(store, trace_ids)
    if found is None:
        found = store.query(SELECT_CONFLICTS, {"trace_ids": list(trace_ids)}).structs(ConflictRow)
    return found


def find_conflicts(store: Store, trace_ids: Collection[str]) -> list[ConflictRow] | None:
    """Return what `SELECT_CONFLICTS` would, where it is known without asking the engine."""
    found = store.kept.find("conflicts", trace_ids)
    if found is None:
        return None
    standing = [row for row in found if row.kept != row.refused or row.absent]
    return sorted(standing, key=lambda row: (row.trace_id, row.key, row.refused))
