"""What really differs from HEAD in a work tree: path, mode and content, looked at file by file.

The content of a file is the id of the object that git would store for it, with line endings and
content filters applied; a link's is that of its target; a repository's within the tree (a
submodule, or one that just lies there) is its commit with the hash of its own changes. What equals
HEAD is dropped, whatever the index says. Bounded by `Budget`; beyond it, `GitError`.
"""

from __future__ import annotations

import os
import stat
from hashlib import new as new_hash
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.work_tree.candidates import (
    ABSENT,
    EXECUTABLE,
    FILE,
    LINK,
    REPOSITORY,
    Candidate,
    Head,
    find_candidates,
    read_head,
)
from whence.sdk.context.work_tree.git_program import Git, GitError
from whence.sdk.context.work_tree.large_files import find_large_files, hash_large_files
from whence.sdk.context.work_tree.line_ends import hash_with_lf

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = b"whence work tree 1"
HASH_CHARS = 40
MAX_DEPTH = 8
REGULAR = (FILE, EXECUTABLE)


class Change(msgspec.Struct, frozen=True):
    """A path that is not as in HEAD. `mode` is ABSENT for a deletion; `content` an object id."""

    path: bytes
    mode: bytes
    content: bytes
    is_new: bool


class WorkTree(msgspec.Struct, frozen=True):
    """A work tree, measured: what its HEAD is, and what differs from it."""

    head: Head
    changes: tuple[Change, ...]

    @property
    def hash(self) -> str:
        """40 hex digits that are equal exactly where HEAD's tree and the changes are."""
        from hashlib import sha256

        digest = sha256(b"\n".join((HEADER, self.head.tree, b"")))
        for one in sorted(self.changes, key=lambda one: one.path):
            digest.update(b"\0".join((one.path, one.mode, one.content, b"")))
        return digest.hexdigest()[:HASH_CHARS]


class Budget:
    """How many files and bytes may still be looked at, over all nested repositories."""

    def __init__(self, max_files: int, max_bytes: int) -> None:
        self._max_files, self._max_bytes = max_files, max_bytes
        self._total_files = self._total_bytes = 0
        self._files: dict[bytes, int] = {}
        self._bytes: dict[bytes, int] = {}

    def take(self, path: bytes, size: int = 0) -> None:
        """Count a path; raise `GitError` where the bound is passed."""
        top = path.partition(b"/")[0]
        self._files[top] = self._files.get(top, 0) + 1
        self._bytes[top] = self._bytes.get(top, 0) + size
        self._total_files += 1
        self._total_bytes += size
        if self._total_files > self._max_files:
            raise GitError(f"more than {self._max_files:,} files to look at{_most(self._files)}")
        if self._total_bytes > self._max_bytes:
            mebibytes = self._max_bytes >> 20
            raise GitError(f"more than {mebibytes:,} MiB to read{_most(self._bytes)}")


def _most(amounts: dict[bytes, int]) -> str:
    """Name the largest part, and what to do about it."""
    name = os.fsdecode(max(amounts, key=lambda one: amounts[one]))
    return f", most of them in {name!r}: commit it, or name it in .gitignore"


class Rules(msgspec.Struct, frozen=True):
    """The settings of a repository that decide what counts as a difference."""

    hash_name: str = "sha1"
    has_modes: bool = True
    has_links: bool = True


class UncertainError(GitError):
    """The measuring was not finished. `is_dirty`: the tree surely differs, only how is unknown."""

    def __init__(self, reason: str, *, is_dirty: bool) -> None:
        super().__init__(reason)
        self.is_dirty = is_dirty


def measure(git: Git, budget: Budget, depth: int = 0) -> WorkTree:
    """Return what differs from HEAD. Raises `GitError`; `UncertainError` after it began."""
    if depth > MAX_DEPTH:
        raise GitError(f"repositories nested more than {MAX_DEPTH} deep")
    rules = _read_rules(git)
    top = git.run("rev-parse", "--show-toplevel").removesuffix(b"\n")
    if not _is_same_folder(top, git.root):
        raise GitError(f"its configuration puts the work tree elsewhere, at {os.fsdecode(top)}")
    head = read_head(git, rules.hash_name)
    candidates = find_candidates(git)
    try:
        changes = _compare(git, budget, rules, candidates, depth)
    except GitError as error:
        is_dirty = isinstance(error, UncertainError) and error.is_dirty
        is_dirty = is_dirty or _is_certain(git, candidates)
        raise UncertainError(error.reason, is_dirty=is_dirty) from error
    return WorkTree(head, tuple(changes))


def _is_certain(git: Git, candidates: dict[bytes, Candidate]) -> bool:
    """Tell whether the tree surely differs, although not every file was looked at."""
    certain = [one for one in candidates.values() if one.is_certain]
    if any(one.head_mode == ABSENT for one in certain):
        return True
    # Of a large file git says only that it is not its pointer.
    paths = [one.path for one in certain]
    try:
        return len(find_large_files(git, paths)) < len(paths)
    except GitError:
        return False


def _read_rules(git: Git) -> Rules:
    settings = git.read_settings()
    foreign = git.foreign_filters(settings)
    if foreign:
        raise GitError(
            f"the repository's own configuration names a program ({foreign[0]}), which is not "
            "run because this program's code lies elsewhere"
        )
    said = {key: value.lower() for _, key, value in settings}
    false = (b"false", b"no", b"off", b"0")
    return Rules(
        hash_name=said.get(b"extensions.objectformat", b"sha1").decode("ascii", "replace"),
        has_modes=said.get(b"core.filemode") not in false,
        has_links=said.get(b"core.symlinks") not in false,
    )


def _is_same_folder(one: bytes, other: str) -> bool:
    try:
        return os.path.samefile(os.fsdecode(one), other)  # noqa: PTH121 - may hold any bytes
    except OSError:
        return False


def _compare(
    git: Git, budget: Budget, rules: Rules, candidates: dict[bytes, Candidate], depth: int
) -> list[Change]:
    """Look at every candidate's own path; return those that are not as in HEAD."""
    folders: dict[bytes, bool] = {}
    files: list[tuple[Candidate, bytes]] = []
    found: list[tuple[Candidate, bytes, bytes]] = []
    for one in candidates.values():
        git.check_time()
        path = os.path.join(os.fsencode(git.root), one.path)  # noqa: PTH118 - bytes
        status = _look_at(path) if _has_real_folders(git, one.path, folders) else None
        kind = 0 if status is None else stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFREG and status is not None:
            budget.take(one.path, status.st_size)
            files.append((one, _mode_of(one, status.st_mode, rules)))
        elif kind == stat.S_IFLNK:
            budget.take(one.path)
            target = os.readlink(path)  # noqa: PTH115 - bytes
            found.append((one, LINK, _blob_id(rules, target)))
        elif kind == stat.S_IFDIR and one.is_repository:
            found.append((one, *_measure_nested(git, budget, one, path, depth)))
        elif one.head_mode != ABSENT and not (one.is_left_out and status is None):
            budget.take(one.path)
            found.append((one, ABSENT, b""))
    found += _read_contents(git, rules, files)
    return [
        Change(one.path, mode, content, is_new=one.head_mode == ABSENT)
        for one, mode, content in found
        if (mode, content) != (one.head_mode, one.head_id)
    ]


def _look_at(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise GitError(f"can't look at {os.fsdecode(path)}: {error.strerror}") from error


def _has_real_folders(git: Git, path: bytes, known: dict[bytes, bool]) -> bool:
    """Tell whether a path is reached without a symbolic link, as git wants it."""
    folder = path.rpartition(b"/")[0]
    if not folder:
        return True
    if folder not in known:
        full = os.path.join(os.fsencode(git.root), folder)  # noqa: PTH118 - bytes
        status = _look_at(full)
        is_real = status is not None and stat.S_ISDIR(status.st_mode)
        known[folder] = is_real and _has_real_folders(git, folder, known)
    return known[folder]


def _mode_of(one: Candidate, mode: int, rules: Rules) -> bytes:
    """Return a regular file's mode as git would store it."""
    recorded = one.index_mode if one.index_mode != ABSENT else one.head_mode
    if recorded == LINK and not rules.has_links:  # checked out as a file that holds the target
        return LINK
    if rules.has_modes:
        return EXECUTABLE if mode & stat.S_IXUSR else FILE
    return recorded if recorded in REGULAR else FILE


def _blob_id(rules: Rules, content: bytes) -> bytes:
    digest = new_hash(rules.hash_name, b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest().encode()


def _measure_nested(
    git: Git, budget: Budget, one: Candidate, path: bytes, depth: int
) -> tuple[bytes, bytes]:
    """Return mode and content of a repository within the tree."""
    budget.take(one.path)
    if _look_at(os.path.join(path, b".git")) is None:  # noqa: PTH118 - bytes
        # A submodule that is not checked out is what the index says; any folder else is nothing.
        return (REPOSITORY, one.index_id) if one.index_mode == REPOSITORY else (ABSENT, b"")
    try:
        inner = measure(git.enter(one.path), budget, depth + 1)
    except GitError as error:
        is_dirty = isinstance(error, UncertainError) and error.is_dirty
        name = os.fsdecode(one.path)
        raise UncertainError(f"{error.reason} (in {name})", is_dirty=is_dirty) from error
    content = inner.head.commit or b"unborn"
    return REPOSITORY, b"%s+%s" % (content, inner.hash.encode()) if inner.changes else content


def _read_contents(
    git: Git, rules: Rules, files: Sequence[tuple[Candidate, bytes]]
) -> list[tuple[Candidate, bytes, bytes]]:
    """Return every file with the id of what git would store."""
    links = [one.path for one, mode in files if mode == LINK]
    paths = [one.path for one, mode in files if mode != LINK]
    ids = hash_large_files(git, paths, lambda content: _blob_id(rules, content))
    ids |= _hash_files(git, [path for path in paths if path not in ids])
    ids |= _hash_files(git, links, "--no-filters")
    doubtful = {
        one.path: one.head_id
        for one, mode in files
        if mode != LINK and one.head_mode in REGULAR and ids[one.path] != one.head_id
    }
    same = _find_unchanged(git, rules, doubtful, ids)
    return [(one, mode, one.head_id if one.path in same else ids[one.path]) for one, mode in files]


def _find_unchanged(
    git: Git, rules: Rules, doubtful: dict[bytes, bytes], ids: dict[bytes, bytes]
) -> set[bytes]:
    """Return which of the paths are as in HEAD for all that git would store them otherwise.

    Those are the ones with the very bytes of the commit, whatever filters would make of them, and
    those that were committed with other line ends.
    """
    raw = _hash_files(git, list(doubtful), "--no-filters")
    same = {path for path, head_id in doubtful.items() if raw[path] == head_id}
    others = [head_id for path, head_id in doubtful.items() if path not in same]
    with_lf = hash_with_lf(git, others, lambda content: _blob_id(rules, content))
    return same | {path for path, head_id in doubtful.items() if with_lf.get(head_id) == ids[path]}


def _hash_files(git: Git, paths: Sequence[bytes], *options: str) -> dict[bytes, bytes]:
    if not paths:
        return {}
    listing = b"".join(_quote(path) for path in paths)
    ids = git.run("hash-object", *options, "--stdin-paths", data=listing).split()
    if len(ids) != len(paths):
        raise GitError("git did not hash every file")
    return dict(zip(paths, ids, strict=True))


def _quote(path: bytes) -> bytes:
    """Write a path as git's C-style quoted line, so that it may hold line ends and quotes."""
    plain = all(32 <= byte < 127 and byte not in b'"\\' for byte in path)  # noqa: PLR2004 - ASCII
    return b"%s\n" % path if plain else b'"%s"\n' % b"".join(b"\\%03o" % byte for byte in path)
