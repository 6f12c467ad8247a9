"""The state of the code as one thing: commit, branch, address and dirtiness that belong together.

Several sources may speak of different code: a CI job that runs a program from another repository,
a stamp beside a checkout. The strongest source that names a commit decides which code it is. From
a weaker one, a branch or an address is taken only if it names the same commit; from a stronger
one without a commit only if it can mean nothing but this program.

`settle` is a plain function of the evidence; it opens nothing. Limits: two abbreviations of seven
characters count as the same commit where one starts with the other.
"""

from __future__ import annotations

import msgspec

from whence import semconv
from whence.sdk.context import table
from whence.sdk.context.found import Found

Evidence = dict[str, dict[str, Found]]  # source → key → what it says

LONE_BRANCH = ".git (the only branch at the commit)"


class Group(msgspec.Struct, frozen=True):
    """Sources that speak of one state of the code together.

    `is_own`: what it says can only mean this program, even without a commit.
    """

    sources: tuple[str, ...]
    is_own: bool


# From the strongest to the weakest.
GROUPS: tuple[Group, ...] = (
    Group((table.DECLARED,), is_own=True),
    Group(
        ("env WHENCE_COMMIT", "env WHENCE_BRANCH", "env WHENCE_REPOSITORY_URL", table.CUSTOM),
        is_own=True,
    ),
    Group((table.OTEL_ATTRIBUTES,), is_own=True),
    Group((table.STAMP,), is_own=True),
    Group(
        (
            "env GIT_COMMIT",
            "env GIT_SHA",
            "env COMMIT_SHA",
            "env SOURCE_COMMIT",
            "env SOURCE_VERSION",
            "env GIT_BRANCH",
            "env GIT_URL",
        ),
        is_own=True,
    ),
    Group((table.RUN_CONTEXT,), is_own=True),
    Group((table.DIRECT_URL,), is_own=True),
    Group((table.DOT_GIT,), is_own=False),
    Group((table.LABELS,), is_own=False),
    Group((table.PLATFORM,), is_own=False),
    Group((LONE_BRANCH,), is_own=False),
)


class Settled(msgspec.Struct, frozen=True):
    """Per key the values of the chosen code, the strongest first; and those of other code."""

    agreeing: dict[str, tuple[Found, ...]]
    set_aside: dict[str, tuple[Found, ...]]


def settle(evidence: Evidence) -> Settled:
    """Decide which code it is, and sort what was said of it from what was said of other code."""
    claims = [_gather(group, evidence) for group in GROUPS]
    decider = _find_decider(claims)
    commit = _commit_of(claims[decider]) if decider is not None else None
    agreeing: dict[str, list[Found]] = {}
    set_aside: dict[str, list[Found]] = {}
    for position, claim in enumerate(claims):
        counts = position == decider or _counts(claim, GROUPS[position], commit, decider)
        for key, found in claim.items():
            if key != table.ALSO_AT:
                (agreeing if counts else set_aside).setdefault(key, []).extend(found)
    _keep_dirtiness_together(agreeing)
    return Settled(
        {key: tuple(found) for key, found in agreeing.items()},
        {key: tuple(found) for key, found in set_aside.items()},
    )


def is_same_commit(one: str, other: str) -> bool:
    """Compare two commits, each in full or abbreviated."""
    return one.startswith(other) or other.startswith(one)


def _gather(group: Group, evidence: Evidence) -> dict[str, list[Found]]:
    claim: dict[str, list[Found]] = {}
    for source in group.sources:
        for key, found in evidence.get(source, {}).items():
            if key in table.CODE_KEYS:
                claim.setdefault(key, []).append(found)
    return claim


def _find_decider(claims: list[dict[str, list[Found]]]) -> int | None:
    """Return the strongest group that knows the commit, or that there is none yet."""
    for position, claim in enumerate(claims):
        is_unborn = GROUPS[position].sources == (table.DOT_GIT,) and semconv.GIT_BRANCH in claim
        if semconv.GIT_COMMIT in claim or is_unborn:
            return position
    return None


def _commit_of(claim: dict[str, list[Found]]) -> str | None:
    commits = claim.get(semconv.GIT_COMMIT)
    return commits[0].value if commits else None


def _counts(
    claim: dict[str, list[Found]], group: Group, commit: str | None, decider: int | None
) -> bool:
    """Tell whether a group that did not decide speaks of the same code."""
    commits = [*claim.get(semconv.GIT_COMMIT, ()), *claim.get(table.ALSO_AT, ())]
    if not commits:
        return group.is_own or decider is None
    return commit is not None and any(is_same_commit(one.value, commit) for one in commits)


def _keep_dirtiness_together(agreeing: dict[str, list[Found]]) -> None:
    """Keep a hash only from the source that says whether the tree is dirty."""
    dirty = agreeing.get(semconv.GIT_DIRTY, [])
    hashes = agreeing.pop(semconv.GIT_DIRTY_HASH, [])
    kept = [one for one in hashes if dirty and one.source == dirty[0].source]
    if kept and dirty[0].value == "true":
        agreeing[semconv.GIT_DIRTY_HASH] = kept
