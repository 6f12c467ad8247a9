"""Which trace ids may be stored, answered from memory, so that a new trace costs no question.

A Bloom filter over all traces: "no" is certain, "maybe" is for the store to answer. Only for a
store that nobody else writes to. It is read in the background at the start; until it is there
every answer is "maybe".

Memory: 2 to 4 bytes for each trace there is at the start, 16 MiB at least and 128 MiB at most.
16 MiB hold 10 million traces with one needless "maybe" in 100, and 30 million with one in 8.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from whence.store.known import count_traces, find_positions, read_filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whence.store.connection import Store

MIN_BITS, MAX_BITS = 1 << 27, 1 << 30
BITS_A_TRACE = 16

_log = logging.getLogger(__name__)


class KnownTraces:
    """Trace ids that may be stored. For the writer's thread only; a thread of its own reads."""

    def __init__(self, store: Store) -> None:
        """Begin to read what is stored."""
        self._store = store
        self._filter = bytearray()
        self._bits = 0
        self._lock = threading.Lock()
        self._added: list[str] | None = []  # while the filter is being read
        self._thread = threading.Thread(target=self._read, name="whence-known", daemon=True)
        self._thread.start()

    def sift(self, trace_ids: Iterable[str]) -> list[str]:
        """Return those that may be stored; all of them may be from now on."""
        with self._lock:
            if self._bits:
                return [trace_id for trace_id in trace_ids if self._add(trace_id)]
            maybe = list(trace_ids)
            if self._added is not None:
                self._added += maybe
            return maybe

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the filter is there. For tests and benchmarks."""
        self._thread.join(timeout_s)

    def _add(self, trace_id: str) -> bool:
        """Add a trace; return whether it may have been there."""
        known = True
        for position in find_positions(trace_id, self._bits):
            byte, bit = position >> 3, 1 << (position & 7)
            if not self._filter[byte] & bit:
                known = False
                self._filter[byte] |= bit
        return known

    def _read(self) -> None:
        bits = MIN_BITS
        try:
            traces = count_traces(self._store)
            while bits < min(traces * BITS_A_TRACE, MAX_BITS):
                bits *= 2
            filled = read_filter(self._store, bits)
        except Exception as error:  # noqa: BLE001 - without the filter, the store is asked
            _log.info("the ids of the stored traces were not read: %s", error)
            with self._lock:
                self._added = None
            return
        with self._lock:
            added, self._added = self._added or [], None
            self._filter, self._bits = filled, bits
            for trace_id in added:
                self._add(trace_id)
