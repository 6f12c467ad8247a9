"""Find the repository that a folder belongs to, and where its parts lie.

Understood are a `.git` folder, a `.git` file (a linked work tree, a submodule, a repository kept
elsewhere), `commondir`, `core.worktree` and `extensions.worktreeConfig`. The search goes up to the
first `.git` that has a HEAD. If a `.git` file leads nowhere there is no answer, because an outer
repository would be the wrong one.

Limits: a bare repository above a folder is passed by, since it has no work tree that the folder
could belong to; `GIT_CEILING_DIRECTORIES` is not looked at and the search crosses file systems.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.git import config
from whence.sdk.context.git.files import read_file, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_LINK_BYTES = 64 << 10
ID_LENGTHS = {"sha1": 40, "sha256": 64}


class Repository(msgspec.Struct, frozen=True):
    """One work tree of a repository. `entry` is the `.git` that led to it."""

    root: Path
    entry: Path
    git_dir: Path
    common_dir: Path
    entries: list[config.Entry]
    object_format: str
    ref_storage: str

    @property
    def id_length(self) -> int:
        """Return the length of an object id in hex digits."""
        return ID_LENGTHS[self.object_format]


def find_repository(start: Path) -> Repository | None:
    """Walk up from a folder (or a file) to its repository. Raises OSError if one can't be read."""
    located = _locate(start.resolve())
    return _describe(*located) if located is not None else None


def find_declared_repository(folder: Path, environ: Mapping[str, str]) -> Repository | None:
    """Do the same as git does in this folder with these variables set, as hooks set them.

    `GIT_DIR` names the repository and then the folder is its work tree, unless `GIT_WORK_TREE` or
    the configuration says otherwise. `GIT_COMMON_DIR` is heeded too.
    """
    folder = folder.resolve()
    work_tree = environ.get("GIT_WORK_TREE")
    declared = environ.get("GIT_DIR")
    if declared:
        git_dir = _follow(folder / declared)
        located = None if git_dir is None else (folder, folder / declared, git_dir)
    else:
        located = _locate(folder)
    if located is None:
        return None
    root = (folder / work_tree).resolve() if work_tree else None
    common = environ.get("GIT_COMMON_DIR")
    return _describe(*located, root=root, common_dir=folder / common if common else None)


def _locate(start: Path) -> tuple[Path, Path, Path] | None:
    """Return the folder with a usable `.git`, that `.git`, and the git directory."""
    for folder in (start, *start.parents):
        entry = folder / ".git"
        if _has_head(entry):
            return folder, entry, entry.resolve()
        if read_file(str(entry), MAX_LINK_BYTES) is not None:
            git_dir = _follow(entry)
            return (folder, entry, git_dir) if git_dir is not None else None
    return None


def _follow(entry: Path) -> Path | None:
    """Return the git directory that a path is or names as `gitdir: …`; None if it is not there."""
    if _has_head(entry):
        return entry.resolve()
    prefix, _, target = read_text(str(entry), MAX_LINK_BYTES).rstrip("\r\n").partition(":")
    target = target.strip(" ")
    if prefix != "gitdir" or not target:
        return None
    git_dir = entry.parent / target
    return git_dir.resolve() if _has_head(git_dir) else None


def _has_head(git_dir: Path) -> bool:
    """Tell whether there is a HEAD, be it a link to a branch that has no file."""
    try:
        os.lstat(git_dir / "HEAD")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _describe(
    folder: Path,
    entry: Path,
    git_dir: Path,
    *,
    root: Path | None = None,
    common_dir: Path | None = None,
) -> Repository:
    link = read_text(str(git_dir / "commondir"), MAX_LINK_BYTES).strip("\r\n")
    common_dir = (common_dir or git_dir / link).resolve()
    entries = _read_configuration(git_dir, common_dir)
    declared_root = config.last_value(entries, "core", "", "worktree")
    if root is None:
        root = (git_dir / declared_root).resolve() if declared_root else folder
    storage = config.last_value(entries, "extensions", "", "refstorage") or "files"
    object_format = (config.last_value(entries, "extensions", "", "objectformat") or "sha1").lower()
    return Repository(
        root=root,
        entry=entry,
        git_dir=git_dir,
        common_dir=common_dir,
        entries=entries,
        object_format=object_format if object_format in ID_LENGTHS else "sha1",
        ref_storage=storage.lower(),
    )


def _read_configuration(git_dir: Path, common_dir: Path) -> list[config.Entry]:
    """Return the entries that hold for this work tree; an unreadable file has none."""
    try:
        entries = config.read_config(str(common_dir / "config"))
        if git_dir != common_dir:
            # What the common file says of the work tree's place is about the main one.
            entries = [one for one in entries if one[:3] != ("core", "", "worktree")]
        if config.is_true(config.last_value(entries, "extensions", "", "worktreeconfig")):
            entries += config.read_config(str(git_dir / "config.worktree"))
    except (OSError, ValueError):
        return []
    return entries
