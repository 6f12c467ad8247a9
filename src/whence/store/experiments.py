"""The table `experiments`: one row per experiment_id, upserted by whoever meets it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import ExperimentRow

if TYPE_CHECKING:
    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(ExperimentRow)}
FROM experiments FINAL
ORDER BY created_ms, experiment_id
"""


def read_experiments(store: Store) -> list[ExperimentRow]:
    """Return every experiment, the deleted ones among them, the oldest first."""
    return store.query(_SELECT).structs(ExperimentRow)
