"""The table `assessments`: feedback and expectations, one row per (trace_id, assessment_id).

A deleted assessment keeps its row (`deleted` 1), so that a late header can't bring it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.store.connection import list_columns
from whence.store.rows import AssessmentRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = f"""\
SELECT {list_columns(AssessmentRow)}
FROM assessments FINAL
WHERE trace_id IN {{trace_ids:Array(String)}}
ORDER BY trace_id, create_time_ms, assessment_id
"""


def read_assessments(store: Store, trace_ids: Collection[str]) -> list[AssessmentRow]:
    """Return the assessments of these traces by age, the deleted ones (`deleted` 1) among them."""
    if not trace_ids:
        return []
    return store.query(_SELECT, {"trace_ids": list(trace_ids)}).structs(AssessmentRow)
