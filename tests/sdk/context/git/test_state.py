"""What a repository's state says beyond git's own answers, and where the search ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import whence
from git_repositories import (
    QUIET,
    commit,
    git,
    make_repository,
    read_current_without_git,
    read_without_git,
    run_git,
    state_by_git,
)
from whence.sdk.context.git import GitState


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "app", commits=2)


def read(folder: Path) -> GitState:
    state = read_without_git(folder)
    assert state is not None
    return state


# --- Where the search ends ------------------------------------------------------------------------


def test_a_folder_outside_any_repository_has_no_state(tmp_path: Path):
    assert read_without_git(tmp_path) is None
    assert read_without_git(tmp_path / "not" / "there") is None


def test_a_file_stands_for_the_folder_that_it_really_lies_in(repository: Path, tmp_path: Path):
    (repository / "main.py").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "app").symlink_to(repository / "main.py")
    assert read(repository / "main.py").root == repository.resolve()
    assert read(tmp_path / "bin" / "app").root == repository.resolve()


def test_a_work_tree_whose_git_folder_is_away_does_not_answer_for_an_outer_one(repository: Path):
    inner = repository / "inner"
    inner.mkdir()
    for link in ("gitdir: /gone/away\n", "gitdir: ../.git/modules/gone\n", "gitdir:\n", "?", ""):
        (inner / ".git").write_text(link)
        assert read_without_git(inner) is None
        assert run_git(inner, "rev-parse", "HEAD").returncode != 0


def test_a_linked_work_tree_that_was_deleted_from_its_repository_has_no_state(
    repository: Path, tmp_path: Path
):
    git(repository, "worktree", "add", "-q", str(tmp_path / "side"))
    (tmp_path / "side").rename(tmp_path / "kept")
    git(repository, "worktree", "prune")
    assert read_without_git(tmp_path / "kept") is None


def test_an_empty_git_folder_is_passed_over(repository: Path):
    inner = repository / "inner"
    (inner / ".git").mkdir(parents=True)
    assert read(inner).root == repository.resolve()
    assert git(inner, "rev-parse", "--show-toplevel") == str(repository.resolve())


def test_a_bare_repository_is_no_answer_for_a_folder_in_it(tmp_path: Path):
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    assert read_without_git(tmp_path / "bare.git" / "hooks") is None


def test_a_copy_of_head_and_references_only_is_enough(repository: Path, tmp_path: Path):
    """Images are built with `COPY .git/HEAD` and `COPY .git/refs`, without the objects."""
    expected = git(repository, "rev-parse", "HEAD")
    (tmp_path / "image" / ".git" / "refs" / "heads").mkdir(parents=True)
    for name in ("HEAD", "refs/heads/main"):
        (tmp_path / "image" / ".git" / name).write_bytes((repository / ".git" / name).read_bytes())
    state = read(tmp_path / "image")
    assert (state.commit, state.branch) == (expected, "main")


# --- The variables that hooks set -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "variables"),
    [
        ("app", {"GIT_DIR": ".git"}),
        ("other", {"GIT_DIR": "{top}/app/.git"}),
        ("other", {"GIT_DIR": "{top}/app/.git", "GIT_WORK_TREE": "{top}/app"}),
        ("app/deep", {"GIT_WORK_TREE": "{top}/app/deep"}),
        ("other", {"GIT_DIR": "../linked/.git", "GIT_WORK_TREE": "../linked"}),
        ("other", {"GIT_DIR": "{top}/app/.git/worktrees/linked"}),
        ("app", {"GIT_DIR": ""}),
    ],
)
def test_git_dir_and_work_tree_hold_in_the_current_folder(
    repository: Path, tmp_path: Path, monkeypatch, start: str, variables: dict[str, str]
):
    (repository / "deep").mkdir()
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    commit(make_repository(tmp_path / "other"), "another one")
    values = {name: value.format(top=tmp_path) for name, value in variables.items()}
    monkeypatch.chdir(tmp_path / start)
    expected = state_by_git(tmp_path / start, {k: v for k, v in values.items() if v})
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    state = read_current_without_git()
    names = ("root", "git_dir", "common_dir", "commit", "branch")
    assert {name: getattr(state, name) for name in names} == {n: expected[n] for n in names}


def test_git_dir_says_nothing_of_where_a_programs_code_lies(
    repository: Path, tmp_path: Path, monkeypatch
):
    make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert read(repository).root == repository.resolve()


def test_git_dir_that_leads_nowhere_is_no_repository_as_for_git(repository: Path, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", "/gone/away")
    assert read_current_without_git() is None
    assert run_git(repository, "rev-parse", "HEAD", environ={"GIT_DIR": "/gone"}).returncode != 0


def test_a_current_folder_that_was_removed_has_no_state(tmp_path: Path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read_current_without_git() is None


def test_a_git_hook_reads_the_repository_that_it_runs_for(repository: Path, tmp_path: Path):
    hook = repository / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    code = "from whence.sdk.context.git import read_current_git as r; print(r().commit, r().root)"
    package = Path(whence.__file__).parents[1]
    hook.write_text(
        f"#!/bin/sh\nPYTHONPATH={package} exec {sys.executable} -c '{code}' > {tmp_path}/said\n"
    )
    hook.chmod(0o755)
    head = commit(repository, "with a hook")
    assert (tmp_path / "said").read_text().split() == [head, str(repository.resolve())]


# --- The branch that HEAD stands for --------------------------------------------------------------


def test_a_detached_head_names_the_branches_at_its_commit(repository: Path):
    git(repository, "checkout", "-q", "--detach")
    assert (read(repository).branch, read(repository).branches_at_head) == (None, ("main",))
    git(repository, "branch", "other")
    assert read(repository).branches_at_head == ("main", "other")


def test_a_branch_without_commits_has_its_name(tmp_path: Path):
    state = read(make_repository(tmp_path / "new", commits=0))
    assert (state.commit, state.branch, state.branches_at_head) == (None, "main", ())


@pytest.mark.parametrize("way", ["--merge", "--apply"])
def test_a_rebase_under_way_names_the_branch_that_it_rebases(repository: Path, way: str):
    commit(repository, "here", file="one\n")
    git(repository, "checkout", "-q", "-b", "feature/x", "HEAD~1")
    commit(repository, "there", file="two\n")
    assert run_git(repository, "rebase", way, "main").returncode != 0
    state = read(repository)
    assert (state.branch, state.unfinished_branch) == (None, "feature/x")
    assert state.branches_at_head == ("main",)  # where the rebase has got to
    git(repository, "rebase", "--abort")
    assert read(repository).unfinished_branch is None


def test_a_bisection_under_way_names_the_branch_that_it_set_out_from(tmp_path: Path):
    repository = make_repository(tmp_path / "app", commits=8)
    git(repository, "bisect", "start", "HEAD", "HEAD~7")
    assert read(repository).unfinished_branch == "main"
    git(repository, "bisect", "reset")
    git(repository, "checkout", "-q", "--detach")
    git(repository, "branch", "-m", "main", "moved/away")
    git(repository, "checkout", "-q", "HEAD~1")
    git(repository, "bisect", "start", "HEAD", "HEAD~5")
    assert read(repository).unfinished_branch is None


def test_a_remote_whose_name_has_slashes_is_cut_off_whole(repository: Path, tmp_path: Path):
    folder = make_repository(tmp_path / "copy", commits=0)
    git(folder, "remote", "add", "team/app", str(repository))
    git(folder, "fetch", "-q", "team/app")
    git(folder, "checkout", "-q", "team/app/main")
    assert read(folder).branches_at_head == ("main",)


# --- Owners ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_read_and_told_from_ones_own(repository: Path):
    assert read(repository).is_owned is True
    for path in [repository, *repository.rglob("*")]:
        os.chown(path, 12345, 12345)
    words = ["git", "rev-parse", "HEAD"]
    refused = subprocess.run(words, cwd=repository, env=QUIET, capture_output=True)
    assert b"dubious ownership" in refused.stderr
    state = read(repository)
    assert state.commit == git(repository, "rev-parse", "HEAD")
    assert state.is_owned is False


def test_a_repository_that_would_run_programs_gets_none_run(repository: Path, tmp_path: Path):
    trap = f"touch {tmp_path}/sprung"
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "credential.helper"):
        git(repository, "config", key, trap)
    git(repository, "config", "remote.origin.url", f"ext::sh -c {trap}")
    assert read(repository).commit == git(repository, "rev-parse", "HEAD")
    assert not (tmp_path / "sprung").exists()
