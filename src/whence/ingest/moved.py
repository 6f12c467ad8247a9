"""Traces that another store had: headers, tags and assessments, with the times they had there.

A header counts like an MLflow client's: a missing key is filled, a present one stays. What
contradicts is left out and named, and the rest is taken. A trace may come again as it is there by
now: an assessment replaces the one that came before where it was changed later, a tag the one of an
earlier move. What a call of our own API set or deleted outranks both. The mistake of one trace
fails no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.errors import WhenceError
from whence.ingest.assessments import name_assessment, read_assessment
from whence.ingest.deliveries import StoreHeader
from whence.ingest.tags import cut_tag
from whence.semconv import SERVER_TAGS
from whence.store.rows import AssessmentRow, TagRow
from whence.store.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.ingest.group import Group
    from whence.ingest.header import Header
    from whence.store.connection import Store

US_PER_MS = 1000


class Refused(msgspec.Struct, frozen=True):
    """What of a trace is not stored, and why: some values, an assessment, or all but its spans.

    `whole`: of what the request said of the trace beside its spans, nothing was stored.
    """

    trace_id: str
    reason: str
    whole: bool = False


class StoreMoved:
    """Store what another store had of its traces, beside their spans."""

    def __init__(self, store: Store, headers: Sequence[Header], refused: Sequence[Refused]) -> None:
        """Take headers that were checked; `refused` is what was refused by that."""
        self._store = store
        self._headers = headers
        self._unchecked = refused
        self._actions: list[tuple[str, StoreHeader]] = []
        self._refused: list[Refused] = []

    def apply(self, group: Group) -> None:
        """Take the headers, and what was judged and tagged."""
        self._actions, self._refused = [], list(self._unchecked)
        again = self._list_known(group)
        for header in self._headers:
            state = group.state(header.trace_id)
            if state.deleted:
                self._refuse(header, "it was deleted here, and stays so")
                continue
            action = StoreHeader(msgspec.structs.replace(header, assessments=[]), partly=True)
            try:
                action.apply(group)
            except WhenceError as error:
                self._refuse(header, error.message)
                continue
            self._actions.append((header.trace_id, action))
            for row in self._read_assessments(header, group.clock.tick()):
                group.add_assessment(row)
            group.mention(header.trace_id)
        self._retag(group, again)

    def finish(self, group: Group) -> list[Refused]:
        """Return what was refused."""
        refused = list(self._refused)
        for trace_id, action in self._actions:
            contradicting = action.list_refused(group)
            if contradicting:
                refused.append(Refused(trace_id, "; ".join(contradicting)))
        return refused

    def _refuse(self, header: Header, reason: str, *, whole: bool = True) -> None:
        self._refused.append(Refused(header.trace_id, reason, whole))

    def _list_known(self, group: Group) -> dict[str, dict[str, str]]:
        """Return the tags that traces had which came before, by trace id."""
        known = {}
        for header in self._headers:
            before = group.state(header.trace_id).header
            if before is not None and header.tags:
                known[header.trace_id] = before.tags
        return known

    def _retag(self, group: Group, known: dict[str, dict[str, str]]) -> None:
        """Set the tags of traces that came again, where they are others by now."""
        if not known:
            return
        stored = {(row.trace_id, row.key): row for row in read_tags(self._store, list(known))}
        now_ms = group.clock.tick() // US_PER_MS  # less than any version of an API call's
        for header in self._headers:
            trace_id, before = header.trace_id, known.get(header.trace_id)
            for key, full_value in header.tags.items() if before is not None else ():
                value = cut_tag(key, full_value)
                row = group.newest_tag(trace_id, key, stored.get((trace_id, key)))
                is_ours = row is not None and (row.deleted or row.version > now_ms)
                old = row.value if row else cut_tag(key, (before or {}).get(key, value))
                if old != value and not is_ours and key not in SERVER_TAGS:
                    group.add_tag(TagRow(trace_id=trace_id, key=key, value=value, version=now_ms))
                    group.mention(trace_id)

    def _read_assessments(self, header: Header, now_us: int) -> list[AssessmentRow]:
        rows = []
        for payload in header.assessments:
            try:
                row = read_assessment(
                    header.trace_id,
                    payload,
                    assessment_id=name_assessment(payload),
                    now_ms=now_us // US_PER_MS,
                    version=0,
                )
            except WhenceError as error:
                name = str(payload.get("assessment_id") or payload.get("assessment_name"))
                reason = f"assessment {name[:100]!r}: {error.message}"
                self._refuse(header, reason, whole=False)
                continue
            # One that is no longer valid is newer than the same one that was.
            version = 2 * max(row.last_update_time_ms, 1) + (1 - row.valid)
            rows.append(msgspec.structs.replace(row, version=version))
        return rows
