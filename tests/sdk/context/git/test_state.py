"""`.git` is read as the real git program wrote it."""

from __future__ import annotations

import doctest
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.otlp import repository_url
from whence.otlp.repository_url import strip_credentials
from whence.sdk.context.git import GitState, name_branch, read_git
from whence.sdk.context.git.config import find_remote_url, parse_config

QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "PATH": os.environ["PATH"],
}


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", *words]
    done = subprocess.run(
        command, cwd=folder, env=QUIET, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def make_repository(folder: Path, commits: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for number in range(commits):
        git(folder, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "app")


def read(folder: Path) -> GitState:
    state = read_git(folder)
    assert state is not None
    return state


def test_commit_and_branch_are_read_from_any_folder_of_the_work_tree(repository: Path):
    deep = repository / "src" / "deep"
    deep.mkdir(parents=True)
    state = read(deep)
    assert state.commit == git(repository, "rev-parse", "HEAD")
    assert state.branch == "main"
    assert state.url is None
    assert state.root == repository.resolve()


def test_a_folder_outside_any_repository_has_no_state(tmp_path: Path):
    assert read_git(tmp_path) is None
    assert read_git(tmp_path / "not" / "there") is None


def test_packed_references_are_read(repository: Path):
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    assert read(repository).commit == git(repository, "rev-parse", "HEAD")


def test_a_loose_reference_hides_the_packed_one(repository: Path):
    git(repository, "pack-refs", "--all")
    git(repository, "commit", "-q", "--allow-empty", "-m", "later")
    assert read(repository).commit == git(repository, "rev-parse", "HEAD")


def test_a_branch_name_may_hold_slashes_and_other_letters(repository: Path):
    git(repository, "checkout", "-q", "-b", "feature/größe")
    assert read(repository).branch == "feature/größe"


def test_a_repository_without_commits_has_a_branch_and_no_commit(tmp_path: Path):
    state = read(make_repository(tmp_path / "new", commits=0))
    assert (state.commit, state.branch) == (None, "main")


def test_a_detached_head_at_a_single_branch_names_it(repository: Path):
    git(repository, "checkout", "-q", "--detach")
    state = read(repository)
    assert state.commit == git(repository, "rev-parse", "HEAD")
    assert (state.is_detached, state.branch) == (True, None)
    assert state.branches_at_head == ("main",)
    assert name_branch(state) == "main"


def test_a_detached_head_at_two_branches_or_none_has_no_branch(repository: Path):
    git(repository, "branch", "other")
    git(repository, "checkout", "-q", "--detach")
    assert read(repository).branches_at_head == ("main", "other")
    assert name_branch(read(repository)) is None
    git(repository, "branch", "-D", "other")
    git(repository, "commit", "-q", "--allow-empty", "-m", "away")
    assert read(repository).branches_at_head == ()
    assert name_branch(read(repository)) is None
    assert read(repository).commit == git(repository, "rev-parse", "HEAD")


def test_a_detached_clone_names_the_only_remote_branch(repository: Path, tmp_path: Path):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "-q", "--detach")
    git(clone, "branch", "-D", "main")
    assert read(clone).branches_at_head == ("main",)


def test_a_linked_work_tree_has_its_own_head_and_the_shared_rest(repository: Path, tmp_path: Path):
    git(repository, "remote", "add", "origin", "https://example.com/team/app.git")
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "on the side")
    state = read(tmp_path / "side")
    assert state.branch == "side"
    assert state.commit == git(tmp_path / "side", "rev-parse", "HEAD")
    assert state.commit != read(repository).commit
    assert state.url == "https://example.com/team/app.git"
    git(repository, "pack-refs", "--all")
    assert read(tmp_path / "side").commit == state.commit


def test_a_submodule_answers_for_itself(repository: Path, tmp_path: Path):
    library = make_repository(tmp_path / "library", commits=2)
    git(repository, "submodule", "--quiet", "add", str(library), "vendor/library")
    state = read(repository / "vendor" / "library")
    assert state.commit == git(library, "rev-parse", "HEAD")
    assert state.commit != read(repository).commit
    assert state.url == str(library)
    assert state.root == (repository / "vendor" / "library").resolve()


def test_a_relative_gitdir_file_is_followed(repository: Path):
    elsewhere = repository.parent / "elsewhere.git"
    (repository / ".git").rename(elsewhere)
    (repository / ".git").write_text("gitdir: ../elsewhere.git\n")
    assert read(repository).commit == git(repository, "rev-parse", "HEAD")


def test_a_work_tree_whose_git_folder_is_away_does_not_answer_for_an_outer_one(repository: Path):
    inner = repository / "inner"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: /gone/away\n")
    assert read_git(inner) is None


def test_an_empty_git_folder_is_passed_over(repository: Path):
    inner = repository / "inner"
    (inner / ".git").mkdir(parents=True)
    assert read(inner).root == repository.resolve()


def test_a_repository_with_sha256_ids_is_read(tmp_path: Path):
    folder = tmp_path / "wide"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--object-format=sha256")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    commit = read(folder).commit
    assert len(commit) == 64
    assert commit == git(folder, "rev-parse", "HEAD")


def test_origin_is_preferred_and_else_the_first_remote(repository: Path):
    git(repository, "remote", "add", "fork", "https://example.com/ann/app")
    assert read(repository).url == "https://example.com/ann/app"
    git(repository, "remote", "add", "origin", "git@example.com:team/app.git")
    assert read(repository).url == "git@example.com:team/app.git"


def test_credentials_never_leave_the_configuration(repository: Path):
    git(repository, "remote", "add", "origin", "https://ann:s3cr3t@example.com/team/app.git")
    assert read(repository).url == "https://example.com/team/app.git"


@pytest.mark.parametrize(
    "name", ["HEAD", "config", "packed-refs", "refs/heads/main", "commondir", "refs"]
)
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"ref: refs/heads/../../../secret", b"x" * 100_000]
)
def test_a_broken_file_raises_nothing(repository: Path, name: str, content: bytes):
    commit = read(repository).commit
    path = repository / ".git" / name
    if path.is_dir():
        for child in sorted(path.rglob("*"), reverse=True):
            child.rmdir() if child.is_dir() else child.unlink()
        path.rmdir()
    path.write_bytes(content)
    state = read_git(repository)
    assert state is None or state.commit in (None, commit)
    assert state is None or "" not in (state.commit, state.branch, state.url)


def test_references_that_go_in_a_circle_end(repository: Path):
    heads = repository / ".git" / "refs" / "heads"
    (heads / "main").write_text("ref: refs/heads/other\n")
    (heads / "other").write_text("ref: refs/heads/main\n")
    state = read(repository)
    assert (state.commit, state.branch) == (None, "main")


def test_a_named_pipe_in_place_of_a_file_does_not_block(repository: Path):
    (repository / ".git" / "config").unlink()
    os.mkfifo(repository / ".git" / "config")
    assert read(repository).url is None


def test_a_head_in_the_reftable_format_is_unknown(repository: Path):
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")
    state = read(repository)
    assert (state.commit, state.branch) == (None, None)


def test_the_configuration_is_read_as_git_reads_it(repository: Path):
    config = repository / ".git" / "config"
    config.write_text(
        '[remote "or\\"igin"] ; a comment\n'
        '\turl = "https://example.com/a b" # cut\n'
        "[core]\n\tbare\n\tNAME = two \\\n  lines  \n"
        "[remote.old]\nurl=https://example.com/x;y\n"
        '[Branch "Main"]\n\tdescription = tab\\there "; kept " end\n'
    )  # fmt: skip
    ours = {
        ".".join(filter(None, (section, subsection, key))): value
        for section, subsection, key, value in parse_config(config.read_text())
    }
    listed = subprocess.run(
        ["git", "config", "--file", str(config), "--list", "-z"],
        capture_output=True,
        text=True,
        check=True,
        env=QUIET,
    ).stdout
    theirs = dict((*entry.split("\n", 1), "")[:2] for entry in listed.split("\0") if entry)
    assert ours == theirs


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://ann@example.com/a/b", "https://example.com/a/b"),
        ("https://ghp_token@example.com:8443/a/b", "https://example.com:8443/a/b"),
        ("https://ann:p@ss/w@rd@example.com/a/b", "https://example.com/a/b"),
        ("https://ann:pa/ss@example.com/a", "https://example.com/a"),
        ("https://example.com/@scope/name", "https://example.com/@scope/name"),
        ("https://example.com:8443/@scope/name", "https://example.com:8443/@scope/name"),
        ("https://example.com/a?private_token=x#y", "https://example.com/a"),
        ("http://:token@example.com/a", "http://example.com/a"),
        ("ssh://git@example.com:22/a", "ssh://git@example.com:22/a"),
        ("ssh://git:secret@example.com/a", "ssh://git@example.com/a"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("example.com:a/b.git", "example.com:a/b.git"),
        ("ann:token@example.com:a/b.git", "example.com:a/b.git"),
        ("ann:to@ken@example.com:a/b", "example.com:a/b"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ("../other", "../other"),
        ("file:///srv/git/a", "file:///srv/git/a"),
        ("codecommit::eu-west-1://profile@app", "codecommit::eu-west-1://app"),
        ("", ""),
    ],
)
def test_an_address_keeps_what_is_public_and_loses_the_rest(url: str, clean: str):
    assert strip_credentials(url) == clean


WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(user=WORD, secret=WORD)
def test_no_password_survives_in_any_form(user: str, secret: str):
    marked = f"SECRET{secret}SECRET"
    for url in (
        f"https://{user}:{marked}@example.com/a/b",
        f"https://x:{marked}@example.com",
        f"ssh://{user}:{marked}@example.com/a",
    ):
        assert "SECRET" not in strip_credentials(url)


@given(st.text())
def test_any_text_is_read_as_a_configuration(text: str):
    find_remote_url(parse_config(text))
    strip_credentials(text)


def test_the_examples_of_addresses_are_true():
    assert doctest.testmod(repository_url).failed == 0
