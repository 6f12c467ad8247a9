"""Measuring a work tree harms nothing, runs nobody's programs and ends in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk import diagnostics
from whence.sdk.context.work_tree.git_program import GitError
from whence.sdk.context.work_tree.state import (
    Limits,
    TreeState,
    measure_tree,
    open_git,
    read_limits,
)
from work_trees import clone, commit_all, make_work_tree, write

NOBODY = 65534
NO_MOUNTS = 77
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def hostile(tmp_path: Path, marker: Path) -> Path:
    """A program that leaves a mark when anything starts it."""
    return make_program(tmp_path / "hostile", f"touch {marker}\ncat\n")


def give_away(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def make_program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)
    return path


def test_without_a_git_program_the_state_is_unknown(repository: Path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    state = measure_tree(repository)
    assert (state.dirty, state.hash) == (None, None)
    assert state.reason == "no git program on PATH; install git to have it looked at"


def test_a_git_program_that_hangs_is_killed_with_its_children(
    repository: Path, tmp_path: Path, monkeypatch
):
    pids = tmp_path / "pids"
    make_program(tmp_path / "bin" / "git", f"sleep 600 &\necho $$ $! > {pids}\nwait\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    state = measure_tree(repository, limits=Limits(timeout_s=2.0))
    assert (state.dirty, state.reason) == (
        None,
        "took longer than 2 s; WHENCE_DIRTY_TIMEOUT_S allows more",
    )
    assert 2.0 <= state.duration_s < 10.0
    parent, child = (int(word) for word in pids.read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(parent, 0)
    assert not is_running(child)


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_git_program_that_hangs_does_not_outlive_the_program(
    repository: Path, tmp_path: Path, end: str
):
    pids = tmp_path / "pids"
    make_program(tmp_path / "bin" / "git", f"sleep 600 &\necho $$ $! > {pids}\nwait\n")
    code = (
        "import os, signal, time, whence\n"
        "@whence.trace\ndef f(): pass\nf()\n"
        f"while not os.path.exists({str(pids)!r}): time.sleep(0.01)\n{end}"
    )
    write(repository, {"run.py": code})
    environ = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "WHENCE_URL": str(tmp_path / "s"),
    }
    subprocess.run([sys.executable, "run.py"], cwd=repository, env=environ, timeout=60)
    assert not any(is_running(int(pid)) for pid in pids.read_text().split())


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_git_prints_without_end_is_bounded(repository: Path, tmp_path: Path, monkeypatch):
    make_program(tmp_path / "bin" / "git", "exec yes\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    git_program = open_git(repository, is_trusted=False, limits=Limits())
    assert len(git_program.run("status", max_bytes=1 << 20, may_cut=True)) == 1 << 20
    with pytest.raises(GitError, match="git printed more than 1,048,576 bytes"):
        git_program.run("status", max_bytes=1 << 20)


@pytest.mark.parametrize(
    "setting", ["core.fsmonitor", "core.sshCommand", "diff.external", "core.pager", "core.askPass"]
)
def test_no_program_of_the_repositorys_configuration_is_run(
    repository: Path, hostile: Path, marker: Path, setting: str
):
    git(repository, "config", setting, str(hostile))
    write(repository, {"app.py": "2\n"})
    assert measure_tree(repository, is_trusted=True).dirty is True
    assert not marker.exists()


def test_no_hook_is_run(repository: Path, hostile: Path, marker: Path):
    for name in ("post-index-change", "fsmonitor-watchman", "post-checkout", "query-watchman"):
        make_program(repository / ".git" / "hooks" / name, f"touch {marker}\n")
    write(repository, {"app.py": "2\n"})
    assert measure_tree(repository, is_trusted=True).dirty is True
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["clean", "process"])
def test_a_repositorys_own_filter_is_not_run_where_the_code_lies_elsewhere(
    repository: Path, hostile: Path, marker: Path, kind: str
):
    git(repository, "config", f"filter.mine.{kind}", str(hostile))
    write(repository, {".gitattributes": "* filter=mine\n", "app.py": "2\n"})
    state = measure_tree(repository)
    assert (state.dirty, state.hash) == (None, None)
    assert f"filter.mine.{kind}" in state.reason
    assert not marker.exists()


def add_filter(folder: Path, program: Path) -> None:
    """Make a repository whose edit is seen through a program of its own."""
    write(folder, {".gitattributes": "*.txt filter=mine\n", "note.txt": "a\n"})
    commit_all(folder)
    write(folder, {"note.txt": "b\n"})
    git(folder, "config", "filter.mine.clean", str(program))


@pytest.mark.parametrize("is_added", [False, True])
@pytest.mark.parametrize("is_strange", [False, pytest.param(True, marks=needs_root)])
def test_a_repository_that_just_lies_in_the_tree_runs_nothing(
    repository: Path, hostile: Path, marker: Path, is_added: bool, is_strange: bool
):
    nested = make_work_tree(repository / "data" / "archive")
    add_filter(nested, hostile)
    if is_added:
        git(repository, "add", "data")
    if is_strange:
        give_away(nested)
    state = measure_tree(repository, is_trusted=True)
    assert (state.dirty, state.hash) == (True, None)
    assert "(in data/archive)" in state.reason
    assert not marker.exists()


def test_a_git_file_that_leads_out_of_the_repository_runs_nothing(
    repository: Path, tmp_path: Path, hostile: Path, marker: Path
):
    nested = make_work_tree(repository / "nested")
    add_filter(nested, hostile)
    (nested / ".git").rename(tmp_path / "elsewhere.git")
    write(nested, {".git": f"gitdir: {tmp_path / 'elsewhere.git'}\n"})
    assert measure_tree(repository, is_trusted=True).hash is None
    assert not marker.exists()


def test_a_submodule_of_the_programs_repository_shares_its_trust(repository: Path, tmp_path: Path):
    library = make_work_tree(tmp_path / "library")
    git(repository, "submodule", "--quiet", "add", str(library), "library")
    commit_all(repository)
    add_filter(repository / "library", make_program(tmp_path / "upper", "tr a-z A-Z\n"))
    state = measure_tree(repository, is_trusted=True)
    assert state.hash, state
    assert measure_tree(repository).hash is None


def test_the_programs_own_repository_may_filter(repository: Path):
    git(repository, "config", "filter.upper.clean", "tr a-z A-Z")
    write(repository, {".gitattributes": "*.txt filter=upper\n", "note.txt": "hello\n"})
    commit_all(repository)
    write(repository, {"note.txt": "HELLO\n"})
    assert measure_tree(repository, is_trusted=True).dirty is False


def test_a_work_tree_that_points_elsewhere_is_not_searched(repository: Path, tmp_path: Path):
    elsewhere = make_work_tree(tmp_path / "elsewhere", {"secret.py": "1\n"})
    git(repository, "config", "core.worktree", str(elsewhere))
    state = measure_tree(repository)
    assert state.dirty is None
    assert "elsewhere" in state.reason


def test_missing_objects_are_not_fetched(repository: Path, tmp_path: Path, marker: Path):
    git(repository, "config", "uploadpack.allowFilter", "true")
    copy = clone(repository, tmp_path / "copy", "--filter=blob:none")
    fetching = make_program(tmp_path / "upload-pack", f"touch {marker}\nexit 1\n")
    git(copy, "config", "remote.origin.uploadpack", str(fetching))
    git(copy, "config", "protocol.file.allow", "always")
    write(copy, {"app.py": "two\r\n"})
    assert measure_tree(copy, is_trusted=True).dirty is True
    git(copy, "config", "core.autocrlf", "input")
    assert measure_tree(copy, is_trusted=True).dirty is True
    assert not marker.exists()


# --- Another user's repository ----------------------------------------------------------------------


@needs_root
def test_another_users_repository_is_unknown_and_says_how_to_mend_it(repository: Path):
    give_away(repository)
    state = measure_tree(repository)
    assert (state.dirty, state.hash) == (None, None)
    assert "belongs to another user" in state.reason
    assert f"git config --global --add safe.directory {repository}" in state.reason


@needs_root
def test_another_users_repository_whose_code_is_running_is_measured(repository: Path):
    write(repository, {"app.py": "2\n"})
    expected = measure_tree(repository).hash
    give_away(repository)
    state = measure_tree(repository, is_trusted=True)
    assert (state.dirty, state.hash) == (True, expected)


@needs_root
def test_a_repository_that_the_user_called_safe_is_measured(
    repository: Path, tmp_path: Path, monkeypatch
):
    give_away(repository)
    write(tmp_path, {"gitconfig": f"[safe]\ndirectory = {repository}\n"})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert measure_tree(repository).dirty is False


@needs_root
def test_a_file_system_that_can_not_be_written_is_no_hindrance(repository: Path):
    write(repository, {"app.py": "2\n"})
    expected = measure_tree(repository).hash
    program = (
        "from whence.sdk.context.work_tree.state import measure_tree; "
        f'print(measure_tree("{repository}").hash)'
    )
    command = (
        f"mount --bind {repository} {repository} && mount -o remount,ro,bind {repository} "
        f"&& ! touch {repository}/x 2>/dev/null || exit {NO_MOUNTS}; "
        f"exec {sys.executable} -c '{program}'"
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True)
    if done.returncode == NO_MOUNTS or done.stderr.startswith("unshare:"):
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


# --- Beside other programs --------------------------------------------------------------------------


def test_a_git_that_holds_the_index_is_no_hindrance(repository: Path):
    (repository / ".git" / "index.lock").touch()
    write(repository, {"app.py": "2\n"})
    assert measure_tree(repository).hash


def test_the_variables_of_a_git_hook_do_not_mislead(repository: Path, tmp_path: Path, monkeypatch):
    other = make_work_tree(tmp_path / "other")
    write(other, {"app.py": "2\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_PREFIX", "lib/")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    assert measure_tree(repository).dirty is False


def test_a_program_that_ignores_the_end_of_its_children_gets_no_wrong_answer(repository: Path):
    code = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from whence.sdk.context.work_tree.state import measure_tree\n"
        f"state = measure_tree({str(repository)!r}); print(state.dirty, state.reason)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None the program's own handling of SIGCHLD")


# --- Limits -----------------------------------------------------------------------------------------


def bounded(repository: Path, **limits: float) -> TreeState:
    return measure_tree(repository, limits=Limits(**limits))


def test_too_many_files_are_dirty_without_a_hash(repository: Path):
    write(repository, {"new.py": "1\n", **{f"data/{number}.csv": "1\n" for number in range(3)}})
    assert bounded(repository, max_files=4).hash
    state = bounded(repository, max_files=3)
    assert (state.dirty, state.hash) == (True, None)
    assert state.reason == (
        "more than 3 files to look at, most of them in 'data': commit it, or name it in .gitignore"
    )


def test_too_many_bytes_are_dirty_without_a_hash(repository: Path):
    with (repository / "model.bin").open("wb") as file:
        file.truncate(3 << 20)
    assert bounded(repository, max_bytes=3 << 20).hash
    state = bounded(repository, max_bytes=2 << 20)
    assert (state.dirty, state.hash) == (True, None)
    assert state.reason.startswith("more than 2 MiB to read, most of them in 'model.bin'")


def test_what_may_be_no_change_is_unknown_beyond_the_limits(repository: Path):
    write(repository, {"app.py": "2\n"})
    git(repository, "add", "app.py")
    write(repository, {"app.py": "print('hello')\n"})
    assert bounded(repository, max_files=0).dirty is None


def test_no_time_is_unknown(repository: Path):
    state = bounded(repository, timeout_s=0.0)
    assert (state.dirty, state.reason) == (
        None,
        "took longer than 0 s; WHENCE_DIRTY_TIMEOUT_S allows more",
    )


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_can_not_be_read_leaves_no_hash(repository: Path):
    write(repository, {"new.py": "1\n"})
    (repository / "new.py").chmod(0)
    state = measure_tree(repository)
    assert (state.dirty, state.hash) == (True, None)


def test_the_time_is_taken_from_the_environment(monkeypatch):
    diagnostics.reset()
    monkeypatch.setenv("WHENCE_DIRTY_TIMEOUT_S", "0.5")
    assert read_limits() == Limits(timeout_s=0.5)
    for wrong in ("soon", "-1", "inf", "nan"):
        monkeypatch.setenv("WHENCE_DIRTY_TIMEOUT_S", wrong)
        assert read_limits() == Limits()
    assert diagnostics.counts["bad_settings"] == 4
    diagnostics.reset()
