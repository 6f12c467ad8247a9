"""What the writer remembers of recent traces, so that it needn't read before it writes.

Bounded by the number of spans remembered; the least recently touched traces go first. What is not
remembered is read back: one query tells which ids of a group are known at all, and only for those
that are, spans, headers, conflicts and places are read. So what a trace refuses is the same whether
it is remembered or not, also after a restart. Several servers on one store can't trust their memory
(another one may have written meanwhile): they forget after every group.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from whence.ingest.assemble import assemble
from whence.ingest.facts import facts_of
from whence.ingest.header import FIELDS_OF_TRACE, Refusal, cut_value, decode_header
from whence.semconv import EXPERIMENT_ID
from whence.store.conflicts import read_conflicts
from whence.store.deletions import read_deleted
from whence.store.headers import read_headers
from whence.store.spans import read_span_facts
from whence.store.traces import locate_traces
from whence.store.unassembled import find_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from whence.ingest.facts import SpanFacts
    from whence.ingest.header import Header
    from whence.ingest.known import KnownTraces
    from whence.store.connection import Store
    from whence.store.rows import ConflictRow, TraceRow

MAX_FACTS = 250_000  # some 500 bytes each
FACTS_PER_REFUSAL = 16  # a value of the greatest length, measured in facts
KEPT_SHARE = 0.75  # after shrinking, so that it is not done for every group
Conflicts = dict[tuple[str, str], str | None]  # (key, refused) → kept, None: nothing is


class Place(NamedTuple):
    """Where a trace's row lies: the key in `traces` (complete) or a row in `open_traces`."""

    experiment_id: str
    request_time_ms: int
    complete: bool


def kept_by(conflict: ConflictRow) -> str | None:
    """Return what a key has instead of the value refused; None where it is absent."""
    return None if conflict.absent else conflict.kept


class TraceState:
    """All that is known of one trace. `place` is None before its first row."""

    __slots__ = (
        "conflicts",
        "deleted",
        "facts",
        "header",
        "in_doubt",
        "place",
        "refusals",
        "row",
        "trace_id",
    )

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self.facts: dict[str, SpanFacts] = {}
        self.header: Header | None = None
        self.refusals: list[Refusal] = []
        self.place: Place | None = None
        self.row: TraceRow | None = None
        self.conflicts: Conflicts = {}
        self.deleted = False
        # A group that touched it failed half-way: rows may lie in either table.
        self.in_doubt = False

    @property
    def exists(self) -> bool:
        """Tell whether anything of the trace is here and not deleted."""
        return not self.deleted and (bool(self.facts) or self.header is not None)

    @property
    def weight(self) -> int:
        """What it takes in memory, in facts."""
        return len(self.facts) + 1 + FACTS_PER_REFUSAL * len(self.refusals)

    def clear(self) -> None:
        """Forget everything but the tombstone."""
        self.facts, self.header, self.row, self.place = {}, None, None, None
        self.refusals, self.conflicts = [], {}


class TraceMemory:
    """Trace states by trace id, read back where they are missing. For the writer's thread only."""

    def __init__(
        self,
        store: Store,
        *,
        default_experiment_id: str,
        max_facts: int = MAX_FACTS,
        known: KnownTraces | None = None,
    ) -> None:
        """Remember nothing yet. `known` tells new traces from stored ones without a query."""
        self._store = store
        self._default_experiment_id = default_experiment_id
        self._max_facts = max_facts
        self._known = known
        self._states: OrderedDict[str, TraceState] = OrderedDict()
        self._in_doubt: set[str] = set()
        self._grown = 0

    def get(self, trace_id: str) -> TraceState:
        """Return the state of a trace that `load` was called for."""
        state = self._states[trace_id]
        self._states.move_to_end(trace_id)
        return state

    def load(self, trace_ids: Collection[str]) -> None:
        """Make the states of these traces known."""
        missing = [trace_id for trace_id in trace_ids if trace_id not in self._states]
        if not missing:
            return
        maybe = missing if self._known is None else self._known.sift(missing)
        known = find_known(self._store, maybe)
        for trace_id in missing:
            if trace_id not in known:
                self._states[trace_id] = TraceState(trace_id)
        if known:
            self._read(known)
        for trace_id in self._in_doubt.intersection(missing):
            self._states[trace_id].in_doubt = True

    def forget(self, trace_ids: Iterable[str], *, in_doubt: bool) -> None:
        """Drop states, because they are not what is stored, or may not be for long."""
        for trace_id in trace_ids:
            self._states.pop(trace_id, None)
            if in_doubt:
                self._in_doubt.add(trace_id)

    def settle(self, trace_ids: Collection[str]) -> None:
        """Note that the rows of these traces are in place."""
        for trace_id in self._in_doubt.intersection(trace_ids):
            self._in_doubt.discard(trace_id)
            if trace_id in self._states:
                self._states[trace_id].in_doubt = False

    def shrink(self, grown: int, *, keep: Collection[str] = ()) -> None:
        """Forget the traces touched least recently, so that the rest is within the bound.

        `grown` says by how many facts the states have grown; counting all is left for when the
        bound may have been passed. `keep` are traces whose rows are not stored yet: they and what
        was touched after them stay.
        """
        self._grown += grown
        if self._grown <= self._max_facts:
            return
        total = sum(state.weight for state in self._states.values())
        while total > self._max_facts * KEPT_SHARE and self._states:
            oldest = next(iter(self._states))
            if oldest in keep:
                break
            total -= self._states.pop(oldest).weight
        self._grown = total

    def _read(self, known: set[str]) -> None:
        states = {trace_id: TraceState(trace_id) for trace_id in known}
        deleted = read_deleted(self._store, known)
        living = known - deleted
        rows = read_span_facts(self._store, living)
        for row, facts in zip(rows, facts_of(rows), strict=True):
            states[row.trace_id].facts[facts.span_id] = facts
        for header_row in read_headers(self._store, living):
            header = decode_header(header_row.header)
            header.received_at_us = header_row.received_at_us
            states[header_row.trace_id].header = header
        # Deleted traces too: a crash may have left their rows.
        for trace_id, place in locate_traces(self._store, known).items():
            states[trace_id].place = Place(*place)
        conflicts: dict[str, list[ConflictRow]] = {}
        for conflict in read_conflicts(self._store, living):
            conflicts.setdefault(conflict.trace_id, []).append(conflict)
        for trace_id, state in states.items():
            state.deleted = trace_id in deleted
            if trace_id in conflicts and state.exists:
                self._read_refusals(state, conflicts[trace_id])
            self._states[trace_id] = state

    def _read_refusals(self, state: TraceState, stored: list[ConflictRow]) -> None:
        """Take the conflicts that are stored; what the spans don't say was turned away."""
        row, said = assemble(
            state.trace_id,
            state.facts.values(),
            state.header,
            default_experiment_id=self._default_experiment_id,
        )
        state.conflicts = {(one.key, one.refused): kept_by(one) for one in stored}
        known = {(one.key, one.refused) for one in said}
        state.refusals = [
            Refusal(one.key, one.refused, one.source, of_trace=_is_of_trace(one, row))
            for one in stored
            if (one.key, one.refused) not in known
        ]


def _is_of_trace(conflict: ConflictRow, row: TraceRow) -> bool:
    """Tell whether a conflict is about a field of the trace, rather than its metadata."""
    if conflict.key not in FIELDS_OF_TRACE:
        return False
    name = "experiment_id" if conflict.key == EXPERIMENT_ID else conflict.key
    return conflict.kept == cut_value(getattr(row, name))
