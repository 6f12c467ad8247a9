"""What people changed about traces, read at once: the tables `tags` and `assessments`.

`tags` rows overlay the initial tags in `traces.tags`. A deleted tag keeps its row (`deleted` 1), so
that an initial tag of that key stays hidden. A deleted assessment is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.store.connection import list_columns
from whence.store.newest import newest_rows
from whence.store.rows import AssessmentRow, TagRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from whence.store.connection import Rows, Store

# Without FINAL, which takes 1 ms here: few rows are found, and the newest are chosen among them.
SELECT_TAGS = f"""\
SELECT {list_columns(TagRow)}, _part
FROM tags
WHERE trace_id IN {{trace_ids:Array(String)}}
SETTINGS max_threads = 1
"""
SELECT_ASSESSMENTS = f"""\
SELECT {list_columns(AssessmentRow)}, _part
FROM assessments
WHERE trace_id IN {{trace_ids:Array(String)}}
SETTINGS max_threads = 1
"""


class Overlay(msgspec.Struct, frozen=True):
    """The tag rows of traces by key, and their assessments by age, both by trace id."""

    tags: dict[str, list[TagRow]]
    assessments: dict[str, list[AssessmentRow]]


class AskedOverlay(msgspec.Struct, frozen=True):
    """What is known of traces at once, and the statements that tell the rest."""

    tags: list[TagRow] | None
    assessments: list[AssessmentRow] | None
    statements: list[tuple[str, dict[str, Any]]]

    def gather(self, found: Sequence[Rows]) -> Overlay:
        """Make an overlay, with what the statements found."""
        rest = list(found)
        tags, assessments = self.tags, self.assessments
        if tags is None:
            tags = newest_rows(rest.pop(0), TagRow, ("trace_id", "key"))
        if assessments is None:
            assessments = newest_rows(rest.pop(0), AssessmentRow, ("trace_id", "assessment_id"))
        return _arrange(tags, assessments)


def ask_overlay(store: Store, trace_ids: Collection[str]) -> AskedOverlay:
    """Ask what was changed about traces; the statements may be run beside others."""
    asked = {"trace_ids": list(trace_ids)}
    tags = store.kept.find("tags", trace_ids)
    assessments = store.kept.find("assessments", trace_ids)
    statements = [(SELECT_TAGS, asked)] * (tags is None)
    statements += [(SELECT_ASSESSMENTS, asked)] * (assessments is None)
    return AskedOverlay(tags, assessments, statements)


def read_overlay(store: Store, trace_ids: Collection[str]) -> Overlay:
    """Return what was changed about these traces."""
    if not trace_ids:
        return Overlay({}, {})
    asked = ask_overlay(store, trace_ids)
    return asked.gather(store.query_together(asked.statements))


def _arrange(tags: Iterable[TagRow], assessments: Iterable[AssessmentRow]) -> Overlay:
    writes: dict[str, list[TagRow]] = {}
    for tag in tags:
        writes.setdefault(tag.trace_id, []).append(tag)
    judged: dict[str, list[AssessmentRow]] = {}
    for row in assessments:
        if not row.deleted:
            judged.setdefault(row.trace_id, []).append(row)
    for of_trace in writes.values():
        of_trace.sort(key=lambda row: row.key)
    for by_age in judged.values():
        by_age.sort(key=lambda row: (row.create_time_ms, row.assessment_id))
    return Overlay(writes, judged)


def merge_overlays(one: Overlay, other: Overlay) -> Overlay:
    """Return both; the other's of the same trace count."""
    return Overlay({**one.tags, **other.tags}, {**one.assessments, **other.assessments})
