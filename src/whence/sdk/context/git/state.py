"""Which commit, branch and repository a folder belongs to, read from `.git` itself.

Needs neither the git program nor GitPython, and never raises: what can't be read is None.
Read are: a plain work tree, a linked one and a submodule (`.git` is a file there), loose and
packed references, a detached HEAD, a branch without commits. Limits: the reftable format is not
read, `include.path` and `url.*.insteadOf` in the configuration are not followed, and whether the
work tree differs from the commit is not looked at.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from whence.otlp.repository_url import strip_credentials
from whence.sdk.context.git.config import find_remote_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES = 16 << 20  # packed-refs of the largest public repositories is about 10 MB
MAX_SYMBOLIC_STEPS = 5
OBJECT_ID = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")
HEADS = "refs/heads/"
REMOTES = "refs/remotes/"


class GitState(msgspec.Struct, frozen=True):
    """What the repository of a folder says. `root` is the top of the work tree."""

    root: Path
    git_dir: Path
    commit: str | None = None
    branch: str | None = None
    url: str | None = None


def read_git(folder: Path) -> GitState | None:
    """Return the state of the repository that holds this folder, or None where there is none."""
    try:
        found = _find_repository(folder.resolve())
        if found is None:
            return None
        root, git_dir = found
        return _read_state(root, git_dir, _common_dir(git_dir))
    except (OSError, ValueError, RuntimeError):  # a null byte, a circle of symbolic links
        return None


def _read_state(root: Path, git_dir: Path, common_dir: Path) -> GitState:
    url = find_remote_url(_read_text(common_dir / "config") or "")
    commit, branch = _read_head(git_dir, common_dir)
    return GitState(
        root=root,
        git_dir=git_dir,
        commit=commit,
        branch=branch,
        url=strip_credentials(url) or None if url else None,
    )


def _find_repository(start: Path) -> tuple[Path, Path] | None:
    """Walk up to the first folder with a `.git` that leads somewhere."""
    for folder in (start, *start.parents):
        dot_git = folder / ".git"
        if (dot_git / "HEAD").exists():
            return folder, dot_git
        text = _read_text(dot_git)
        if text is None:
            continue
        # A linked work tree or a submodule. If its folder is away, an outer repository would be
        # the wrong answer.
        prefix, _, target = text.strip().partition(":")
        git_dir = folder / target.strip()
        usable = prefix == "gitdir" and target.strip() and git_dir.is_dir()
        return (folder, git_dir.resolve()) if usable else None
    return None


def _common_dir(git_dir: Path) -> Path:
    """Return where references and configuration lie: elsewhere, for a linked work tree."""
    return git_dir / (_read_text(git_dir / "commondir") or "").strip()


def _read_head(git_dir: Path, common_dir: Path) -> tuple[str | None, str | None]:
    """Return commit and branch, each None where unknown."""
    head = (_read_text(git_dir / "HEAD") or "").strip()
    if OBJECT_ID.match(head):
        return head, _only_branch_at(head, common_dir)
    name = _symbolic_target(head)
    if name is None or name == "refs/heads/.invalid":  # what reftable leaves in HEAD
        return None, None
    branch = name.removeprefix(HEADS) if name.startswith(HEADS) else None
    return _resolve(name, git_dir, common_dir), branch or None


def _symbolic_target(text: str) -> str | None:
    """Return the reference that `ref: …` names; one that leaves the folder is refused."""
    name = text[4:].strip() if text.startswith("ref:") else ""
    return name if name.startswith("refs/") and ".." not in name else None


def _resolve(name: str, git_dir: Path, common_dir: Path) -> str | None:
    """Return the commit that a reference names: its own file first, then `packed-refs`."""
    for _ in range(MAX_SYMBOLIC_STEPS):
        text = _read_text(git_dir / name) or _read_text(common_dir / name)
        if text is None:
            return dict(_packed_refs(common_dir)).get(name)
        value = text.strip()
        if OBJECT_ID.match(value):
            return value
        target = _symbolic_target(value)
        if target is None:
            return None
        name = target
    return None


def _only_branch_at(commit: str, common_dir: Path) -> str | None:
    """Name the branch of a detached HEAD, if just one local (else one remote) branch is there."""
    at_commit = {name for name, value in _all_refs(common_dir).items() if value == commit}
    local = {name.removeprefix(HEADS) for name in at_commit if name.startswith(HEADS)}
    if local:
        return local.pop() if len(local) == 1 else None
    remote = {
        name.removeprefix(REMOTES).partition("/")[2]
        for name in at_commit
        if name.startswith(REMOTES) and not name.endswith("/HEAD")
    }
    return remote.pop() or None if len(remote) == 1 else None


def _all_refs(common_dir: Path) -> dict[str, str]:
    """Return the references; a loose one hides the packed one."""
    refs = dict(_packed_refs(common_dir))
    for prefix in (HEADS, REMOTES):
        for path in (common_dir / prefix).rglob("*"):
            text = _read_text(path)
            if text is not None:
                refs[path.relative_to(common_dir).as_posix()] = text.strip()
    return refs


def _packed_refs(common_dir: Path) -> Iterator[tuple[str, str]]:
    for line in (_read_text(common_dir / "packed-refs") or "").splitlines():
        commit, _, name = line.partition(" ")
        if OBJECT_ID.match(commit):
            yield name.strip(), commit


def _read_text(path: Path) -> str | None:
    """Return a file's text; None for what is not a file, not readable or far too large."""
    try:
        if not path.is_file():  # a named pipe would block for ever
            return None
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError):
        return None
    return os.fsdecode(data) if len(data) <= MAX_FILE_BYTES else None
