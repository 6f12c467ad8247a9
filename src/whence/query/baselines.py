"""What a candidate is compared with when nobody says, and what makes an arm doubtful.

The baseline is the nearest version in the candidate's own history, by the commits that processes
told of (`ancestors`): the version at the merge base or the last one before it. Where none of those
has enough traffic, it is the one that left that history latest (the nearest merge base); where
nothing is known of commits, the last version before the candidate, in the order of versions.

Limits: ancestors are first parents, a few hundred; of an arm's commits the first `MAX_COMMITS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.errors import InvalidInputError
from whence.query.arm_sql import condition_of
from whence.query.compile import SETTINGS, Parameters
from whence.query.version_source import select
from whence.query.version_table import read_versions, read_warnings
from whence.store.ancestors import read_ancestors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.entities.version import VersionRow
    from whence.query.arms import NamedArm, Scope
    from whence.query.version_source import Selection
    from whence.store.connection import Store

ENOUGH_TRACES = 30
MAX_VERSIONS = 200
MAX_COMMITS = 10
MAX_NAMED = 5
SHOWN_DIGITS = 10


class _Code(msgspec.Struct, frozen=True):
    """What the candidate's traces say of their code."""

    versions: frozenset[str]
    commits: frozenset[str]
    first_seen_ms: int


def find_newest(store: Store, scope: Scope) -> str:
    """Return the newest version, as an arm's text. Raises InvalidInputError where none is named."""
    for row in _list_versions(store, scope):
        if row.app_version is not None:
            return f"version:{row.app_version}"
    raise InvalidInputError(
        f"no trace{_where(scope)} names a version, so there is no newest one to compare; "
        "name the candidate"
    )


def choose_baseline(store: Store, scope: Scope, candidate: NamedArm) -> tuple[str, str]:
    """Return the baseline as an arm's text, and why it is that one.

    It has at least `ENOUGH_TRACES` traces in the same environment. Raises InvalidInputError where
    there is none.
    """
    rows = _list_versions(store, scope)
    code = _read_code(store, scope, candidate)
    if code is None:
        raise InvalidInputError(
            f"no version stands before the candidate {candidate.asked!r}{_where(scope)}: only "
            f"what has traces has one; name the baseline{_name_some(rows)}"
        )
    others = [row for row in rows if not _shares_traces(row, code)]
    enough = [row for row in others if row.traces >= ENOUGH_TRACES]
    found = _find_by_ancestry(store, code, enough)
    if found is None:
        before = [one for one in _find_before(rows, code) if one.traces >= ENOUGH_TRACES]
        if not before:
            raise InvalidInputError(
                f"no version before {candidate.asked!r}{_where(scope)} has {ENOUGH_TRACES} "
                f"traces; name the baseline{_name_some(rows)}"
            )
        found = before[0], "the last version before it"
    row, why = found
    note = f"the baseline is {why} with at least {ENOUGH_TRACES} traces"
    if row.app_version is None:
        return f"commit:{row.commit}", note
    return f"version:{row.app_version}", note


def read_doubts(store: Store, scope: Scope, arms: Sequence[NamedArm]) -> list[str]:
    """Return what makes versions doubtful that arms name: deployed from several states of code."""
    found = []
    for arm in arms:
        if arm.kind == "app_version":
            selection = msgspec.structs.replace(_select(scope), app_version=arm.asked)
            found += [
                f"{warning}: what is compared is a mixture; manifest:<digest> names one of them"
                for warning in read_warnings(store, selection)
            ]
    return found


# --- Versions and commits -------------------------------------------------------------------------


def _select(scope: Scope) -> Selection:
    return select(
        environment=scope.environment,
        experiment_ids=scope.experiment_ids,
        since_ms=scope.since_ms,
        until_ms=scope.until_ms,
        environment_aliases=scope.aliases,
    )


def _list_versions(store: Store, scope: Scope) -> list[VersionRow]:
    """Return the versions of the scope's environment, the newest first; some are commits only."""
    table = read_versions(store, _select(scope), max_versions=MAX_VERSIONS)
    return [row for row in table.versions if row.app_version is not None or row.commit is not None]


def _read_code(store: Store, scope: Scope, candidate: NamedArm) -> _Code | None:
    parameters = Parameters()
    where = condition_of(candidate.tree, scope, parameters)
    columns = "app_version, commit, request_time_ms"
    rows = store.query(
        f"SELECT count(), groupUniqArray({MAX_VERSIONS})(app_version), "
        f"groupUniqArray({MAX_COMMITS})(commit), min(request_time_ms)\n"
        f"FROM (SELECT {columns} FROM traces WHERE {where} AND deleted = 0\n"
        f"UNION ALL SELECT {columns} FROM open_traces WHERE {where} AND deleted = 0)",
        parameters.values,
        settings=SETTINGS,
    ).rows
    ((count, versions, commits, first_ms),) = rows
    return _Code(frozenset(versions), frozenset(commits), first_ms) if count else None


def _shares_traces(row: VersionRow, code: _Code) -> bool:
    if row.app_version is not None:
        return row.app_version in code.versions
    return row.commit in code.commits


def _find_before(rows: Sequence[VersionRow], code: _Code) -> list[VersionRow]:
    """Return the versions before the candidate, the newest first.

    What is no version of its own (a branch, a filter) stands where it was first seen.
    """
    own = [place for place, row in enumerate(rows) if _shares_traces(row, code)]
    if own and len(code.versions) <= 1:
        return list(rows[max(own) + 1 :])
    return [
        row
        for row in rows
        if not _shares_traces(row, code) and row.first_seen_ms < code.first_seen_ms
    ]


def _find_by_ancestry(
    store: Store, code: _Code, rows: Sequence[VersionRow]
) -> tuple[VersionRow, str] | None:
    """Return the version nearest in the candidate's history, and in words why; None: not known."""
    if not code.commits:
        return None
    commits_of = [{one.commit for one in row.commits} for row in rows]
    ancestors = read_ancestors(store, code.commits.union(*commits_of))
    distances: dict[str, int] = {}
    for commit in code.commits:
        for steps, ancestor in enumerate(ancestors.get(commit, ()), 1):
            distances[ancestor] = min(steps, distances.get(ancestor, steps))
    best: tuple[tuple[int, int, int], tuple[VersionRow, str]] | None = None
    for place, (row, commits) in enumerate(zip(rows, commits_of, strict=True)):
        for commit in commits - code.commits:
            found = _place(commit, code, distances, ancestors.get(commit, ()))
            if found is not None:
                order = (found[0], found[1], place)
                if best is None or order < best[0]:
                    best = order, (row, found[2])
    return None if best is None else best[1]


def _place(
    commit: str, code: _Code, distances: dict[str, int], line: Sequence[str]
) -> tuple[int, int, str] | None:
    """Return how far a commit is from the candidate's history (0: part of it), and in words."""
    if commit in distances:
        steps = distances[commit]
        why = f"the nearest version in its history ({steps} commits back)"
        return 0, steps, why
    if code.commits.intersection(line):
        return None  # it came after the candidate
    for own, ancestor in enumerate(line, 1):
        if ancestor in distances:
            base = ancestor[:SHOWN_DIGITS]
            why = f"the version that shares most history with it (merge base {base})"
            return distances[ancestor], own, why
    return None


def _where(scope: Scope) -> str:
    return f" in {scope.environment}" if scope.environment else ""


def _name_some(rows: Sequence[VersionRow]) -> str:
    if not rows:
        return ""
    some = ", ".join(f"{row.app_version or row.commit} ({row.traces})" for row in rows[:MAX_NAMED])
    return f"; versions with their traces: {some}"
