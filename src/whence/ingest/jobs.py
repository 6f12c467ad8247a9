"""What can be asked of the writer: each job changes the states of its traces within a group.

A job may be applied more than once (a group that failed is tried again in pieces), so it keeps no
result but the last. A job's own mistake (`WhenceError`) is its own answer and fails nobody else.
The actions are in `deliveries` and `edits`.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.ingest.group import Group
    from whence.store.rows import TraceRow

ResultT = TypeVar("ResultT")
ROW_OVERHEAD_BYTES = 1500  # a row and its facts in memory, beside the text of the span


class IngestResult(msgspec.Struct, frozen=True):
    """What became of a request. `message` names values and documents that were refused.

    `deleted_spans` of those accepted belong to deleted traces, and are not stored. `trace` is the
    row of the trace that a header was stored for, None where it has been deleted.
    """

    accepted_spans: int = 0
    message: str = ""
    trace: TraceRow | None = None
    deleted_spans: int = 0


class Action(Protocol):
    """Something to do to a group; `finish` is asked for the result once everything is folded."""

    def apply(self, group: Group) -> None:
        """Change states and stage rows."""

    def finish(self, group: Group) -> Any:
        """Return the result, or raise the job's own mistake."""


class Job(Generic[ResultT]):
    """An action in the queue: which traces it needs, how much it weighs, who waits for it.

    `reads_store`: it asks the store while it is applied, so everything before must be stored.
    `experiments` (id → name or ''): it changes nothing but its traces, which are in these; None:
    it may change more.
    """

    __slots__ = ("action", "experiments", "future", "reads_store", "size_bytes", "trace_ids")

    def __init__(
        self,
        action: Action,
        trace_ids: Sequence[str],
        size_bytes: int = 0,
        *,
        reads_store: bool = False,
        experiments: Mapping[str, str] | None = None,
    ) -> None:
        self.experiments = experiments
        self.reads_store = reads_store
        self.action = action
        self.trace_ids = trace_ids
        self.size_bytes = size_bytes + ROW_OVERHEAD_BYTES
        self.future: Future[ResultT] = Future()


class Refold:
    """Assemble traces again, as after a crash."""

    def __init__(self, trace_ids: Sequence[str]) -> None:
        self._trace_ids = trace_ids

    def apply(self, group: Group) -> None:
        """Touch them; their rows may lie anywhere."""
        for trace_id in self._trace_ids:
            state = group.state(trace_id)
            state.in_doubt = True
            group.touch(state)

    def finish(self, group: Group) -> int:
        """Return how many."""
        del group
        return len(self._trace_ids)
