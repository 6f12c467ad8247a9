"""What people changed about traces, read at once: the tables `tags` and `assessments`.

`tags` rows overlay the initial tags in `traces.tags`. A deleted tag keeps its row (`deleted` 1), so
that an initial tag of that key stays hidden. A deleted assessment is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.store.rows import AssessmentRow, TagRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from whence.store.connection import Store

# Every branch of the statement gives (what, trace_id, name, text, version, deleted).
TAG, ASSESSMENT = "tag", "assessment"
_fields = [field for field in msgspec.structs.fields(AssessmentRow) if field.name != "trace_id"]
_columns = ", ".join(field.name for field in _fields)
# Not strict: a server may be set to write 64-bit numbers in quotes.
_decoder: msgspec.json.Decoder[tuple[Any, ...]] = msgspec.json.Decoder(
    tuple[tuple(field.type for field in _fields)],  # type: ignore[misc] # at run time
    strict=False,
)

SELECT_OVERLAY = f"""\
SELECT '{TAG}' AS what, trace_id, key AS name, value AS text, version, deleted
FROM tags FINAL
WHERE trace_id IN {{trace_ids:Array(String)}}
UNION ALL
SELECT '{ASSESSMENT}', trace_id, assessment_id, toJSONString(({_columns})), version, deleted
FROM assessments FINAL
WHERE trace_id IN {{trace_ids:Array(String)}} AND deleted = 0
"""


class Overlay(msgspec.Struct, frozen=True):
    """The tag rows of traces by key, and their assessments by age, both by trace id."""

    tags: dict[str, list[TagRow]]
    assessments: dict[str, list[AssessmentRow]]


def read_overlay(store: Store, trace_ids: Collection[str]) -> Overlay:
    """Return what was changed about these traces."""
    if not trace_ids:
        return Overlay({}, {})
    return gather_overlay(store.query(SELECT_OVERLAY, {"trace_ids": list(trace_ids)}).rows)


def gather_overlay(rows: Iterable[tuple[Any, ...]]) -> Overlay:
    """Make an overlay of the statement's rows."""
    tags: dict[str, list[TagRow]] = {}
    assessments: dict[str, list[AssessmentRow]] = {}
    for what, trace_id, name, text, version, deleted in rows:
        if what == TAG:
            tag = TagRow(trace_id=trace_id, key=name, value=text, version=version, deleted=deleted)
            tags.setdefault(trace_id, []).append(tag)
        elif what == ASSESSMENT:
            values = zip((field.name for field in _fields), _decoder.decode(text), strict=True)
            row = AssessmentRow(trace_id=trace_id, **dict(values))
            assessments.setdefault(trace_id, []).append(row)
    for written in tags.values():
        written.sort(key=lambda row: row.key)
    for judged in assessments.values():
        judged.sort(key=lambda row: (row.create_time_ms, row.assessment_id))
    return Overlay(tags, assessments)


def merge_overlays(one: Overlay, other: Overlay) -> Overlay:
    """Return both; the other's of the same trace count."""
    return Overlay({**one.tags, **other.tags}, {**one.assessments, **other.assessments})
