"""The distinct values of a column of traces that has few, held in memory.

Contract: `list` returns every value that a row has whose insert has returned, and maybe some that
rows had; None where they are too many, or others write into the store as well.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyarrow import RecordBatch

    from whence.store.connection import Rows

TABLES = ("traces", "open_traces")


class KnownValues:
    """The values of one column of one store, from any thread."""

    def __init__(
        self, query: Callable[..., Rows], column: str, *, at_most: int, shared: bool
    ) -> None:
        self._query = query
        self._column = column
        self._at_most = at_most
        self._lock = threading.Lock()
        self._values: frozenset[str] | None = None if shared else frozenset()
        self._are_all = False

    def list(self) -> frozenset[str] | None:
        """Return every value, apart from NULL; None where they aren't known."""
        if self._values is not None and not self._are_all:
            for table in TABLES:
                sql = (
                    f"SELECT DISTINCT `{self._column}`\nFROM {table}\n"
                    f"WHERE isNotNull(`{self._column}`)\nLIMIT {self._at_most + 1}"
                )
                self._add(value for (value,) in self._query(sql).rows)
            self._are_all = True
        return self._values

    def insert(self, table: str, batches: Sequence[RecordBatch]) -> None:
        """Take the values of rows that are about to be inserted."""
        if self._values is None or table not in TABLES:
            return
        for batch in batches:
            if self._column in batch.schema.names:
                self._add(batch.column(self._column).unique().to_pylist())

    def _add(self, values: Iterable[str | None]) -> None:
        with self._lock:
            if self._values is not None:
                found = self._values.union(one for one in values if one is not None)
                self._values = found if len(found) <= self._at_most else None
