"""Which paths of a work tree may differ from HEAD, as git tells it without writing anything.

Three questions: `git status` (staged or not, contents compared where the index's notes on a file
are stale), `git ls-files --stage` (submodules, and the entries that git was told not to look at:
assume-unchanged, skip-worktree), `git ls-files --others` (untracked and not ignored). The answer
is a superset: `changes` looks at each path itself.

What a run leaves beside the code (`LEFT_BY_RUNS`) is no candidate while it is untracked.
"""

from __future__ import annotations

from hashlib import new as new_hash
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.work_tree.git_program import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.sdk.context.work_tree.git_program import Git

# Patterns as in .gitignore, for untracked files only: what interpreters, test runners, notebooks,
# installers, editors and desktops write beside the code. None of it is a version of the code.
LEFT_BY_RUNS = (
    # Python and its tools
    "__pycache__/",
    "*.py[cod]",
    "*.egg-info/",
    ".eggs/",
    ".venv/",
    "venv/",
    ".tox/",
    ".nox/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".coverage",
    ".coverage.*",
    ".ipynb_checkpoints/",
    # what records runs
    ".whence/",
    "whence-stamp.json",
    "mlruns/",
    "nohup.out",
    "*.log",
    # other languages' packages
    "node_modules/",
    # editors and desktops
    ".idea/",
    ".vscode/",
    ".*.sw[a-p]",
    "*~",
    ".#*",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
)

ABSENT = b"000000"
FILE, EXECUTABLE, LINK, REPOSITORY = b"100644", b"100755", b"120000", b"160000"


class Candidate(msgspec.Struct, frozen=True):
    """A path that may differ from HEAD.

    `head_mode` and `head_id` are what HEAD has there (ABSENT and b"": nothing), `index_mode` and
    `index_id` what the index has. `is_certain`: git itself says that it differs. `is_left_out`: a
    sparse checkout leaves it out, so that its absence is no deletion.
    """

    path: bytes
    head_mode: bytes = ABSENT
    head_id: bytes = b""
    index_mode: bytes = ABSENT
    index_id: bytes = b""
    is_certain: bool = False
    is_left_out: bool = False
    is_repository: bool = False


class Head(msgspec.Struct, frozen=True):
    """What the work tree is compared with; an unborn branch has no commit."""

    commit: bytes | None
    tree: bytes


def read_head(git: Git, hash_name: str) -> Head:
    """Return what HEAD is; a branch without commits has the empty tree."""
    try:
        commit, tree = git.run("rev-parse", "HEAD^{commit}", "HEAD^{tree}").split()
    except GitError as error:
        if error.status is None or not _is_unborn(git):
            raise
        empty = new_hash(hash_name, b"tree 0\0", usedforsecurity=False).hexdigest()
        return Head(None, empty.encode())
    return Head(commit, tree)


def _is_unborn(git: Git) -> bool:
    git.run("symbolic-ref", "--quiet", "HEAD")
    try:
        git.run("rev-parse", "--quiet", "--verify", "HEAD")
    except GitError as error:
        if error.status == 1:
            return True
        raise
    return False


def find_candidates(git: Git) -> dict[bytes, Candidate]:
    """Return every path that may differ from HEAD. Raises `GitError`."""
    found = {one.path: one for one in _read_status(git)}
    unmerged = [path for path, one in found.items() if one.head_mode == b""]
    if unmerged:
        found.update((one.path, one) for one in _look_up(git, unmerged))
    for one in _read_index(git):
        known = found.get(one.path)
        found[one.path] = (
            one
            if known is None
            else msgspec.structs.replace(
                known, is_left_out=one.is_left_out, is_repository=one.is_repository
            )
        )
    for path in _read_untracked(git):
        is_repository = path.endswith(b"/")
        name = path.rstrip(b"/")
        known = found.get(name, Candidate(name))
        found[name] = msgspec.structs.replace(
            known,
            is_repository=is_repository,
            is_certain=known.head_mode == ABSENT,
        )
    return found


def _read_status(git: Git) -> Iterator[Candidate]:
    """Yield what differs from the index or, staged, from HEAD."""
    text = git.run(
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=no",
        "--ignore-submodules=dirty",
        "--no-renames",
    )
    for record in text.split(b"\0"):
        if record.startswith(b"1 "):
            _, change, _, head_mode, index_mode, _, head_id, index_id, path = record.split(b" ", 8)
            yield Candidate(
                path,
                head_mode,
                head_id if head_mode != ABSENT else b"",
                index_mode,
                index_id,
                # Staged and changed again may be back at HEAD; what is only taken out of the index
                # may still lie there.
                is_certain=b"." in change and change != b"D.",
                is_repository=REPOSITORY in (head_mode, index_mode),
            )
        elif record.startswith(b"u "):
            yield Candidate(record.split(b" ", 10)[10], head_mode=b"")


def _look_up(git: Git, paths: list[bytes]) -> Iterator[Candidate]:
    """Yield what HEAD has at paths in conflict, where the index does not say it."""
    wanted = dict.fromkeys(paths, Candidate(b""))
    listing = git.run(
        "ls-tree",
        "-r",
        "-z",
        "--full-tree",
        "HEAD",
        keep=lambda record: record.partition(b"\t")[2] in wanted,
    )
    for record in listing.split(b"\0"):
        entry, _, path = record.partition(b"\t")
        if path in wanted:
            mode, _, object_id = entry.split(b" ")
            wanted[path] = Candidate(path, mode, object_id, is_repository=mode == REPOSITORY)
    for path, one in wanted.items():
        yield one if one.path else Candidate(path)


def _read_index(git: Git) -> Iterator[Candidate]:
    """Yield the submodules, and the entries that `git status` was told to pass over."""
    listing = git.run("ls-files", "--stage", "-v", "-z", keep=_is_special)
    for record in listing.split(b"\0"):
        tag = record[:1]
        entry, _, path = record.partition(b"\t")
        if tag in (b"", b"M") or not path:
            continue
        _, mode, object_id, _ = entry.split(b" ")
        yield Candidate(
            path,
            mode,
            object_id,
            mode,
            object_id,
            is_left_out=tag in (b"S", b"s"),
            is_repository=mode == REPOSITORY,
        )


def _is_special(record: bytes) -> bool:
    return not record.startswith(b"H ") or record.startswith(REPOSITORY, 2)


def _read_untracked(git: Git) -> Iterator[bytes]:
    """Yield untracked files that are not ignored; a nested repository as its folder with a `/`."""
    excludes = [f"--exclude={pattern}" for pattern in LEFT_BY_RUNS]
    text = git.run("ls-files", "--others", "-z", "--exclude-standard", *excludes)
    yield from (path for path in text.split(b"\0") if path)
