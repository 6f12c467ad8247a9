"""The table `headers`: what MLflow clients posted about traces, one row per trace_id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.parameters import split_list
from whence.store.rows import HeaderRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(HeaderRow)}
FROM headers FINAL
WHERE trace_id IN {{trace_ids:Array(String)}}
"""

_DELETE = """\
DELETE FROM headers
WHERE trace_id IN {trace_ids:Array(String)}
"""


def read_headers(store: Store, trace_ids: Collection[str]) -> list[HeaderRow]:
    """Return the header of each of these traces that has one."""
    if not trace_ids:
        return []
    return store.query(_SELECT, {"trace_ids": list(trace_ids)}).structs(HeaderRow)


def delete_headers(store: Store, trace_ids: Collection[str]) -> None:
    """Remove the headers of these traces: hidden on return, gone from the disk after a merge."""
    if not trace_ids:
        return
    for part in split_list(trace_ids):
        store.command(_DELETE, {"trace_ids": part})
