"""Which commit, branch, tag and address the repository of a folder has, from its files alone.

Needs neither the git program nor GitPython and runs nothing: hooks, filters and `core.fsmonitor`
of a repository never get a turn, so one that belongs to another user is read like one's own
(`is_owned` tells; it is git's rule for `safe.directory`). Never raises: what can't be read is
absent, and one broken file doesn't hide what others say.

`read_git` asks where a file or folder lies; the variables `GIT_DIR`, `GIT_WORK_TREE` and
`GIT_COMMON_DIR`, which hooks set, hold for `read_current_git` only: they speak of the folder that
a process was started in, not of where its code lies.

Costs about half a millisecond for an ordinary repository and 10 ms for one with 50,000 packed
references (`tests/sdk/context/git/test_speed.py` holds the limits).
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from whence.otlp.repository_url import strip_credentials
from whence.sdk.context.git import config, refs
from whence.sdk.context.git.files import read_file
from whence.sdk.context.git.objects import Objects
from whence.sdk.context.git.ref_files import RefFiles
from whence.sdk.context.git.reftable import RefTables
from whence.sdk.context.git.repository import (
    Repository,
    find_declared_repository,
    find_repository,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.sdk.context.git.refs import Head, RefStore

T = TypeVar("T")

MAX_NOTE_BYTES = 64 << 10
# Where a rebase or a bisection notes the branch that it set out from.
NOTES_OF_BRANCH = ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")
OBJECT_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class GitState(msgspec.Struct, frozen=True):
    """What the repository of a folder says of itself; text that is not UTF-8 is made so.

    - `root`: the top of the work tree; `git_dir`: its own git directory; `common_dir`: where
      references, objects and configuration lie (elsewhere for a linked work tree).
    - `commit`: 40 or 64 hex digits, None before the first commit.
    - `branch`: None if HEAD names a commit (`is_detached`), not a branch.
    - `branches_at_head`: the branch, or for a detached HEAD the local branches at the commit, else
      the remote ones without the remote's name; at most 200.
    - `unfinished_branch`: the branch that a rebase or bisection, now under way, set out from.
    - `tag_at_head`: the one annotated tag at the commit, else the one lightweight tag.
    - `url`: of the remote `origin`, else of the branch's, else of the first; without credentials.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    commit: str | None = None
    branch: str | None = None
    url: str | None = None
    is_detached: bool = False
    branches_at_head: tuple[str, ...] = ()
    unfinished_branch: str | None = None
    tag_at_head: str | None = None
    object_format: str = "sha1"
    is_shallow: bool = False
    is_owned: bool = False


def read_git(folder: Path) -> GitState | None:
    """Return the state of the repository that holds this folder or file, None without one."""
    return _guard(lambda: _read_state(find_repository(folder)), None)


def read_current_git() -> GitState | None:
    """Return the state of the repository that git would take from the current folder."""
    return _guard(lambda: _read_state(find_declared_repository(Path.cwd(), os.environ)), None)


def _guard(read: Callable[[], T], default: T) -> T:
    try:
        return read()
    except (OSError, ValueError, RuntimeError):  # a null byte in a path, a circle of links
        return default


def _read_state(repository: Repository | None) -> GitState | None:
    if repository is None:
        return None
    objects = Objects(str(repository.common_dir), repository.id_length)
    store = _open_refs(repository, objects)
    try:
        head = _guard(lambda: refs.read_head(store), refs.Head())
        branch = head.branch.removeprefix(refs.HEADS) if head.branch else None
        return GitState(
            root=repository.root,
            git_dir=repository.git_dir,
            common_dir=repository.common_dir,
            commit=head.commit,
            branch=_text(branch),
            url=_read_url(repository, branch),
            is_detached=head.is_detached,
            branches_at_head=tuple(filter(None, map(_text, _branches(store, head, repository)))),
            unfinished_branch=_text(
                _find_unfinished(str(repository.git_dir)) if head.is_detached else None
            ),
            tag_at_head=_text(_find_tag(store, head.commit)),
            object_format=repository.object_format,
            is_shallow=_guard(lambda: _is_shallow(repository), False),
            is_owned=_guard(lambda: _is_owned(repository), False),
        )
    finally:
        objects.close()


def _open_refs(repository: Repository, objects: Objects) -> RefStore:
    git_dir, common_dir = str(repository.git_dir), str(repository.common_dir)
    if repository.ref_storage == "reftable":
        return RefTables(git_dir, common_dir, repository.id_length)
    return RefFiles(git_dir, common_dir, repository.id_length, objects.peel)


def _branches(store: RefStore, head: Head, repository: Repository) -> tuple[bytes, ...]:
    """Look for branches only where HEAD names none, because all references may have to be read."""
    commit = head.commit
    if commit is None:
        return ()
    if head.branch is not None:
        return (head.branch.removeprefix(refs.HEADS),)
    remotes = config.find_remotes(repository.entries)
    return _guard(lambda: refs.find_branches(store, commit, remotes), ())


def _find_tag(store: RefStore, commit: str | None) -> bytes | None:
    return _guard(lambda: refs.find_tag(store, commit), None) if commit else None


def _find_unfinished(git_dir: str) -> bytes | None:
    for note in NOTES_OF_BRANCH:
        read_note = partial(read_file, f"{git_dir}/{note}", MAX_NOTE_BYTES)
        name = (_guard(read_note, None) or b"").strip().removeprefix(refs.HEADS)
        # Both note an id, or "detached HEAD", if they did not set out from a branch.
        if name and not OBJECT_ID.fullmatch(name) and refs.is_ref_name(refs.HEADS + name):
            return name
    return None


def _read_url(repository: Repository, branch: bytes | None) -> str | None:
    name = branch.decode("utf-8", "surrogateescape") if branch is not None else None
    url = config.find_remote_url(repository.entries, name)
    if url is None:
        return None
    return (
        strip_credentials(url.encode("utf-8", "surrogateescape").decode("utf-8", "replace")) or None
    )


def _is_shallow(repository: Repository) -> bool:
    return bool(read_file(f"{repository.common_dir}/shallow"))


def _is_owned(repository: Repository) -> bool:
    """Apply git's rule: `.git`, what it leads to and the work tree are the user's own."""
    if not hasattr(os, "geteuid"):
        return True
    users = {os.geteuid()}
    if 0 in users and os.environ.get("SUDO_UID", "").isdecimal():
        users.add(int(os.environ["SUDO_UID"]))
    paths = (repository.entry, repository.git_dir, repository.root)
    return all(os.lstat(path).st_uid in users for path in paths)


def _text(name: bytes | None) -> str | None:
    return name.decode("utf-8", "replace") if name else None
