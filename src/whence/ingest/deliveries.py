"""Deliveries: spans, and the headers of MLflow clients. First acknowledged, first kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from whence.errors import ConflictError
from whence.ingest.assessments import INITIAL_VERSION, name_assessment, read_assessment
from whence.ingest.contradictions import sift_header
from whence.ingest.experiments import check_active
from whence.ingest.facts import FINAL_VERSION, version_of
from whence.ingest.header import (
    Header,
    Refusal,
    encode_header,
    is_absent,
    list_new_assessments,
    merge_headers,
)
from whence.ingest.jobs import IngestResult
from whence.semconv import MAX_KEY_CHARS, MAX_VALUE_CHARS
from whence.store.arrow import add_columns
from whence.store.rows import AssessmentRow, HeaderRow

if TYPE_CHECKING:
    from whence.ingest.facts import SpanFacts
    from whence.ingest.group import Group
    from whence.ingest.memory import TraceState
    from whence.ingest.prepare import Prepared
    from whence.store.rows import ArtifactRow

MAX_NAMED_REFUSALS = 5


class StoreSpans:
    """Store the spans of one request."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._refused: dict[str, list[Refusal]] = {}  # by trace id

    def apply(self, group: Group) -> None:
        """Take every span that is new, and the final record in place of a pending one."""
        self._refused = {}
        prepared = self._prepared
        for experiment_id, name in prepared.experiments.items():
            group.learn_experiment(experiment_id, name)
        now_us = group.clock.tick()
        for document in prepared.documents:
            version = FINAL_VERSION - now_us  # the first one stays
            group.add_document(
                msgspec.structs.replace(document, received_at_us=now_us, version=version)
            )
        for assessment in prepared.assessments:
            if not group.state(assessment.trace_id).deleted:
                group.add_assessment(assessment)
        taken = self._take(group, now_us)
        if taken and prepared.spans is not None:
            rows = prepared.spans
            if len(taken) < rows.num_rows:
                rows = rows.take(pa.array(taken, pa.int64()))
            facts = prepared.facts
            versions = [version_of(facts[number], now_us) for number in taken]
            group.add_spans(add_columns(rows, {"received_at_us": now_us, "version": versions}))

    def finish(self, group: Group) -> IngestResult:
        """Say what was refused: explicit values of this request that did not become the trace's."""
        prepared = self._prepared
        states = [group.state(trace_id) for trace_id in prepared.trace_ids]
        found: dict[tuple[str, str, str], str | None] = {}  # trace id, key, value → kept
        for trace_id, refusals in self._refused.items():
            standing = group.list_standing(group.state(trace_id), refusals)
            found.update({(trace_id, *identity): kept for identity, kept in standing.items()})
        if any(state.conflicts for state in states):
            said = [
                (states[place], (key[:MAX_KEY_CHARS], value[:MAX_VALUE_CHARS]))
                for place, facts in zip(prepared.places, prepared.facts, strict=True)
                if states[place].conflicts
                for key, value in facts.explicit.items()
            ]
            for state, identity in said:
                if identity in state.conflicts:
                    key, value = identity
                    found[state.trace_id, key, value] = state.conflicts[identity]
        messages = [prepared.message] if prepared.message else []
        messages += _name_refusals(found)
        gone = {place for place, state in enumerate(states) if state.deleted}
        lost = sum(place in gone for place in prepared.places) if gone else 0
        return IngestResult(len(prepared.facts), "; ".join(messages), deleted_spans=lost)

    def _take(self, group: Group, now_us: int) -> list[int]:
        """Bring the states up to date; return the numbers of the rows to store.

        Of two records of one span in this request the later one: their versions may be equal.
        """
        prepared = self._prepared
        states = [group.state(trace_id) for trace_id in prepared.trace_ids]
        for state in states:
            if not state.deleted:
                group.touch(state)
        taken: dict[int, SpanFacts] = {}
        replaced: set[int] = set()  # ids of facts
        for number, (place, facts) in enumerate(zip(prepared.places, prepared.facts, strict=True)):
            state = states[place]
            if state.deleted:
                continue
            known = state.facts.get(facts.span_id)
            if known is not None:
                if known.end_time_ns:
                    if facts.end_time_ns:
                        self._refuse_second(group, state, known, facts)
                    continue
                if known.received_at_us == now_us:
                    replaced.add(id(known))
            facts.received_at_us = now_us
            state.facts[facts.span_id] = facts
            taken[number] = facts
        if replaced:
            return [number for number, facts in taken.items() if id(facts) not in replaced]
        return list(taken)

    def _refuse_second(
        self, group: Group, state: TraceState, known: SpanFacts, facts: SpanFacts
    ) -> None:
        """Keep what a second final record of a span would have changed, as conflicts."""
        for full_key, full_value in facts.explicit.items():
            if known.explicit.get(full_key) == full_value:
                continue
            key, value = full_key[:MAX_KEY_CHARS], full_value[:MAX_VALUE_CHARS]
            if is_absent(key, value):
                continue
            refusal = Refusal(key, value, "span" if facts.parent_id else "root")
            group.refuse(state, [refusal])
            self._refused.setdefault(state.trace_id, []).append(refusal)


def _name_refusals(found: dict[tuple[str, str, str], str | None]) -> list[str]:
    return shorten(
        [
            f"trace {trace_id}: {_explain(key, kept)}; {value[:200]!r} was refused"
            for (trace_id, key, value), kept in found.items()
        ]
    )


def _explain(key: str, kept: str | None) -> str:
    """Say why a value of metadata was refused."""
    if kept is None:
        return f"its span had already ended without metadata {key!r}, which stays absent"
    return f"metadata {key!r} is {kept[:200]!r} and stays"


class StoreHeader:
    """Store what is said of a trace from outside: what is missing is filled, what is there stays.

    What contradicts is left out; where there is any, that is a ConflictError once the rest is
    stored, or `partly` no error: `list_refused` tells it.
    """

    def __init__(self, header: Header, *, partly: bool = False) -> None:
        self._header = header
        self._partly = partly
        self._refusals: list[Refusal] = []

    def apply(self, group: Group) -> None:
        """Take the header, or fill what the one before lacks."""
        self._refusals = []
        header = self._header
        state = group.state(header.trace_id)
        if state.deleted:
            return
        check_active(group.experiments, _name_experiment(group, state, header))
        now_us = group.clock.tick()
        assessments = self._read_assessments(state.header, now_us // 1000)
        before = state.header
        sifted, refusals = sift_header(header, state.facts.values(), before, group.default_id)
        if before is None:
            merged = msgspec.structs.replace(sifted, received_at_us=now_us)
        else:
            merged, more = merge_headers(before, sifted)
            refusals += more
        self._refusals = refusals
        group.refuse(state, refusals)
        group.touch(state)
        if merged == before:
            return
        if merged.experiment_id:
            group.learn_experiment(merged.experiment_id, "")
        state.header = merged
        group.add_header(
            HeaderRow(
                trace_id=header.trace_id,
                header=encode_header(merged),
                received_at_us=merged.received_at_us,
                version=now_us,
            )
        )
        for row in assessments:
            group.add_assessment(row)

    def finish(self, group: Group) -> IngestResult:
        """Name what was refused, where that is an error."""
        refused = [] if self._partly else self.list_refused(group)
        if refused:
            raise ConflictError(
                f"trace {self._header.trace_id}: {'; '.join(refused)}; metadata is immutable"
            )
        return IngestResult(trace=group.state(self._header.trace_id).row)

    def list_refused(self, group: Group) -> list[str]:
        """Return what contradicted the trace, once it is folded: a sentence for each value."""
        conflicts = group.list_standing(group.state(self._header.trace_id), self._refusals)
        found = [
            f"{one.key!r} is {(conflicts[one.key, one.refused] or '')[:200]!r} and stays; "
            f"{one.refused[:200]!r} contradicts it"
            for one in self._refusals
            if conflicts.get((one.key, one.refused)) is not None
        ]
        return shorten(found)

    def _read_assessments(self, before: Header | None, now_ms: int) -> list[AssessmentRow]:
        return [
            read_assessment(
                self._header.trace_id,
                payload,
                assessment_id=name_assessment(payload),
                now_ms=now_ms,
                version=INITIAL_VERSION,
            )
            for payload in list_new_assessments(before, self._header)
        ]


def shorten(messages: list[str]) -> list[str]:
    """Return the first few messages, and how many more there are."""
    more = len(messages) - MAX_NAMED_REFUSALS
    if more <= 0:
        return messages
    return [*messages[:MAX_NAMED_REFUSALS], f"and {more} more values were refused"]


def _name_experiment(group: Group, state: TraceState, header: Header) -> str:
    """Return the experiment that must be active: not that of a trace that had a header before."""
    if header.experiment_id or state.header is not None:
        return header.experiment_id or ""
    return state.place.experiment_id if state.place is not None else group.default_id


class StoreArtifact:
    """Store a file of a trace, also before the trace is there; for a deleted one nothing."""

    def __init__(self, row: ArtifactRow) -> None:
        self._row = row

    def apply(self, group: Group) -> None:
        """Stage the file."""
        if not group.state(self._row.trace_id).deleted:
            group.add_artifact(msgspec.structs.replace(self._row, version=group.clock.tick()))

    def finish(self, group: Group) -> None:
        """Nothing more to say."""
