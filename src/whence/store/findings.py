"""The tables of findings: `finding_events` (facts), `finding_marks` (people's), `watches`.

An event's key is (finding_id, episode, kind, look); `look` is 0 for those that an episode has once,
so that servers that saw the same write one row, whenever each looked. `version` is a time in
nanoseconds; the highest stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.store.connection import list_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from whence.store.connection import Store


class FindingEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. `figures`, `metrics` and `evidence` are JSON, '' where there are none.

    `kind`: `opened`, `seen`, `worsened`, `reopened`, `resolved`, `ended`. `metric` leads, with its
    `figures`; `metrics` are the figures of all. `resolved_by` is the later version that shows it
    no longer, '' where none does. `evidence` is of what was newly looked at.
    """

    finding_id: str
    episode: int
    kind: str
    look: int
    at_ms: int
    experiment_id: str
    environment: str | None
    baseline: str
    baseline_kind: str
    candidate: str
    candidate_kind: str
    metric: str
    summary: str
    reason: str
    figures: str
    resolved_by: str = ""
    metrics: str = ""
    evidence: str = ""
    version: int = 0


class FindingMarkRow(msgspec.Struct, frozen=True, kw_only=True):
    """What people said of a finding; `acknowledged_ms` 0: nothing."""

    finding_id: str
    acknowledged_ms: int = 0
    muted: int = 0
    note: str = ""
    version: int = 0


class WatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the watch of a candidate stands; `progress` is JSON (`analysis.watching.Progress`)."""

    watch_id: str
    experiment_id: str
    environment: str | None
    candidate: str
    candidate_kind: str
    progress: str
    version: int = 0


_EVENTS = f"""\
SELECT {list_columns(FindingEventRow)}
FROM finding_events FINAL
WHERE finding_id = {{finding_id:String}}
ORDER BY episode, kind IN ('resolved', 'ended'), at_ms, look
"""
_MARKS = f"""\
SELECT {list_columns(FindingMarkRow)}
FROM finding_marks FINAL
WHERE finding_id IN {{ids:Array(String)}}
"""
_WATCHES = f"""\
SELECT {list_columns(WatchRow)}
FROM watches FINAL
WHERE watch_id IN {{ids:Array(String)}}
"""


def add_events(store: Store, rows: Sequence[FindingEventRow]) -> None:
    """Write facts; durable on return."""
    stamped = [msgspec.structs.replace(row, version=time.time_ns()) for row in rows]
    store.insert("finding_events", stamped)


def read_events(store: Store, finding_id: str) -> list[FindingEventRow]:
    """Return all facts of a finding, the oldest first."""
    return store.query(_EVENTS, {"finding_id": finding_id}).structs(FindingEventRow)


def read_marks(store: Store, ids: Collection[str]) -> dict[str, FindingMarkRow]:
    """Return what people said of these findings, where they did."""
    if not ids:
        return {}
    rows = store.query(_MARKS, {"ids": sorted(ids)}).structs(FindingMarkRow)
    return {row.finding_id: row for row in rows}


def write_mark(store: Store, row: FindingMarkRow) -> None:
    """Replace what people said of a finding; durable on return."""
    store.insert("finding_marks", [msgspec.structs.replace(row, version=time.time_ns())])


def read_watches(store: Store, ids: Collection[str]) -> dict[str, WatchRow]:
    """Return where these watches stand; those that have not begun are missing."""
    if not ids:
        return {}
    rows = store.query(_WATCHES, {"ids": sorted(ids)}).structs(WatchRow)
    return {row.watch_id: row for row in rows}


def write_watch(store: Store, row: WatchRow) -> None:
    """Write where a watch stands; durable on return."""
    store.insert("watches", [msgspec.structs.replace(row, version=time.time_ns())])
