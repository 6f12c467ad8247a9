"""Whether a work tree differs from its commit, and a hash of how: `measure_tree(root)`.

Two edits on one commit have two hashes; the same edit has the same hash on every machine, staged
or not, whoever made it and whenever. An untouched tree is never dirty: dates, the index's state,
line endings of text, modes where `core.fileMode` is false, what a sparse checkout leaves out,
submodules that are not checked out and what a run leaves behind (`LEFT_BY_RUNS`) don't count.

Takes milliseconds to seconds and runs the git program: for a background thread. Never raises;
what can't be told is None, with the reason in words. Limits: time, files and bytes, see `Limits`;
beyond them there is no hash, never a wrong one. A file that changes meanwhile counts as before or
after. The line endings of text alone are never a difference; a user's own global ignore file is
obeyed as git does.
"""

from __future__ import annotations

import os
import time

import msgspec

from whence.sdk import diagnostics
from whence.sdk.context.work_tree.changes import Budget, UncertainError, WorkTree, measure
from whence.sdk.context.work_tree.git_program import TIMEOUT_VARIABLE, Git, GitError

TIMEOUT_S = 8.0
MAX_FILES = 20_000
MAX_BYTES = 256 << 20


class Limits(msgspec.Struct, frozen=True):
    """How much is looked at: seconds in all, changed files, and their bytes."""

    timeout_s: float = TIMEOUT_S
    max_files: int = MAX_FILES
    max_bytes: int = MAX_BYTES


class TreeState(msgspec.Struct, frozen=True):
    """What is known about a work tree.

    `dirty` is None where it is unknown; `hash` (40 hex digits) is there only where it is True.
    `reason` says in words why either is missing. `changes` counts the paths that differ.
    """

    dirty: bool | None
    hash: str | None = None
    reason: str | None = None
    changes: int | None = None
    duration_s: float = 0.0


def measure_tree(
    root: str | os.PathLike[str], *, is_trusted: bool = False, limits: Limits | None = None
) -> TreeState:
    """Compare the work tree at `root` with its HEAD.

    `is_trusted`: the program's own file lies in this work tree, so that what the repository says
    is run anyway; only then are its own content filters run, and a repository of another user's
    read. `limits` are those of the environment by default.
    """
    bounds = limits or read_limits()
    started_s = time.monotonic()
    try:
        tree = look_at_tree(root, is_trusted=is_trusted, limits=bounds)
    except UncertainError as error:
        state = TreeState(True if error.is_dirty else None, reason=error.reason)
    except GitError as error:
        state = TreeState(None, reason=error.reason)
    except OSError as error:
        state = TreeState(None, reason=f"can't be read: {error}")
    except Exception as error:  # noqa: BLE001 - detection must never break the program
        diagnostics.caught("dirty work tree", error)
        state = TreeState(None, reason=f"{type(error).__name__}: {error}")
    else:
        count = len(tree.changes)
        state = TreeState(count > 0, tree.hash if count else None, changes=count)
    return msgspec.structs.replace(state, duration_s=time.monotonic() - started_s)


def look_at_tree(root: str | os.PathLike[str], *, is_trusted: bool, limits: Limits) -> WorkTree:
    """Return HEAD and what differs from it. Raises `GitError` with the reason."""
    git = open_git(root, is_trusted=is_trusted, limits=limits)
    return measure(git, Budget(limits.max_files, limits.max_bytes))


def open_git(root: str | os.PathLike[str], *, is_trusted: bool, limits: Limits) -> Git:
    """Return the git program for a work tree, with the time that is left from now."""
    return Git(
        root,
        is_trusted=is_trusted,
        deadline_s=time.monotonic() + limits.timeout_s,
        timeout_s=limits.timeout_s,
    )


def read_limits() -> Limits:
    """Return the limits, with the time that the environment asks for."""
    text = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    if not text:
        return Limits()
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0.0 <= seconds < float("inf"):
        return Limits(timeout_s=seconds)
    diagnostics.warn_once(
        "bad_settings", "%s must be a number of seconds, not %r.", TIMEOUT_VARIABLE, text
    )
    return Limits()
