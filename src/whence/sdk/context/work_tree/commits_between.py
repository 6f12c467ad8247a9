"""The commits that lead from one commit to another, in a repository at hand.

Asked of the git program where it is there: how many, by whom, which files, and their subjects.
Without it the files of `.git` tell how many first parents lie between. Never raises.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.git import read_git
from whence.sdk.context.git.ancestors import read_ancestors_of
from whence.sdk.context.work_tree.git_program import Git, GitError
from whence.sdk.context.work_tree.state import open_git, read_limits

if TYPE_CHECKING:
    from pathlib import Path

    from whence.sdk.context.git.state import GitState

MAX_COMMITS = 10_000
MAX_NAMED = 200  # files and authors
MAX_SUBJECTS = 20
BY_PROGRAM, BY_FILES = "git program", "files of .git"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SEPARATOR = "\x1f"
_MISSING = 128  # the exit status where git knows no such commit


class CommitRange(msgspec.Struct, frozen=True, kw_only=True):
    """How two commits lie: `order` is `same`, `forward`, `backward`, `diverged` or `unknown`.

    `count`, `authors` (with the number of their commits), `files` and `subjects` are of the commits
    that the later one has and the earlier one has not; of diverged ones, those of the second.
    `reason` says why something is unknown.
    """

    order: str
    looked_at: str | None = None
    count: int | None = None
    merge_base: str | None = None
    authors: list[tuple[str, int]] | None = None
    files: list[str] | None = None
    file_count: int | None = None
    subjects: list[str] | None = None
    reason: str = ""


def find_commits_between(folder: Path, before: str, after: str) -> CommitRange | None:
    """Look at the repository that holds `folder`; None where there is none."""
    if not (_COMMIT.fullmatch(before) and _COMMIT.fullmatch(after)):
        return None
    state = read_git(folder)
    if state is None:
        return None
    try:
        return _ask(open_git(state.root, is_trusted=False, limits=read_limits()), before, after)
    except GitError as error:
        found = _count_first_parents(state, before, after)
        return msgspec.structs.replace(found, reason=error.reason)


def _ask(git: Git, before: str, after: str) -> CommitRange:
    missing = [commit for commit in (before, after) if not _has(git, commit)]
    if missing:
        reason = f"commit {missing[0]} is not in {git.root}; `git fetch` may bring it"
        return CommitRange(order="unknown", looked_at=BY_PROGRAM, reason=reason)
    base = _merge_base(git, before, after)
    first, second = (_resolve(git, commit) for commit in (before, after))
    order = "diverged"
    if first == second:
        return CommitRange(order="same", looked_at=BY_PROGRAM, count=0, merge_base=base)
    if base == first:
        order = "forward"
    elif base == second:
        order, first, second = "backward", second, first
    start = base or first
    count = int(git.run("rev-list", "--count", f"{first}..{second}"))
    form = f"--format=%an{_SEPARATOR}%h %s"
    log = git.run("log", "-z", f"--max-count={MAX_COMMITS}", form, f"{first}..{second}", "--")
    records = [one for one in log.decode("utf-8", "replace").split("\0") if one]
    pairs = [one.partition(_SEPARATOR)[::2] for one in records]
    names = git.run(
        "diff", "--name-only", "--no-ext-diff", "--no-textconv", "-z", start, second, "--"
    )
    files = [one for one in names.decode("utf-8", "replace").split("\0") if one]
    return CommitRange(
        order=order,
        looked_at=BY_PROGRAM,
        count=count,
        merge_base=base,
        authors=Counter(author for author, _ in pairs).most_common(MAX_NAMED),
        files=files[:MAX_NAMED],
        file_count=len(files),
        subjects=[subject for _, subject in pairs[:MAX_SUBJECTS]],
    )


def _has(git: Git, commit: str) -> bool:
    try:
        git.run("cat-file", "-e", f"{commit}^{{commit}}")
    except GitError as error:
        if error.status in (1, _MISSING):
            return False
        raise
    return True


def _merge_base(git: Git, before: str, after: str) -> str | None:
    try:
        return git.run("merge-base", before, after).decode().strip() or None
    except GitError as error:
        if error.status == 1:  # no common ancestor
            return None
        raise


def _resolve(git: Git, commit: str) -> str:
    return git.run("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()


def _count_first_parents(state: GitState, before: str, after: str) -> CommitRange:
    if before == after:
        return CommitRange(order="same", looked_at=BY_FILES, count=0)
    for order, old, new in (("forward", before, after), ("backward", after, before)):
        ancestors = read_ancestors_of(state, new, MAX_COMMITS)
        if old in ancestors:
            count = ancestors.index(old) + 1
            return CommitRange(order=order, looked_at=BY_FILES, count=count)
    return CommitRange(order="unknown", looked_at=BY_FILES)
