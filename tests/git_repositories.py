"""Make repositories with the real git program, and ask it about them.

`read_without_git` calls the code under test with an empty PATH and fails if it starts a program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from whence.otlp.repository_url import strip_credentials
from whence.sdk.context.git import GitState, read_current_git, read_git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_EDITOR": "true",
    "HOME": os.devnull,
    "PATH": os.environ["PATH"],
}
SETTINGS = ("-c", "protocol.file.allow=always", "-c", "safe.directory=*")
PROGRAM_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
_reading = [False]


def _refuse_programs(event: str, _details: tuple) -> None:
    if _reading[0] and event in PROGRAM_STARTS:
        raise AssertionError(f"the reading of .git started a program: {event}")


sys.addaudithook(_refuse_programs)


def run_git(folder: Path, *words: str, environ: dict[str, str] | None = None, **options):
    """Run git in a folder and return what it wrote, as bytes, with its exit code."""
    return subprocess.run(
        ["git", *SETTINGS, *words],
        cwd=folder,
        env={**QUIET, **(environ or {})},
        capture_output=True,
        **options,
    )


def git(folder: Path, *words: str, **options) -> str:
    """Run git in a folder and return its answer; a refusal fails the test with git's words."""
    done = run_git(folder, *words, **options)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode('utf-8', 'replace')}"
    return done.stdout.decode("utf-8", "surrogateescape").strip("\n")


def make_repository(folder: Path, *options: str, commits: int = 1) -> Path:
    """Make a repository whose branch is `main`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", *options)
    for number in range(commits):
        commit(folder, f"commit {number}")
    return folder


def commit(folder: Path, message: str, **files: str) -> str:
    """Commit the files, or nothing, and return the commit."""
    for name, text in files.items():
        (folder / name).write_text(text)
        git(folder, "add", name)
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@cache
def git_version() -> tuple[int, ...]:
    """Return the installed git's version, such as (2, 39, 5)."""
    words = git(Path.cwd(), "version").split()[2].split(".")
    return tuple(int(word) for word in words[:3] if word.isdecimal())


@contextmanager
def with_reftables() -> Iterator[None]:
    """Let every repository that git makes, also a clone or a submodule, have reftables."""
    QUIET["GIT_DEFAULT_REF_FORMAT"] = "reftable"
    try:
        yield
    finally:
        del QUIET["GIT_DEFAULT_REF_FORMAT"]


@contextmanager
def without_programs() -> Iterator[None]:
    """Empty PATH and refuse every start of a program."""
    path = os.environ["PATH"]
    os.environ["PATH"] = ""
    _reading[0] = True
    try:
        yield
    finally:
        _reading[0] = False
        os.environ["PATH"] = path


def read_without_git(folder: Path) -> GitState | None:
    with without_programs():
        return read_git(folder)


def read_current_without_git() -> GitState | None:
    with without_programs():
        return read_current_git()


def state_by_git(folder: Path, environ: dict[str, str] | None = None) -> dict[str, object]:
    """Return what git says of the repository of a folder, under the names of `GitState`."""

    def ask(*words: str) -> str | None:
        done = run_git(folder, *words, environ=environ)
        answer = done.stdout.decode("utf-8", "replace").strip("\n")
        return answer or None if done.returncode == 0 else None

    def ask_path(*words: str) -> Path:
        answer = run_git(folder, *words, environ=environ).stdout.strip(b"\n")
        return (folder / os.fsdecode(answer)).resolve()

    commit_id = ask("rev-parse", "-q", "--verify", "HEAD")
    full_name = ask("symbolic-ref", "-q", "HEAD")
    branch = full_name.removeprefix("refs/heads/") if full_name else None
    url = ask("remote", "get-url", "origin") or _first_url(ask)
    return {
        "root": ask_path("rev-parse", "--show-toplevel"),
        "git_dir": ask_path("rev-parse", "--absolute-git-dir"),
        "common_dir": ask_path("rev-parse", "--git-common-dir"),
        "commit": commit_id,
        "branch": branch,
        "url": strip_credentials(url) if url else None,
        "is_detached": full_name is None and commit_id is not None,
        "branches_at_head": _branches_by_git(ask, branch, commit_id),
        "tag_at_head": _tag_by_git(ask, commit_id) if commit_id else None,
        "object_format": ask("rev-parse", "--show-object-format"),
        "is_shallow": ask("rev-parse", "--is-shallow-repository") == "true",
    }


def _first_url(ask: Callable[..., str | None]) -> str | None:
    names = (ask("config", "--get-regexp", r"^remote\..*\.url$") or "").splitlines()
    return names[0].split(" ", 1)[1] if names else None


def _branches_by_git(
    ask: Callable[..., str | None], branch: str | None, commit_id: str | None
) -> tuple[str, ...]:
    if commit_id is None:
        return ()
    if branch is not None:
        return (branch,)
    for kind, parts in (("refs/heads", 2), ("refs/remotes", 3)):
        form = f"%(symref)%(refname:lstrip={parts})"
        lines = ask("for-each-ref", "--points-at=HEAD", f"--format={form}", kind) or ""
        names = {line for line in lines.splitlines() if not line.startswith("refs/")}
        if names:
            return tuple(sorted(names))
    return ()


def _tag_by_git(ask: Callable[..., str | None], commit_id: str) -> str | None:
    lines = ask("for-each-ref", "--format=%(objecttype) %(refname)", "refs/tags") or ""
    found = [line.split(" ", 1) for line in lines.splitlines()]
    at_head = [
        (kind, name.removeprefix("refs/tags/"))
        for kind, name in found
        if ask("rev-parse", "-q", "--verify", name + "^{commit}") == commit_id
    ]
    for wanted in ("tag", "commit"):
        names = [name for kind, name in at_head if kind == wanted]
        if names:
            return names[0] if len(names) == 1 else None
    return None
