"""Opening a store, and the three things done with it: query, insert, command.

`url` is a directory (the embedded engine, in `<directory>/db`) or a ClickHouse server's URL
(`clickhouse://user:password@host:8123/database`, `https://…`). The same SQL runs on both.

Contract: a call blocks until the engine has answered. An insert that returns is durable: its rows
are fsynced. Calls may come from any thread; queries run side by side, each on a client of its own,
and inserts one after another. Where the engine refuses, StoreError carries its code and name;
what may succeed later (full disk, out of memory, no connection) is UnavailableError. A statement
waits for its turn, at most `TURN_WAIT_S`; one that takes long in the engine is logged
(`store/underway.py`), and an insert that has taken `STUCK_S` makes the store not ready.

Limits: one directory per process, and no use in a forked child (a StoreError, where the engine
itself would hang).
"""

from __future__ import annotations

import atexit
import os
import queue
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from clickhouse_connect.driver.exceptions import Error as EngineError

from whence.errors import StoreError, UnavailableError
from whence.store import engine, migrations
from whence.store.arrow import AS_TABLE, encode_rows, read_stream, write_stream
from whence.store.directory import DirectoryLock
from whence.store.hours import ChangedHours
from whence.store.kept import KeptTables
from whence.store.parameters import split_long_arrays
from whence.store.superseded import SupersededRows
from whence.store.time_limit import explain_timeout, read_threads, read_time_left_s
from whence.store.underway import THE_ENGINE, Underway
from whence.store.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from clickhouse_connect.driver.client import Client
    from pyarrow import RecordBatch, Table
    from typing_extensions import Self

T = TypeVar("T")
RowT = TypeVar("RowT", bound=msgspec.Struct)

DEFAULT_READERS = 6
DEFAULT_DISK_RESERVE_BYTES = 512 * engine.MEBIBYTE
TURN_WAIT_S = 60.0
STUCK_S = 60.0
INDEXED_ROWS = 8192
CLOSE_GRACE_S = 2.0
CLOSE_WAIT_S = 10.0
_CANCEL_QUERIES = "KILL QUERY WHERE query_id != queryID() ASYNC"


class Rows(msgspec.Struct, frozen=True):
    """The answer to a query: column names, and a tuple of values per row.

    The embedded engine names no columns where there are no rows.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return every row as a dict by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def structs(self, row_type: type[RowT]) -> list[RowT]:
        """Return every row as `row_type`; a field that the query did not select has its default."""
        return [row_type(**dict(zip(self.columns, row, strict=True))) for row in self.rows]


def list_columns(row_type: type[msgspec.Struct], *, without: Collection[str] = ()) -> str:
    """Return a struct's fields as the column list of a SELECT."""
    names = (name for name in row_type.__struct_fields__ if name not in without)
    return ", ".join(f"`{name}`" for name in names)


def open_store(
    url: str | Path,
    *,
    readers: int = DEFAULT_READERS,
    memory_bytes: int | None = None,
    disk_reserve_bytes: int = DEFAULT_DISK_RESERVE_BYTES,
) -> Store:
    """Open the store at `url` and bring its schema up to date.

    `memory_bytes` bounds the embedded engine (default: a quarter of the machine's memory, 2 GiB at
    least); one query may take half of it. Inserts are refused while the disk has less than
    `disk_reserve_bytes` free. Both concern a directory; a ClickHouse server has its own limits.

    Raises StoreInUseError when another process holds the directory, StoreError when the engine or
    the schema can't be used, UnavailableError when the server doesn't answer.
    """
    text = str(url)
    if engine.is_server_url(text):
        return Store(text, lambda: engine.open_server_client(text), readers=readers)
    directory = Path(text.removeprefix("file://")).expanduser().resolve()
    machine = engine.read_machine_memory_bytes()
    memory = memory_bytes or max(machine // 4, min(2048 * engine.MEBIBYTE, machine // 2))
    limits = engine.Limits(
        server_memory_bytes=memory,
        query_memory_bytes=memory // 2,
        disk_reserve_bytes=disk_reserve_bytes,
    )
    lock = DirectoryLock(directory)
    try:
        engine.prepare_directory(directory, limits)
        return Store(
            str(directory),
            lambda: engine.open_embedded_client(directory, limits),
            readers=readers,
            lock=lock,
            disk_reserve_bytes=disk_reserve_bytes,
        )
    except BaseException:
        lock.close()
        raise


class Store:
    """An open store; close it, or use it as a context manager. Made by `open_store`."""

    def __init__(
        self,
        url: str,
        open_client: Callable[[], Client],
        *,
        readers: int,
        lock: DirectoryLock | None = None,
        disk_reserve_bytes: int = 0,
    ) -> None:
        """Connect, and migrate the schema."""
        self.url = engine.redact(url) if lock is None else url
        self._open_client = open_client
        self._lock = lock
        self._disk_reserve_bytes = disk_reserve_bytes
        self.hours = ChangedHours(shared=lock is None)
        self.kept = KeptTables(self.query, shared=lock is None)
        self.superseded = SupersededRows(self.query, self.query_raw, shared=lock is None)
        self._pid = os.getpid()
        self._closed = False
        self._writer = open_client()
        self._writer_lock = threading.Lock()
        self._underway = Underway()
        self._inserts: dict[str, int] = {}
        self._reader_count = max(1, readers)
        # For statements that are run side by side; each waits for a client of its own.
        self._threads = Workers(self._reader_count, "whence-query")
        # Filled with None: clients are opened on demand, and the last one used is the next.
        self._readers: queue.LifoQueue[Client | None] = queue.LifoQueue()
        for _ in range(self._reader_count):
            self._readers.put(None)
        atexit.register(self.close)
        try:
            migrations.migrate(self)
        except BaseException:
            self.close()
            raise

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Run a SELECT. `parameters` fill `{name:Type}` placeholders on the engine's side.

        A list for `{name:Array(String)}` may be of any length. `settings` hold for this query only.
        """
        sql, values = split_long_arrays(sql, parameters or {})
        with self._lend_reader(sql) as client, _translated():
            result = client.query(sql, parameters=values, settings=_within_time(settings))
            return Rows(tuple(result.column_names), list(map(tuple, result.result_rows)))

    def query_raw(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Run a SELECT; return its values in the engine's RowBinary format."""
        with self._lend_reader(sql) as client, _translated():
            return client.raw_query(
                sql,
                parameters=dict(parameters or {}),
                settings=dict(settings or {}),
                fmt="RowBinary",
            )

    def query_table(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Table:
        """Run a SELECT; return its columns as an Arrow table, for answers of many rows.

        Columns of LowCardinality are dictionaries.
        """
        sql, values = split_long_arrays(sql, parameters or {})
        asked = {**AS_TABLE, **_within_time(settings)}
        with self._lend_reader(sql) as client, _translated():
            stream = client.raw_query(sql, parameters=values, settings=asked, fmt="ArrowStream")
        return read_stream(stream)

    def query_together(
        self, statements: Sequence[tuple[str, Mapping[str, Any]]], **settings: Any
    ) -> list[Rows]:
        """Run SELECTs side by side, each with its parameters; return their rows in this order."""
        others = [
            self.submit(partial(self.query, *one, settings=settings)) for one in statements[1:]
        ]
        first = [self.query(*one, settings=settings) for one in statements[:1]]
        return first + [other.result() for other in others]

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function that asks this store beside the caller, within its time limit.

        One that waits for another may wait for ever.
        """
        self._check()
        return self._threads.submit(partial(copy_context().run, function))

    def insert(
        self,
        table: str,
        rows: Sequence[msgspec.Struct],
        *,
        replacing: Collection[str] | None = None,
    ) -> None:
        """Insert rows of one struct whose fields are columns of `table`; durable on return.

        `replacing` as for `insert_encoded`. A lone surrogate in text, which no encoding can hold,
        becomes U+FFFD.
        """
        if rows:
            self.insert_encoded(table, [self.encode(table, rows)], replacing=replacing)

    def encode(self, table: str, rows: Sequence[msgspec.Struct]) -> RecordBatch:
        """Return rows as `insert_encoded` takes them, so that the work is done beforehand."""
        try:
            return encode_rows(rows)
        except (OverflowError, TypeError, ValueError) as error:
            raise StoreError(f"a row of {table} holds what no column can: {error}") from error

    def insert_encoded(
        self,
        table: str,
        batches: Sequence[RecordBatch],
        *,
        replacing: Collection[str] | None = None,
    ) -> None:
        """Insert encoded rows of one struct as one block; durable on return.

        `replacing`, for `traces` and `open_traces`: the ids of all these traces that may have a row
        in one of them already; None: any may.
        """
        if not batches:
            return
        self._check()
        self.check_place()
        stream = write_stream(batches)
        # A part this large waits long for a merge, and is not quickly read without its indexes.
        large = sum(batch.num_rows for batch in batches) >= INDEXED_ROWS
        settings = {"materialize_skip_indexes_on_insert": 1} if large else {}
        with self._take_writer(f"INSERT INTO {table}"):
            self._inserts[table] = self._inserts.get(table, 0) + 1
            try:
                with (
                    self.kept.inserting(table, batches, replacing),
                    self.superseded.inserting(table, batches, replacing),
                    _translated(),
                ):
                    self._writer.raw_insert(
                        table, batches[0].schema.names, stream, fmt="ArrowStream", settings=settings
                    )
            finally:
                self._inserts[table] += 1

    def count_inserts(self, table: str) -> int | None:
        """Return a number that grows when an insert begins and when it ends: odd meanwhile.

        None where others may insert as well.
        """
        return None if self._lock is None else self._inserts.get(table, 0)

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that gives no rows (DDL, DELETE, OPTIMIZE).

        Parameters travel in a URL: cut a long list with `split_list`, and run one command a part.
        """
        with self._take_writer(sql), _translated():
            self._writer.command(sql, parameters=dict(parameters or {}))

    def derive(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Run an INSERT … SELECT or a DELETE on derived tables, beside the inserts of rows."""
        self.check_place()
        with self._lend_reader(sql) as client, _translated():
            client.command(sql, parameters=dict(parameters or {}), settings=dict(settings or {}))

    def check_place(self) -> None:
        """Raise UnavailableError where the directory was removed or replaced under the store.

        The engine would go on, into files that nobody can open any more.
        """
        if self._lock is not None and not self._lock.is_in_place():
            raise UnavailableError(
                f"the store directory {self.url} was removed or replaced while it was open; "
                "open it again (restart the server)",
                retry_after_s=engine.RETRY_AFTER_S,
            )

    def ready(self) -> None:
        """Return when the store can take inserts, raise UnavailableError when it can't."""
        self._check()
        self.check_place()
        write = self._underway.find_oldest_write()
        if write is not None and write.age_s > STUCK_S:
            raise UnavailableError(
                f"the store takes no inserts now: {write}", retry_after_s=engine.RETRY_AFTER_S
            )
        if self._lock is not None:
            free = shutil.disk_usage(self.url).free
            if free < self._disk_reserve_bytes:
                raise UnavailableError(
                    f"only {free // engine.MEBIBYTE} MiB are free at {self.url}, and "
                    f"{self._disk_reserve_bytes // engine.MEBIBYTE} MiB are kept in reserve; "
                    "make room, or lower the reserve",
                    retry_after_s=engine.RETRY_AFTER_S,
                )
        self.query("SELECT 1")

    def close(self) -> None:
        """Let go of the engine and of the directory; a second call does nothing.

        Waits for the insert that runs. Queries have a moment to end; then the embedded engine's
        are cancelled (their callers see a StoreError), because the process would crash if it ended
        with one of them inside the engine. In a forked child this does nothing.
        """
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._underway.close()
        self._threads.close()
        idle = self._collect_readers(self._reader_count, CLOSE_GRACE_S)
        with self._writer_lock:
            if len(idle) < self._reader_count and self._lock is not None:
                self._writer.command(_CANCEL_QUERIES)
            idle += self._collect_readers(self._reader_count - len(idle), CLOSE_WAIT_S)
            for client in (self._writer, *idle):
                if client is not None:
                    client.close()
        # Where a query can't be cancelled, the engine stays open until the process ends, and so
        # does the lock on its directory.
        if self._lock is not None and len(idle) == self._reader_count:
            self._lock.close()

    def _collect_readers(self, count: int, wait_s: float) -> list[Client | None]:
        """Take up to `count` readers that are idle, or become so within `wait_s`."""
        deadline = time.monotonic() + wait_s
        collected: list[Client | None] = []
        with suppress(queue.Empty):
            while len(collected) < count:
                left_s = max(0.0, deadline - time.monotonic())
                collected.append(self._readers.get(timeout=left_s))
        return collected

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        if self._pid != os.getpid():
            raise StoreError(
                f"this store was opened by process {self._pid} and can't be used in its forked "
                f"child {os.getpid()}; open stores after the fork, or ask the server"
            )
        if self._closed:
            raise StoreError("this store has been closed; open it again")

    @contextmanager
    def _lend_reader(self, sql: str) -> Iterator[Client]:
        self._check()
        with self._underway.doing(sql) as work:
            work.waits_for = "a reader"
            try:
                reader = self._readers.get(timeout=TURN_WAIT_S)
            except queue.Empty:
                raise UnavailableError(
                    f"all {self._reader_count} readers of the store have been busy for "
                    f"{TURN_WAIT_S:.0f} s; narrow the queries, or open it with more readers"
                ) from None
            try:
                self._check()
                work.waits_for = THE_ENGINE
                if reader is None:
                    reader = self._open_client()
                yield reader
            finally:
                self._readers.put(reader)

    @contextmanager
    def _take_writer(self, sql: str) -> Iterator[None]:
        self._check()
        with self._underway.doing(sql, writes=True) as work:
            work.waits_for = "the writer"
            if not self._writer_lock.acquire(timeout=TURN_WAIT_S):
                raise UnavailableError(
                    f"the store takes no inserts now: {self._underway.find_oldest_write()}",
                    retry_after_s=engine.RETRY_AFTER_S,
                )
            try:
                self._check()
                work.waits_for = THE_ENGINE
                yield
            finally:
                self._writer_lock.release()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        if error.code == engine.TIMEOUT_EXCEEDED:
            raise explain_timeout() from error
        raise engine.explain(error) from error


def _within_time(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings of a query, with the time and the threads that it may take."""
    left_s, threads = read_time_left_s(), read_threads()
    limit: dict[str, Any] = (
        {} if left_s is None else {"max_execution_time": round(left_s, 3) or 0.001}
    )
    if threads is not None:
        limit["max_threads"] = threads
    return {**limit, **(settings or {})}
