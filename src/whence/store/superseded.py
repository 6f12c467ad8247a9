"""Which rows of `traces` have others at their key, told from memory.

A page of a search must not show a row that a newer one has replaced, and asking the engine which
versions lie at 115 keys takes 4 to 10 ms. Few keys have more than one row, though: those whose
traces were delivered again, changed or deleted since the engine last merged their parts. So where
the store belongs to this process they are looked for once, and kept up to date by the inserts that
pass through here: the newest row of every key that may have several, as a *mark*, which is twice
its version, and one more where it is a tombstone.

Contract: `find` says of each key what the engine would say, or None: then the engine must be asked.
What it says is as of a moment after the caller has read the rows it asks about.

A store of more than `AT_ONCE_ROWS` rows is looked through on a thread of its own, the newest
million first; until that is done, keys older than what has been seen aren't known.

Limits: versions below 2**63; 16 bytes a key, `MAX_KEYS` of them, and `MAX_NOTED` more from inserts;
above it the store is looked through again.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING, Any

from whence.errors import WhenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pyarrow import RecordBatch

    from whence.store.connection import Rows

AT_ONCE_ROWS = 20_000
SLICE_ROWS = 1_000_000
MAX_KEYS = 2_000_000
MAX_NOTED = 200_000
RETRY_S = 10.0  # after a look that failed
CROWDED_S = 600.0  # after one that found too many: merges make them fewer

ANY = 2**64 - 1  # a mark that no row has: the engine must be asked
NONE = 0  # a mark below every other: the key has one row

Key = tuple[str, int, str]  # experiment_id, request_time_ms, trace_id

_log = logging.getLogger(__name__)

_EXTENT = "SELECT count(), max(version) FROM traces"
_BOUNDS = "SELECT quantiles({levels})(request_time_ms) FROM traces"
# The place of a key is the first half of its MD5, so that it can be told here as well.
_SEVERAL = """\
SELECT place, newest
FROM
(
    SELECT
        reinterpretAsUInt64(substring(MD5(concat(
            experiment_id, char(0), toString(request_time_ms), char(0), trace_id
        )), 1, 8)) AS place,
        max(bitOr(bitShiftLeft(version, 1), deleted)) AS newest
    FROM traces
    WHERE request_time_ms >= {from_ms:Int64} AND request_time_ms <= {until_ms:Int64}
    GROUP BY place
    HAVING count() > 1
)
ORDER BY place, newest
SETTINGS max_threads = 1
"""
_FIRST_MS, _LAST_MS = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class _Slice:
    """The keys with several rows, from a time on: their places in order, and highest marks."""

    from_ms: int
    places: memoryview
    marks: memoryview

    def find(self, place: int) -> int:
        """Return the highest mark at a place, `NONE` where there is one row at most."""
        behind = bisect_right(self.places, place)
        if behind and self.places[behind - 1] == place:
            return int(self.marks[behind - 1])
        return NONE


class SupersededRows:
    """What is known of one store's `traces`, from any thread; `shared`: others write as well."""

    def __init__(
        self, query: Callable[..., Rows], query_raw: Callable[..., bytes], *, shared: bool
    ) -> None:
        self._query = query
        self._query_raw = query_raw
        self._shared = shared
        self._lock = threading.Lock()
        self._slices: list[_Slice] = []  # from the newest to the oldest, without a gap
        self._floor = ANY  # no row had a higher version when the looking began
        self._noted: dict[int, int] = {}
        self._inserting: dict[int, int] = {}
        self._looks = 0  # how many were begun; what an earlier one finds doesn't count
        self._looking = False
        self._thread: threading.Thread | None = None
        self._done = False
        self._not_before = 0.0

    def find(self, keys: Sequence[Key]) -> list[int] | None:
        """Return the mark of the newest row at each key, `NONE` for those that have one row.

        `ANY` stands where the engine must be asked, None in place of the list: about all of them.
        """
        if self._shared or not keys:
            return None
        self._look()
        oldest_ms = min(time_ms for _, time_ms, _ in keys)
        places = [place_of(*key) for key in keys]
        with self._lock:
            slices = self._slices
            if not slices or oldest_ms < slices[-1].from_ms:
                return None
            noted = [self._noted.get(place, NONE) for place in places]
        starts = [-one.from_ms for one in slices]
        found = []
        for (_, time_ms, _), place, mark in zip(keys, places, noted, strict=True):
            seen = slices[bisect_left(starts, -time_ms)].find(place)
            found.append(max(seen, mark))
        return found

    @contextmanager
    def inserting(
        self, table: str, batches: Sequence[RecordBatch], replacing: Collection[str] | None
    ) -> Iterator[None]:
        """Take what is inserted into `traces` meanwhile; one insert at a time.

        `replacing` are the traces whose rows may lie at a key that has a row, None: all.
        """
        if self._shared or table != "traces":
            yield
            return
        rows = _marks_of(batches, replacing)
        with self._lock:
            self._inserting = rows
            if self._looks:
                self._note(rows)
        try:
            yield
        finally:
            with self._lock:
                self._inserting = {}

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the store has been looked through. For tests and benchmarks."""
        if self._shared:
            return
        self._look()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _note(self, rows: dict[int, int]) -> None:
        for place, mark in rows.items():
            # Versions rise. Where one does not, a row that was seen alone may be the newer one.
            sure = ANY if version_of(mark) <= self._floor else mark
            self._noted[place] = max(sure, self._noted.get(place, NONE))
        if len(self._noted) > MAX_NOTED:
            self._forget()

    def _forget(self) -> None:
        self._slices, self._done, self._noted = [], False, {}
        self._looks += 1

    # --- Looking through the store --------------------------------------------------------------

    def _look(self) -> None:
        """See to it that the store is looked through: at once where it is small."""
        if self._done:
            return
        with self._lock:
            if self._done or self._looking or time.monotonic() < self._not_before:
                return
            self._looking = True
            self._forget()
            self._floor = ANY  # until it is known, what is inserted is in doubt
            self._note(self._inserting)
            look = self._looks
        try:
            rows, floor = self._query(_EXTENT).rows[0]
        except BaseException as error:
            self._end(RETRY_S)
            if isinstance(error, WhenceError):
                return
            raise
        with self._lock:
            self._floor = floor
        if rows <= AT_ONCE_ROWS:
            self._run(look, rows)
        else:
            self._thread = threading.Thread(
                target=self._run, args=(look, rows), name="whence-superseded", daemon=True
            )
            self._thread.start()

    def _run(self, look: int, rows: int) -> None:
        wait_s = RETRY_S
        try:
            wait_s = self._read(look, rows)
        except WhenceError as error:  # the store has been closed, or is short of memory
            _log.info("superseded traces were not looked for: %s", error)
        finally:
            self._end(wait_s)

    def _end(self, wait_s: float) -> None:
        with self._lock:
            self._looking = False
            self._not_before = time.monotonic() + wait_s

    def _read(self, look: int, rows: int) -> float:
        """Look through the store; return when to look again where that has come to nothing."""
        found = 0
        until_ms = _LAST_MS
        for from_ms in self._bounds(rows):
            started = time.monotonic()
            between = {"from_ms": from_ms, "until_ms": until_ms}
            numbers = _unpack(self._query_raw(_SEVERAL, between))
            found += len(numbers) // 2
            if found > MAX_KEYS:
                return CROWDED_S
            with self._lock:
                if self._looks != look:
                    return 0.0
                self._slices = [*self._slices, _Slice(from_ms, numbers[::2], numbers[1::2])]
                self._done = from_ms == _FIRST_MS
            until_ms = from_ms - 1
            if not self._done:
                time.sleep(time.monotonic() - started)  # half of the time is left to others
        return 0.0

    def _bounds(self, rows: int) -> list[int]:
        """Return the times at which slices begin, the newest first."""
        count = -(-rows // SLICE_ROWS)
        if count <= 1:
            return [_FIRST_MS]
        levels = ", ".join(str(index / count) for index in range(1, count))
        times = self._query(_BOUNDS.replace("{levels}", levels)).rows[0][0]
        return [*sorted({int(one) for one in times}, reverse=True), _FIRST_MS]


def place_of(experiment_id: str, request_time_ms: int, trace_id: str) -> int:
    """Return the number that stands for a key."""
    text = f"{experiment_id}\0{request_time_ms}\0{trace_id}"
    digest = md5(text.encode(errors="replace"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little")


def mark_of(version: int, deleted: int) -> int:
    """Return the mark of a row."""
    return version << 1 | deleted


def version_of(mark: int) -> int:
    """Return the version of the row that a mark was made of."""
    return mark >> 1


def is_tombstone(mark: int) -> bool:
    """Tell whether a mark was made of a tombstone."""
    return bool(mark & 1) and mark != ANY


def _marks_of(batches: Iterable[RecordBatch], replacing: Collection[str] | None) -> dict[int, int]:
    """Return the highest mark of each key in these rows, those of `replacing` only."""
    marks: dict[int, int] = {}
    if replacing is not None and not replacing:
        return marks
    for batch in batches:
        names = ("experiment_id", "request_time_ms", "trace_id", "version", "deleted")
        columns: list[list[Any]] = [batch.column(name).to_pylist() for name in names]
        for experiment_id, time_ms, trace_id, version, deleted in zip(*columns, strict=True):
            if replacing is None or trace_id in replacing:
                place = place_of(experiment_id, time_ms, trace_id)
                marks[place] = max(mark_of(version, deleted), marks.get(place, NONE))
    return marks


def _unpack(data: bytes) -> memoryview:
    if sys.byteorder == "little":
        return memoryview(data).cast("Q")
    whole = range(0, len(data), 8)
    swapped = b"".join(data[index : index + 8][::-1] for index in whole)
    return memoryview(swapped).cast("Q")
