"""What can be asked of the writer: each job changes the states of its traces within a group.

A job may be applied more than once (a group that failed is tried again in pieces), so it keeps no
result but the last. A job's own mistake (`WhenceError`) is its own answer and fails nobody else.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from whence.errors import ConflictError, NotFoundError, WhenceError
from whence.ingest.assessments import INITIAL_VERSION, make_assessment_id, read_assessment
from whence.ingest.facts import version_of
from whence.ingest.header import Header, Refusal, encode_header, merge_headers
from whence.semconv import MAX_KEY_CHARS, MAX_VALUE_CHARS, TRACE_NAME_TAG
from whence.store.assessments import read_assessments
from whence.store.rows import AssessmentRow, DeletionRow, ExperimentRow, HeaderRow, TagRow
from whence.store.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.ingest.facts import SpanFacts
    from whence.ingest.group import Group
    from whence.ingest.memory import TraceState
    from whence.ingest.normalise import Normalised
    from whence.store.connection import Store
    from whence.store.rows import SpanRow

ResultT = TypeVar("ResultT")
MAX_NAMED_REFUSALS = 5
ROW_OVERHEAD_BYTES = 1000


class IngestResult(msgspec.Struct, frozen=True):
    """What became of a request. `message` names values that were refused, and rejected spans."""

    accepted_spans: int = 0
    rejected_spans: int = 0
    message: str = ""


class Action(Protocol):
    """Something to do to a group; `finish` is asked for the result once everything is folded."""

    def apply(self, group: Group) -> None:
        """Change states and stage rows."""

    def finish(self, group: Group) -> Any:
        """Return the result, or raise the job's own mistake."""


class Job(Generic[ResultT]):
    """An action in the queue: which traces it needs, how much it weighs, who waits for it."""

    __slots__ = ("action", "future", "size_bytes", "trace_ids")

    def __init__(self, action: Action, trace_ids: Sequence[str], size_bytes: int = 0) -> None:
        self.action = action
        self.trace_ids = trace_ids
        self.size_bytes = size_bytes + ROW_OVERHEAD_BYTES
        self.future: Future[ResultT] = Future()


class StoreSpans:
    """Store the spans of one request."""

    def __init__(self, normalised: Normalised, facts: list[SpanFacts]) -> None:
        self._normalised = normalised
        self._facts = facts
        self._refused: list[tuple[str, str, str]] = []  # trace_id, key, value

    def apply(self, group: Group) -> None:
        """Take every span that is new, and the final record in place of a pending one."""
        self._refused = []
        for experiment_id, name in self._normalised.experiments.items():
            row = group.experiments.learn(experiment_id, name, group.clock.tick())
            if row is not None:
                group.add_experiment(row)
        now_us = group.clock.tick()
        for row, facts in zip(self._normalised.rows, self._facts, strict=True):
            state = group.state(row.trace_id)
            if state.deleted:
                continue
            known = state.facts.get(facts.span_id)
            if known is not None and known.end_time_ns:
                if facts.end_time_ns:
                    self._refuse_second(state, known, facts)
                group.touch(state)
                continue
            self._take(group, state, row, facts, now_us)

    def finish(self, group: Group) -> IngestResult:
        """Say what was refused: explicit values of this request that did not become the trace's."""
        normalised = self._normalised
        refused = list(self._refused)
        for row, facts in zip(normalised.rows, self._facts, strict=True):
            state = group.state(row.trace_id)
            if state.conflicts:
                refused += [
                    (row.trace_id, key[:MAX_KEY_CHARS], value[:MAX_VALUE_CHARS])
                    for key, value in facts.explicit.items()
                ]
        messages = [normalised.message] if normalised.message else []
        messages += _name_refusals(group, refused)
        return IngestResult(len(normalised.rows), normalised.rejected, "; ".join(messages))

    @staticmethod
    def _take(group: Group, state: TraceState, row: SpanRow, facts: SpanFacts, now_us: int) -> None:
        stamped = msgspec.structs.replace(
            row, received_at_us=now_us, version=version_of(row, now_us)
        )
        state.facts[facts.span_id] = msgspec.structs.replace(facts, received_at_us=now_us)
        group.add_span(stamped)
        group.touch(state)

    def _refuse_second(self, state: TraceState, known: SpanFacts, facts: SpanFacts) -> None:
        """Keep what a second final record of a span would have changed, as conflicts."""
        for full_key, full_value in facts.explicit.items():
            if known.explicit.get(full_key) == full_value:
                continue
            key, value = full_key[:MAX_KEY_CHARS], full_value[:MAX_VALUE_CHARS]
            refusal = Refusal(key, value, "span" if facts.parent_id else "root")
            if refusal not in state.refusals:
                state.refusals.append(refusal)
            self._refused.append((state.trace_id, key, value))


def _name_refusals(group: Group, refused: list[tuple[str, str, str]]) -> list[str]:
    messages = []
    for trace_id, key, value in dict.fromkeys(refused):
        kept = group.state(trace_id).conflicts.get((key, value))
        if kept is not None:
            messages.append(
                f"trace {trace_id}: metadata {key!r} is {kept[:200]!r} and stays; "
                f"{value[:200]!r} was refused"
            )
    if len(messages) > MAX_NAMED_REFUSALS:
        more = len(messages) - MAX_NAMED_REFUSALS
        messages = [*messages[:MAX_NAMED_REFUSALS], f"and {more} more values were refused"]
    return messages


class StoreHeader:
    """Store what an MLflow client posts about a trace; one that contradicts the first is refused."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._refusals: list[Refusal] = []

    def apply(self, group: Group) -> None:
        """Take the header, or fill what the one before lacks."""
        self._refusals = []
        header = self._header
        state = group.state(header.trace_id)
        if state.deleted:
            return
        group.touch(state)
        if header.experiment_id:
            row = group.experiments.learn(header.experiment_id, "", group.clock.tick())
            if row is not None:
                group.add_experiment(row)
        now_us = group.clock.tick()
        if state.header is None:
            merged = msgspec.structs.replace(header, received_at_us=now_us)
        else:
            merged, self._refusals = merge_headers(state.header, header)
            if self._refusals:
                news = [one for one in self._refusals if one not in state.refusals]
                state.refusals.extend(news)
                return
            if merged == state.header:
                return
        state.header = merged
        group.add_header(
            HeaderRow(
                trace_id=header.trace_id,
                header=encode_header(merged),
                received_at_us=merged.received_at_us,
                version=now_us,
            )
        )
        self._add_assessments(group, now_us // 1000)

    def finish(self, group: Group) -> IngestResult:
        """Name the first value that was refused."""
        for refusal in self._refusals:
            kept = group.state(self._header.trace_id).conflicts.get((refusal.key, refusal.refused))
            if kept is not None:
                raise ConflictError(
                    f"trace {self._header.trace_id}: {refusal.key!r} is {kept[:200]!r} and stays; "
                    f"{refusal.refused[:200]!r} contradicts it, and metadata is immutable"
                )
        return IngestResult()

    def _add_assessments(self, group: Group, now_ms: int) -> None:
        for payload in self._header.assessments:
            group.add_assessment(
                read_assessment(
                    self._header.trace_id,
                    payload,
                    assessment_id=payload.get("assessment_id") or make_assessment_id(payload),
                    now_ms=now_ms,
                    version=INITIAL_VERSION,
                )
            )


class SetTags:
    """Set tags of a trace."""

    def __init__(self, trace_id: str, tags: Mapping[str, str]) -> None:
        self._trace_id = trace_id
        self._tags = tags

    def apply(self, group: Group) -> None:
        """Stage the tags; a trace that isn't there has none."""
        find_trace(group, self._trace_id)
        for key, value in self._tags.items():
            group.add_tag(
                TagRow(trace_id=self._trace_id, key=key, value=value, version=group.clock.tick())
            )
        group.mention(self._trace_id)

    def finish(self, group: Group) -> None:
        """Nothing more to say."""


class DeleteTag:
    """Delete a tag of a trace, an initial one too."""

    def __init__(self, store: Store, trace_id: str, key: str) -> None:
        self._store = store
        self._trace_id = trace_id
        self._key = key

    def apply(self, group: Group) -> None:
        """Stage a tombstone where the tag is there."""
        row = group.read_row(find_trace(group, self._trace_id))
        exists = self._key in row.tags or (
            self._key == TRACE_NAME_TAG and row.trace_name is not None
        )
        writes = [*read_tags(self._store, [self._trace_id]), *group.staged_tags(self._trace_id)]
        for write in writes:
            if write.key == self._key:
                exists = not write.deleted
        if not exists:
            raise NotFoundError(
                f"No trace tag with key '{self._key}' for trace with ID '{self._trace_id}'"
            )
        group.add_tag(
            TagRow(trace_id=self._trace_id, key=self._key, version=group.clock.tick(), deleted=1)
        )
        group.mention(self._trace_id)

    def finish(self, group: Group) -> None:
        """Nothing more to say."""


class DeleteTraces:
    """Delete traces for good: what arrives for them later is not stored."""

    def __init__(self, trace_ids: Sequence[str]) -> None:
        self._trace_ids = trace_ids
        self._count = 0

    def apply(self, group: Group) -> None:
        """Stage tombstones; count the traces that were there."""
        self._count = 0
        for trace_id in dict.fromkeys(self._trace_ids):
            state = group.state(trace_id)
            if not state.exists:
                continue
            self._count += 1
            place = state.place
            group.add_deletion(
                DeletionRow(
                    trace_id=trace_id,
                    experiment_id=place.experiment_id if place is not None else "",
                    deleted_at_us=group.clock.tick(),
                )
            )
            state.deleted = True
            group.touch(state)
            group.mention(trace_id)

    def finish(self, group: Group) -> int:
        """Return how many were deleted."""
        del group
        return self._count


class LogAssessment:
    """Store an assessment; the one it overrides is no longer valid."""

    def __init__(self, store: Store, trace_id: str, payload: Mapping[str, Any]) -> None:
        self._store = store
        self._trace_id = trace_id
        self._payload = payload
        self._assessment_id = payload.get("assessment_id") or make_assessment_id()
        self._row: AssessmentRow | None = None

    def apply(self, group: Group) -> None:
        """Stage the row."""
        find_trace(group, self._trace_id)
        now_us = group.clock.tick()
        row = read_assessment(
            self._trace_id,
            self._payload,
            assessment_id=self._assessment_id,
            now_ms=now_us // 1000,
            version=now_us,
        )
        if row.overrides:
            old = find_assessment(group, self._store, self._trace_id, row.overrides)
            group.add_assessment(msgspec.structs.replace(old, valid=0, version=now_us))
        group.add_assessment(row)
        group.mention(self._trace_id)
        self._row = row

    def finish(self, group: Group) -> AssessmentRow | None:
        """Return what was stored."""
        del group
        return self._row


class DeleteAssessment:
    """Delete an assessment; the one it overrode is valid again. One that isn't there is deleted."""

    def __init__(self, store: Store, trace_id: str, assessment_id: str) -> None:
        self._store = store
        self._trace_id = trace_id
        self._assessment_id = assessment_id

    def apply(self, group: Group) -> None:
        """Stage the tombstone."""
        find_trace(group, self._trace_id)
        try:
            row = find_assessment(group, self._store, self._trace_id, self._assessment_id)
        except NotFoundError:
            return
        now_us = group.clock.tick()
        group.add_assessment(msgspec.structs.replace(row, deleted=1, version=now_us))
        group.mention(self._trace_id)
        if row.overrides:
            try:
                old = find_assessment(group, self._store, self._trace_id, row.overrides)
            except NotFoundError:
                return
            group.add_assessment(msgspec.structs.replace(old, valid=1, version=now_us))

    def finish(self, group: Group) -> None:
        """Nothing more to say."""


class CreateExperiment:
    """Create an experiment, or get the one of that name."""

    def __init__(self, experiment_id: str, name: str) -> None:
        self._experiment_id = experiment_id
        self._name = name

    def apply(self, group: Group) -> None:
        """Stage the row where it is new."""
        if group.experiments.find_by_name(self._name) is None:
            row = group.experiments.learn(self._experiment_id, self._name, group.clock.tick())
            if row is not None:
                group.add_experiment(row)

    def finish(self, group: Group) -> ExperimentRow:
        """Return the experiment."""
        row = group.experiments.find_by_name(self._name)
        if row is None:
            raise ConflictError(f"the id of experiment {self._name!r} is another experiment's")
        return row


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


def find_trace(group: Group, trace_id: str) -> TraceState:
    """Return the state of a trace that is there, or raise."""
    state = group.state(trace_id)
    if not state.exists:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return state


def find_assessment(group: Group, store: Store, trace_id: str, assessment_id: str) -> AssessmentRow:
    """Return an assessment that is there, or raise."""
    rows = [*read_assessments(store, [trace_id]), *group.staged_assessments(trace_id)]
    found = [row for row in rows if row.assessment_id == assessment_id]
    if not found or found[-1].deleted:
        raise NotFoundError(
            f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'"
        )
    return found[-1]


def run(job: Job[Any], group: Group) -> WhenceError | None:
    """Apply a job; return its own mistake."""
    try:
        job.action.apply(group)
    except WhenceError as error:
        return error
    return None
