"""Which traces of `open_traces` are known to have no row in `traces`.

A trace that ends is inserted into `traces` first, and then taken from `open_traces`. A page must
not show it twice, and asking the engine which running traces have ended takes 5 ms. So where the
store belongs to this process that is known: the writer says which traces are new, every insert
into `traces` passes through here, and those of before are asked for once, on a thread.

Contract: what `find_unsure` leaves out has no row in `traces`, as of a moment after the caller has
read it in `open_traces`.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from whence.errors import WhenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pyarrow import RecordBatch

    from whence.store.connection import Rows

MAX_TRACES = 20_000  # above it all are forgotten

_log = logging.getLogger(__name__)

_ALL = f"SELECT trace_id\nFROM open_traces FINAL\nWHERE deleted = 0\nLIMIT {MAX_TRACES}"
_ENDED = "SELECT DISTINCT trace_id\nFROM traces\nWHERE trace_id IN {trace_ids:Array(String)}"


class UnendedTraces:
    """What is known of one store, from any thread; `shared`: others write as well."""

    def __init__(self, query: Callable[..., Rows], *, shared: bool) -> None:
        self._query = query
        self._shared = shared
        self._lock = threading.Lock()
        self._trace_ids: set[str] = set()
        self._inserting: frozenset[str] = frozenset()  # into `traces`, just now
        self._arrived: set[str] | None = None  # in `traces`, since the engine was asked
        self._thread: threading.Thread | None = None

    def find_unsure(self, trace_ids: Iterable[str]) -> list[str]:
        """Return those that may have a row in `traces`."""
        with self._lock:
            unsure = [one for one in trace_ids if one not in self._trace_ids]
            if unsure and self._thread is None and not self._shared:
                self._thread = threading.Thread(
                    target=self._run, name="whence-unended", daemon=True
                )
                self._thread.start()
        return unsure

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the traces of before have been asked for. For tests and benchmarks."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    @contextmanager
    def inserting(
        self, table: str, batches: Sequence[RecordBatch], replacing: Collection[str] | None
    ) -> Iterator[None]:
        """Take what is inserted meanwhile; one insert at a time.

        `replacing` are the traces that may have a row already, None: all.
        """
        if self._shared or table not in ("traces", "open_traces"):
            yield
            return
        trace_ids = frozenset(one for batch in batches for one in _ids_of(batch))
        if table == "open_traces":
            yield
            if replacing is not None:
                with self._lock:
                    self._add(trace_ids.difference(replacing))
            return
        with self._lock:
            self._inserting = trace_ids
            self._trace_ids -= trace_ids
            if self._arrived is not None:
                self._arrived |= trace_ids
        try:
            yield
        finally:
            with self._lock:
                self._inserting = frozenset()

    def _run(self) -> None:
        """Ask the engine which of the traces that run have ended."""
        try:
            with self._lock:
                self._arrived = set(self._inserting)
            running = [trace_id for (trace_id,) in self._query(_ALL).rows]
            ended = {trace_id for (trace_id,) in self._query(_ENDED, {"trace_ids": running}).rows}
            with self._lock:
                self._add(one for one in running if one not in ended and one not in self._arrived)
        except WhenceError as error:  # the store has been closed, or is short of memory
            _log.info("running traces that have ended were not looked for: %s", error)
        finally:
            with self._lock:
                self._arrived = None

    def _add(self, trace_ids: Iterable[str]) -> None:
        self._trace_ids.update(trace_ids)
        if len(self._trace_ids) > MAX_TRACES:
            self._trace_ids.clear()


def _ids_of(batch: RecordBatch) -> list[str]:
    found: list[str] = batch.column("trace_id").to_pylist()
    return found
