"""Whether a trace that has not ended may be on a page, told from memory.

Most searches find none: few traces are running, and those of another user or version fall away by
what is held of them (`store/kept.py`). Then `open_traces` needn't be asked, which would take as
long as a quarter of the page. What can't be told here (patterns, numbers, tags, `OR`) may match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence import semconv
from whence.query.filters import And, Comparison
from whence.query.order import DEFAULT

if TYPE_CHECKING:
    from whence.query.candidates import Search
    from whence.query.filters import Filter
    from whence.query.order import Position
    from whence.store.connection import Store
    from whence.store.rows import RunningRow

_COLUMNS = (
    "state",
    "trace_name",
    "environment",
    "app_version",
    "commit",
    "branch",
    "session",
    "user",
)
_NEED_AN_END = ("execution_time_ms", "end_time_ms")

# A column, and the values that it may have; None: any, if it has one.
Test = tuple[str, frozenset[str | float] | None]


def may_find_running(store: Store, search: Search, position: Position | None) -> bool:
    """Tell whether a running trace may be behind the position; True where that isn't known."""
    running = store.kept.list_running()
    if running is None:
        return True
    tests = _tests_of(search.condition)
    behind = position if search.order == DEFAULT else None
    return any(_may_be_found(row, search, tests, behind) for row in running)


def _may_be_found(
    row: RunningRow, search: Search, tests: list[Test], behind: Position | None
) -> bool:
    for column, values in tests:
        value = getattr(row, column)
        if value is None or (values is not None and value not in values):
            return False
    if search.experiment_ids and row.experiment_id not in search.experiment_ids:
        return False
    if behind is not None and (-row.request_time_ms, row.trace_id) <= behind:
        return False
    return search.trace_ids is None or row.trace_id in search.trace_ids


def _tests_of(tree: Filter | None) -> list[Test]:
    """Return what must hold of a row's columns, as the values that they may have."""
    operands = tree.operands if isinstance(tree, And) else (tree,)
    tests = [_test_of(one) for one in operands if isinstance(one, Comparison)]
    return [test for test in tests if test is not None]


def _test_of(one: Comparison) -> Test | None:
    kind, key = one.field.kind, one.field.key
    if kind == "attribute" and key in _NEED_AN_END:
        return None if one.operator == "IS NULL" else ("duration_ns", None)
    column = key if kind == "attribute" and key in _COLUMNS else None
    if kind == "metadata":
        column = semconv.COLUMN_OF_METADATA.get(key)
    compares_texts = all(isinstance(value, str) for value in one.values)
    if column is None or one.operator not in ("=", "IN") or not compares_texts:
        return None
    return column, frozenset(one.values)
