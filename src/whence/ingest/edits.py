"""Edits of traces that are stored: tags, assessments, deletions. The last one counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import NotFoundError
from whence.ingest.assessments import (
    change_assessment,
    make_assessment_id,
    read_assessment,
    read_assessment_id,
)
from whence.semconv import TRACE_NAME_TAG
from whence.store.assessments import read_assessments
from whence.store.rows import AssessmentRow, DeletionRow, TagRow
from whence.store.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from whence.ingest.group import Group
    from whence.ingest.memory import TraceState
    from whence.store.connection import Store


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
        stored = [tag for tag in read_tags(self._store, [self._trace_id]) if tag.key == self._key]
        written = group.newest_tag(self._trace_id, self._key, next(iter(stored), None))
        if written is not None:
            exists = not written.deleted
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
        self._assessment_id = make_assessment_id()  # where the payload has none
        self._row: AssessmentRow | None = None

    def apply(self, group: Group) -> None:
        """Stage the row."""
        find_trace(group, self._trace_id)
        now_us = group.clock.tick()
        row = read_assessment(
            self._trace_id,
            self._payload,
            assessment_id=read_assessment_id(self._payload) or self._assessment_id,
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


class UpdateAssessment:
    """Change some fields of an assessment; its metadata is merged."""

    def __init__(
        self,
        store: Store,
        trace_id: str,
        assessment_id: str,
        payload: Mapping[str, Any],
        fields: Collection[str],
    ) -> None:
        self._store = store
        self._trace_id = trace_id
        self._assessment_id = assessment_id
        self._payload = payload
        self._fields = fields
        self._row: AssessmentRow | None = None

    def apply(self, group: Group) -> None:
        """Stage the changed row."""
        find_trace(group, self._trace_id)
        row = find_assessment(group, self._store, self._trace_id, self._assessment_id)
        self._row = change_assessment(row, self._payload, self._fields, now_us=group.clock.tick())
        group.add_assessment(self._row)
        group.mention(self._trace_id)

    def finish(self, group: Group) -> AssessmentRow | None:
        """Return what is stored now."""
        del group
        return self._row


def find_trace(group: Group, trace_id: str) -> TraceState:
    """Return the state of a trace that is there, or raise."""
    state = group.state(trace_id)
    if not state.exists:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return state


def find_assessment(group: Group, store: Store, trace_id: str, assessment_id: str) -> AssessmentRow:
    """Return an assessment that is there, or raise."""
    rows = [*group.staged_assessments(trace_id), *read_assessments(store, [trace_id])]
    found = [row for row in rows if row.assessment_id == assessment_id]
    newest = max(found, key=lambda row: row.version, default=None)
    if newest is None or newest.deleted:
        raise NotFoundError(
            f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'"
        )
    return newest
