"""Which spans of a tree speak for it: those with data of their own and no ancestor that has some.

So a wrapper that repeats its child's tokens is counted once. A span whose parent is unknown starts
a tree of its own; spans that are each other's ancestors say nothing. And which spans those are.
Linear in the spans visited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def find_speakers(parent_of: Mapping[str, str], holders: Collection[str]) -> list[str]:
    """Return those of `holders` (span ids, in the order given) above which no other holder stands.

    `parent_of` maps every known span id to its parent's id, '' where it has none.
    """
    covered: dict[str, bool] = {}
    held = set(holders)
    return [span_id for span_id in holders if not _is_covered(span_id, parent_of, held, covered)]


def _is_covered(
    span_id: str, parent_of: Mapping[str, str], held: set[str], covered: dict[str, bool]
) -> bool:
    path: list[str] = []
    walked: set[str] = set()
    node = parent_of.get(span_id, "")
    found = False
    while node in parent_of and node not in walked:
        if node in held:
            found = True
            break
        if node in covered:
            found = covered[node]
            break
        walked.add(node)
        path.append(node)
        node = parent_of[node]
    for passed in path:
        covered[passed] = found
    return found


def find_circle(parent_of: Mapping[str, str]) -> set[str]:
    """Return the spans that are their own ancestors, where nothing else can be the trace's top.

    Empty as long as some span has no parent, or one that is not here (it may still come).
    """
    if any(parent_id not in parent_of for parent_id in parent_of.values()):
        return set()
    members: set[str] = set()
    seen: set[str] = set()
    for start in parent_of:
        path: dict[str, int] = {}
        node = start
        while node not in seen:
            seen.add(node)
            path[node] = len(path)
            node = parent_of[node]
        if node in path:
            members.update(list(path)[path[node] :])
    return members
