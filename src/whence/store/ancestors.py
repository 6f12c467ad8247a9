"""The table `ancestors`: the first parents of commits that traces came from, the nearest first.

Processes with a repository at hand send them. Of a commit's the longest list counts: a shallow
clone knows fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from whence.store.connection import Store

_SELECT = """\
SELECT commit, ancestors
FROM ancestors FINAL
WHERE commit IN {commits:Array(String)}
"""


def read_ancestors(store: Store, commits: Collection[str]) -> dict[str, list[str]]:
    """Return {commit: its ancestors} of those commits that any process told them of."""
    if not commits:
        return {}
    rows = store.query(_SELECT, {"commits": sorted(commits)}).rows
    return {commit: list(ancestors) for commit, ancestors in rows}
