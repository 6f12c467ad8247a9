"""The small tables that every page and every trace asks for, held in memory while they are small.

`tags`, `assessments` and `conflicts` have a row or two about a hundred traces, if any, and asking
the engine takes 2 to 4 ms a table. So where the store belongs to this process, their newest rows
are read once, and kept up to date by the inserts that pass through here.

Of `open_traces` those that have not ended are held, by what most searches ask: most pages then need
not ask for them at all.

Contract: what is found is what the engine would say. Nothing is found (None) where the table is too
large, is written by others as well, or is just being written: then the engine must be asked.

Of `traces` the experiments are held, because a search of all of them must know which there are, and
the versions of applications, so that they needn't be compared row by row.

Limits: `MAX_ROWS` rows or `MAX_BYTES` a table, `MAX_RUNNING` open traces; a larger one is asked for
as long as the store is open.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from whence.store.rows import AssessmentRow, ConflictRow, RunningRow, TagRow
from whence.store.unended import UnendedTraces
from whence.store.values import KnownValues

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pyarrow import RecordBatch

    from whence.store.connection import Rows

MAX_ROWS = 20_000
MAX_BYTES = 16 << 20
MAX_APP_VERSIONS = 2000
MAX_RUNNING = 8000  # a search goes through all of them, in about a millisecond
RETRY_S = 2.0  # after a reading that an insert overtook

_SIZE = """\
SELECT sum(rows), sum(data_uncompressed_bytes)
FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
"""


@dataclass(frozen=True)
class _Shape:
    """Which rows a table has, and which of them replace each other: same key, highest version."""

    row_type: type[msgspec.Struct]
    key: tuple[str, ...]  # besides the trace id
    version: str = "version"
    living: bool = False  # deleted rows aren't held

    def names(self) -> tuple[str, ...]:
        return self.row_type.__struct_fields__


_EXPERIMENT_IDS = """\
SELECT DISTINCT experiment_id
FROM traces
WHERE experiment_id NOT IN {seen:Array(String)}
"""

_SHAPES = {
    "tags": _Shape(TagRow, ("key",)),
    "assessments": _Shape(AssessmentRow, ("assessment_id",)),
    "conflicts": _Shape(ConflictRow, ("key", "refused"), "at_us"),
    "open_traces": _Shape(RunningRow, (), living=True),
}

_Row = Any  # a TagRow, an AssessmentRow, a ConflictRow or a RunningRow
_ByKey = dict[tuple[Any, ...], _Row]


@dataclass
class _Table:
    """What is held of a table: its rows by trace id and key, None where they aren't known."""

    rows: dict[str, _ByKey] | None = None
    count: int = 0
    size: int = 0  # bytes, roughly
    keys: set[str] = field(default_factory=set)
    inserts: int = 0
    inserting: bool = False
    reading: bool = False
    too_large: bool = False
    not_before: float = 0.0


class KeptTables:
    """The small tables of one store, from any thread; `shared`: others write as well."""

    def __init__(self, query: Callable[..., Rows], *, shared: bool) -> None:
        self._query = query
        self._lock = threading.Lock()
        self._tables = {} if shared else {name: _Table() for name in _SHAPES}
        self._shared = shared
        self._experiment_ids: frozenset[str] = frozenset()  # some of those that have traces
        self._knows_experiments = False  # whether these are all
        self.app_versions = KnownValues(
            query, "app_version", at_most=MAX_APP_VERSIONS, shared=shared
        )
        self.unended = UnendedTraces(query, shared=shared)

    def list_experiment_ids(self) -> frozenset[str]:
        """Return every experiment that has traces, and those that had some."""
        if not self._knows_experiments:
            # Only what the sort key can't rule out is read: blocks that may hold another one.
            rows = self._query(_EXPERIMENT_IDS, {"seen": list(self._experiment_ids)}).rows
            self._add_experiments(experiment_id for (experiment_id,) in rows)
            self._knows_experiments = not self._shared
        return self._experiment_ids

    def _add_experiments(self, experiment_ids: Iterable[str]) -> None:
        with self._lock:
            self._experiment_ids = self._experiment_ids.union(experiment_ids)

    def find(self, table: str, trace_ids: Iterable[str]) -> list[_Row] | None:
        """Return the newest rows of these traces, the deleted ones among them; None: ask."""
        held = self._held(table)
        if held is None:
            return None
        with self._lock:
            if held.rows is None or held.inserting:
                return None
            found = [held.rows[one] for one in trace_ids if one in held.rows]
            return [row for by_key in found for row in by_key.values()]

    def list_running(self) -> list[RunningRow] | None:
        """Return all traces that have not ended; None: ask."""
        held = self._held("open_traces")
        if held is None:
            return None
        with self._lock:
            if held.rows is None or held.inserting:
                return None
            return [row for by_key in held.rows.values() for row in by_key.values()]

    def has_key(self, table: str, key: str) -> bool | None:
        """Tell whether any row, deleted or not, is of this key; None: ask."""
        held = self._held(table)
        if held is None:
            return None
        with self._lock:
            return None if held.rows is None or held.inserting else key in held.keys

    @contextmanager
    def inserting(
        self,
        table: str,
        batches: Sequence[RecordBatch],
        replacing: Collection[str] | None = None,
    ) -> Iterator[None]:
        """Take what is inserted meanwhile; one insert at a time.

        `replacing`, for traces: those that may have a row already, None: all.
        """
        self.app_versions.insert(table, batches)
        with self.unended.inserting(table, batches, replacing), self._taking(table, batches):
            yield

    @contextmanager
    def _taking(self, table: str, batches: Sequence[RecordBatch]) -> Iterator[None]:
        if table == "traces":
            for batch in batches:
                self._add_experiments(batch.column("experiment_id").unique().to_pylist())
        held = self._tables.get(table)
        if held is None:
            yield
            return
        with self._lock:
            held.inserts += 1
            held.inserting = True
        rows: list[_Row] | None = None  # it isn't known what the engine has taken
        try:
            yield
            with suppress(TypeError):  # columns that aren't the struct's
                rows = [row for batch in batches for row in _rows_of(_SHAPES[table], batch)]
        finally:
            with self._lock:
                held.inserting = False
                if rows is None:
                    held.rows = None
                elif held.rows is not None:
                    _add(held, _SHAPES[table], rows)
                    _check_size(held, _SHAPES[table])

    def _held(self, table: str) -> _Table | None:
        """Return a table whose rows are known, reading them where that hasn't been done."""
        held = self._tables.get(table)
        if held is None:
            return None
        with self._lock:
            if held.rows is not None:
                return held
            now = time.monotonic()
            if held.too_large or held.inserting or held.reading or now < held.not_before:
                return None
            held.reading = True
            inserts = held.inserts
        try:
            read = self._read(table)
        finally:
            with self._lock:
                held.reading = False
                held.not_before = time.monotonic() + RETRY_S
        with self._lock:
            if read is None:
                held.too_large = True
            elif held.inserts == inserts:
                held.rows, held.count, held.size, held.keys = {}, 0, 0, set()
                _add(held, _SHAPES[table], read)
                _check_size(held, _SHAPES[table])
            return held if held.rows is not None else None

    def _read(self, table: str) -> list[_Row] | None:
        """Read a table whole; None where it is too large."""
        shape = _SHAPES[table]
        columns = ", ".join(f"`{name}`" for name in shape.names())
        if shape.living:
            sql = (
                f"SELECT {columns}\nFROM {table} FINAL\nWHERE deleted = 0\nLIMIT {MAX_RUNNING + 1}"
            )
            living = self._query(sql).structs(shape.row_type)
            return living if len(living) <= MAX_RUNNING else None
        rows, size = self._query(_SIZE, {"table": table}).rows[0]
        if rows > MAX_ROWS or size > MAX_BYTES:
            return None
        return self._query(f"SELECT {columns}\nFROM {table} FINAL").structs(shape.row_type)


def _rows_of(shape: _Shape, batch: RecordBatch) -> list[_Row]:
    """Return a batch's rows as structs; a map comes as pairs."""
    kinds = {one.name: one.type for one in msgspec.structs.fields(shape.row_type)}
    maps = [name for name in shape.names() if str(kinds[name]).startswith("dict")]
    rows = batch.select(shape.names()).to_pylist() if shape.living else batch.to_pylist()
    for row in rows:
        row.update({name: dict(row[name] or ()) for name in maps})
    return [shape.row_type(**row) for row in rows]


def _add(held: _Table, shape: _Shape, rows: Iterable[_Row]) -> None:
    """Take rows in the order of their inserts: of equal versions the last one counts."""
    if held.rows is None:
        return
    for row in rows:
        by_key = held.rows.setdefault(row.trace_id, {})
        key = tuple(getattr(row, name) for name in shape.key)
        earlier = by_key.get(key)
        if earlier is not None and getattr(earlier, shape.version) > getattr(row, shape.version):
            continue
        if shape.living and row.deleted:
            del held.rows[row.trace_id]
            held.count -= earlier is not None
            held.size -= 0 if earlier is None else _size_of(earlier)
            continue
        by_key[key] = row
        held.count += earlier is None
        held.size += _size_of(row) - (0 if earlier is None else _size_of(earlier))
        if shape.row_type is TagRow:
            held.keys.add(row.key)


def _size_of(row: _Row) -> int:
    size = 0
    for value in msgspec.structs.astuple(row):
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict):
            size += sum(len(key) + len(text) for key, text in value.items())
    return size


def _check_size(held: _Table, shape: _Shape) -> None:
    most = MAX_RUNNING if shape.living else MAX_ROWS
    if held.count > most or held.size > 2 * MAX_BYTES:
        held.rows, held.keys, held.too_large = None, set(), True
