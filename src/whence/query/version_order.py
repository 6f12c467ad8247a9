"""The order of versions: by the ancestry of their commits, else as versions, else by first sight.

Ancestry holds wherever it is known: a version whose commit is an ancestor of another's comes before
it, whatever they are called. Among those that it leaves open, texts that begin with a release
(`1.10.0`) stand in the order of `versions`, so `1.10` after `1.9`; any other text stands where it
was first seen, and so does a release in relation to it. Never by text.

Limits: ancestors are first parents, at most a few hundred; commits of which two say that the other
is the older are not ordered by them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from whence.query.versions import sort_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IS_RELEASE = b"1"
# First sight, whether it is no release, its key as a release, its text, its commits.
Key = tuple[int, bool, bytes, bytes, tuple[str, ...]]


class Placed(msgspec.Struct, frozen=True):
    """What is known of a version's place: its name, its commits, when it was first seen."""

    name: str | None
    commits: frozenset[str]
    first_seen_ms: int


def order_versions(versions: Sequence[Placed], ancestors: Mapping[str, Sequence[str]]) -> list[int]:
    """Return the numbers of the versions, the oldest first."""
    before = _find_predecessors(versions, ancestors)
    after: dict[int, list[int]] = defaultdict(list)
    for number, earlier in before.items():
        for one in earlier:
            after[one].append(number)
    keys = _make_keys(versions)
    missing = [len(before.get(number, ())) for number in range(len(versions))]
    ready = [(keys[number], number) for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    placed: dict[int, None] = {}
    while len(placed) < len(versions):
        if not ready:  # contradicting claims in a circle: break it at the earliest
            left = (number for number in range(len(versions)) if number not in placed)
            number = min(left, key=lambda one: keys[one])
        else:
            number = heapq.heappop(ready)[1]
        if number in placed:
            continue
        placed[number] = None
        for one in after[number]:
            missing[one] -= 1
            if not missing[one]:
                heapq.heappush(ready, (keys[one], one))
    return list(placed)


def _find_predecessors(
    versions: Sequence[Placed], ancestors: Mapping[str, Sequence[str]]
) -> dict[int, set[int]]:
    """Return {version: those whose commits are ancestors of its own}."""
    owners: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(versions):
        for commit in one.commits:
            owners[commit].append(number)
    before: dict[int, set[int]] = defaultdict(set)
    for number, one in enumerate(versions):
        for commit in one.commits:
            for ancestor in ancestors.get(commit, ()):
                if ancestor not in one.commits:
                    before[number].update(owners.get(ancestor, ()))
        before[number].discard(number)
    return {
        number: {one for one in earlier if number not in before[one]}
        for number, earlier in list(before.items())
    }


def _make_keys(versions: Sequence[Placed]) -> list[Key]:
    """Return a key for each: releases keep their order, and the latest sight of those before."""
    keys: list[Key] = []
    for one in versions:
        key, raw = sort_key(one.name or "")
        is_release = one.name is not None and key.startswith(_IS_RELEASE)
        release = key if is_release else b""
        commits = tuple(sorted(one.commits))
        keys.append((one.first_seen_ms, not is_release, release, raw, commits))
    latest = 0
    releases = [number for number, key in enumerate(keys) if not key[1]]
    for number in sorted(releases, key=lambda one: (*keys[one][2:4], keys[one][0])):
        latest = max(latest, keys[number][0])
        keys[number] = (latest, *keys[number][1:])
    return keys
