"""The table `saved_views`: named addresses of the Traces tab, the last one saved of each name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.store.connection import list_columns

if TYPE_CHECKING:
    from whence.store.connection import Store


class SavedViewRow(msgspec.Struct, frozen=True, kw_only=True):
    """A view; `search` is the query part of the page's address, `deleted` 1 hides it."""

    name: str
    search: str
    saved_ms: int
    deleted: int = 0
    version: int = 0


_SELECT = f"""\
SELECT {list_columns(SavedViewRow)}
FROM saved_views FINAL
WHERE deleted = 0
ORDER BY lowerUTF8(name), name
"""


def read_saved_views(store: Store) -> list[SavedViewRow]:
    """Return all views, by name."""
    return store.query(_SELECT, {}).structs(SavedViewRow)


def write_saved_view(store: Store, row: SavedViewRow) -> None:
    """Replace the view of this name; durable on return."""
    store.insert("saved_views", [msgspec.structs.replace(row, version=time.time_ns())])
