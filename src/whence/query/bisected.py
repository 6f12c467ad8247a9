"""The versions or commits from one to another, in their order, for bisecting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from whence.errors import InvalidInputError
from whence.query.compile import SETTINGS, Parameters
from whence.query.version_order import Placed, order_versions
from whence.query.version_table import MAX_MAX_VERSIONS, read_versions
from whence.store.ancestors import read_ancestors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.query.version_source import Selection
    from whence.store.connection import Store

MAX_BISECTED = 60
MAX_NAMED = 8
MAX_COMMITS = 5000
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_COMMITS = """\
SELECT assumeNotNull(commit) AS named, count(), min(request_time_ms)
FROM traces FINAL
WHERE {condition} AND isNotNull(commit)
GROUP BY named
ORDER BY min(request_time_ms) DESC
LIMIT {limit}
"""


class Step(msgspec.Struct, frozen=True):
    """A version or commit with its traces; `commit` is the most frequent one of a version."""

    name: str
    commit: str | None
    traces: int


class Range(msgspec.Struct, frozen=True):
    """The steps from the good to the bad one, both included; and the commits that have no trace."""

    by: Literal["app_version", "commit"]
    steps: list[Step]
    untraced: list[str]


def read_range(store: Store, selection: Selection, good: str, bad: str) -> Range:
    """Return what lies between two versions, or commits (7 hex digits or more of them).

    Raises InvalidInputError where one is unknown, they stand in no such order, or too many lie
    between.
    """
    versions = [
        Step(row.app_version, row.commits[0].commit if row.commits else None, row.traces)
        for row in reversed(read_versions(store, selection, max_versions=MAX_MAX_VERSIONS).versions)
        if row.app_version is not None
    ]
    names = {one.name for one in versions}
    if good in names and bad in names:
        steps = _cut(versions, good, bad)
        return Range("app_version", steps, _find_untraced(store, selection, steps))
    commits = _list_commits(store, selection)
    ends = [_find_commit(commits, one) for one in (good, bad)]
    if ends[0] is None or ends[1] is None:
        missing = [
            given
            for given, end in zip((good, bad), ends, strict=True)
            if end is None and given not in names
        ]
        raise InvalidInputError(_say_unknown(missing or [good, bad], versions, selection))
    steps = _cut(commits, ends[0], ends[1])
    return Range("commit", steps, _find_untraced(store, selection, steps))


def _list_commits(store: Store, selection: Selection) -> list[Step]:
    """Return all commits, the oldest first."""
    parameters = Parameters()
    sql = _COMMITS.format(condition=selection.condition(parameters), limit=MAX_COMMITS)
    rows = store.query(sql, parameters.values, settings=SETTINGS).rows
    placed = [Placed(None, frozenset((commit,)), seen) for commit, _, seen in rows]
    order = order_versions(placed, read_ancestors(store, {row[0] for row in rows}))
    return [Step(rows[one][0], rows[one][0], rows[one][1]) for one in order]


def _find_commit(commits: Sequence[Step], given: str) -> str | None:
    if not _COMMIT.fullmatch(given):
        return None
    found = [one.name for one in commits if one.name.startswith(given)]
    if len(found) > 1:
        raise InvalidInputError(
            f"{given!r} begins more than one commit: {', '.join(found[:MAX_NAMED])}; give more "
            "of it"
        )
    return found[0] if found else None


def _cut(steps: Sequence[Step], good: str, bad: str) -> list[Step]:
    names = [one.name for one in steps]
    first, last = names.index(good), names.index(bad)
    if first == last:
        raise InvalidInputError(f"good and bad are both {good!r}: there is nothing between")
    if first > last:
        raise InvalidInputError(
            f"{good!r} stands after {bad!r} in the order of versions; the good one must be the "
            "older"
        )
    found = list(steps[first : last + 1])
    if len(found) > MAX_BISECTED:
        raise InvalidInputError(
            f"{len(found)} versions lie from {good!r} to {bad!r}, at most {MAX_BISECTED} are "
            "looked at together: begin with a later one, such as "
            f"{names[last - MAX_BISECTED + 1]!r}"
        )
    return found


def _find_untraced(store: Store, selection: Selection, steps: Sequence[Step]) -> list[str]:
    """Return the commits between the ends that no trace of the selection names, newest first."""
    first, last = steps[0].commit, steps[-1].commit
    if first is None or last is None:
        return []
    line = read_ancestors(store, [last]).get(last, [])
    if first not in line:
        return []
    between = line[: line.index(first)]
    traced = {one.name for one in _list_commits(store, selection)} if between else set()
    return [one for one in between if one not in traced]


def _say_unknown(missing: Sequence[str], versions: Sequence[Step], selection: Selection) -> str:
    where = f" in {selection.environment}" if selection.environment else ""
    some = ", ".join(f"{one.name} ({one.traces})" for one in versions[-MAX_NAMED:])
    known = f"; versions with their traces: {some}" if some else ""
    named = " and ".join(repr(one) for one in missing)
    return (
        f"no finished trace{where} names {named}; give two app versions, or two commits (7 hex "
        f"digits or more){known}"
    )
