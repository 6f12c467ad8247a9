"""Work trees for tests: files written, committed and cloned with the real git program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_repositories import git

if TYPE_CHECKING:
    from pathlib import Path

Files = dict[str, "str | bytes"]


def write(folder: Path, files: Files) -> Path:
    """Write the files below a folder, byte for byte."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def commit_all(folder: Path) -> str:
    """Commit everything that lies there, ignored or not."""
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "-q", "--allow-empty", "-m", "a commit")
    return git(folder, "rev-parse", "HEAD")


def make_work_tree(folder: Path, files: Files | None = None, *options: str) -> Path:
    """Make a repository with one commit of these files, or of two small modules."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", *options)
    write(
        folder,
        {"app.py": "print('hello')\n", "lib/tools.py": "x = 1\n"} if files is None else files,
    )
    commit_all(folder)
    return folder


def clone(source: Path, target: Path, *options: str) -> Path:
    """Clone a repository by the road that a remote one would take."""
    git(source.parent, "clone", "-q", "--no-local", *options, str(source), str(target))
    return target
