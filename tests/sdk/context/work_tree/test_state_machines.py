"""An untouched tree is never dirty, however it got here; the same edit is the same on any machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk.context.work_tree.state import measure_tree
from work_trees import clone, commit_all, make_work_tree, write

OLD_S = 946_684_800  # the year 2000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


@pytest.fixture
def use_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Set what a user's own configuration of git says, as `~/.gitconfig` does."""

    def use(**settings: str) -> dict[str, str]:
        file = tmp_path / "gitconfig"
        lines = [
            f"[{name.split('__')[0]}]\n{name.split('__')[1]} = {value}\n"
            for name, value in settings.items()
        ]
        file.write_text("".join(lines))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
        return {"GIT_CONFIG_GLOBAL": str(file)}

    return use


def is_dirty(folder: Path) -> bool | None:
    state = measure_tree(folder)
    assert state.reason is None
    return state.dirty


def hash_of(folder: Path) -> str:
    state = measure_tree(folder)
    assert state.hash, state
    return state.hash


def make_stale(folder: Path) -> None:
    """Give every file another date and another inode, as a copy has."""
    for path in sorted(folder.rglob("*")):
        if (
            ".git" not in path.relative_to(folder).parts
            and path.is_file()
            and not path.is_symlink()
        ):
            content, mode = path.read_bytes(), path.stat().st_mode
            path.unlink()
            path.write_bytes(content)
            path.chmod(mode)
            os.utime(path, (OLD_S, OLD_S))


def test_a_fresh_clone_is_clean(repository: Path, tmp_path: Path):
    assert is_dirty(clone(repository, tmp_path / "copy")) is False


def test_a_shallow_clone_is_clean_and_an_edit_has_the_same_hash_in_it(
    repository: Path, tmp_path: Path
):
    write(repository, {"lib/tools.py": "x = 2\n"})
    commit_all(repository)
    copy = clone(repository, tmp_path / "copy", "--depth", "1")
    assert is_dirty(copy) is False
    for folder in (repository, copy):
        write(folder, {"app.py": "2\n"})
    assert hash_of(copy) == hash_of(repository)


def test_touched_files_are_clean(repository: Path):
    for name in ("app.py", "lib/tools.py"):
        os.utime(repository / name, (OLD_S, OLD_S))
    assert is_dirty(repository) is False


@pytest.mark.parametrize("keep_dates", [True, False])
def test_a_copied_tree_is_clean(repository: Path, tmp_path: Path, keep_dates: bool):
    copy = tmp_path / "copied" / "here"
    shutil.copytree(repository, copy, copy_function=shutil.copy2 if keep_dates else shutil.copy)
    make_stale(copy)
    assert is_dirty(copy) is False


def test_a_tree_unpacked_from_an_archive_is_clean(repository: Path, tmp_path: Path):
    archive = tmp_path / "app.tar"
    (tmp_path / "image").mkdir()
    subprocess.run(
        ["tar", "-C", str(repository), "--mtime=@0", "-cf", str(archive), "."], check=True
    )
    subprocess.run(["tar", "-C", str(tmp_path / "image"), "-xf", str(archive)], check=True)
    assert is_dirty(tmp_path / "image") is False


def test_measuring_refreshes_nothing_in_the_repository(repository: Path):
    make_stale(repository)
    write(repository, {"app.py": "2\n"})
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    hash_of(repository)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_the_same_edit_in_two_clones_is_the_same_version(repository: Path, tmp_path: Path):
    copy = clone(repository, tmp_path / "some" / "where" / "else")
    mask = os.umask(0o077)
    try:
        write(copy, {"app.py": "2\n", "new/file.py": "1\n"})
    finally:
        os.umask(mask)
    (copy / "lib" / "tools.py").unlink()
    git(copy, "add", "--all")
    write(repository, {"new/file.py": "1\n", "app.py": "2\n"})
    (repository / "lib" / "tools.py").unlink()
    os.utime(repository / "app.py", (OLD_S, OLD_S))
    assert hash_of(copy) == hash_of(repository)


def test_the_same_edit_in_a_fresh_and_in_a_copied_tree_is_the_same_version(
    repository: Path, tmp_path: Path
):
    shutil.copytree(repository, tmp_path / "copy")
    make_stale(tmp_path / "copy")
    for folder in (repository, tmp_path / "copy"):
        write(folder, {"app.py": "2\n"})
    assert hash_of(tmp_path / "copy") == hash_of(repository)


# --- Line endings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["true", "input", "false"])
def test_a_clone_with_any_choice_of_line_endings_is_clean(
    repository: Path, tmp_path: Path, use_settings, choice: str
):
    env = use_settings(core__autocrlf=choice)
    git(tmp_path, "clone", "-q", str(repository), "copy", environ=env)
    copy = tmp_path / "copy"
    assert (b"\r\n" in (copy / "app.py").read_bytes()) == (choice == "true")
    assert is_dirty(copy) is False
    make_stale(copy)
    assert is_dirty(copy) is False


@pytest.mark.parametrize("line", ["* text=auto eol=crlf", "*.py text eol=crlf", "*.py text eol=lf"])
def test_line_endings_by_attribute_are_clean(repository: Path, tmp_path: Path, line: str):
    write(repository, {".gitattributes": line + "\n"})
    commit_all(repository)
    copy = clone(repository, tmp_path / "copy")
    assert (b"\r\n" in (copy / "app.py").read_bytes()) == ("crlf" in line)
    assert is_dirty(copy) is False
    make_stale(copy)
    assert is_dirty(copy) is False


def test_a_checkout_with_crlf_is_clean_in_a_container_without_that_setting(
    repository: Path, tmp_path: Path, use_settings
):
    git(
        tmp_path,
        "clone",
        "-q",
        str(repository),
        "copy",
        environ=use_settings(core__autocrlf="true"),
    )
    use_settings(core__autocrlf="false")
    make_stale(tmp_path / "copy")
    assert b"\r\n" in (tmp_path / "copy" / "app.py").read_bytes()
    assert is_dirty(tmp_path / "copy") is False


def test_the_same_edit_under_other_line_endings_is_the_same_version(
    repository: Path, tmp_path: Path, use_settings
):
    write(repository, {"app.py": "one\ntwo\n", "new.py": "three\n"})
    expected = hash_of(repository)
    env = use_settings(core__autocrlf="true")
    git(tmp_path, "clone", "-q", str(repository), "copy", environ=env)
    write(tmp_path / "copy", {"app.py": "one\r\ntwo\r\n", "new.py": "three\r\n"})
    assert hash_of(tmp_path / "copy") == expected
    use_settings(core__autocrlf="false")
    assert hash_of(tmp_path / "copy") == expected


@pytest.mark.parametrize("choice", ["true", "input", "false"])
def test_a_file_committed_with_crlf_is_clean_and_its_edit_alike_everywhere(
    tmp_path: Path, use_settings, choice: str
):
    repository = make_work_tree(
        tmp_path / "app", {"dos.txt": "one\r\ntwo\r\n", "mixed.txt": "a\r\nb\n"}
    )
    env = use_settings(core__autocrlf=choice)
    git(tmp_path, "clone", "-q", str(repository), "copy", environ=env)
    copy = tmp_path / "copy"
    assert is_dirty(copy) is False
    make_stale(copy)
    assert is_dirty(copy) is False
    for folder in (copy, repository):
        write(folder, {"dos.txt": "one\r\nTWO\r\n"})
    changed = hash_of(copy)
    use_settings(core__autocrlf="false")
    assert hash_of(repository) == changed


def test_a_file_committed_with_crlf_that_is_staged_and_taken_back_is_clean(
    tmp_path: Path, use_settings
):
    repository = make_work_tree(tmp_path / "app", {"dos.txt": "one\r\n"})
    use_settings(core__autocrlf="true")
    write(repository, {"dos.txt": "two\r\n"})
    git(repository, "add", "dos.txt")
    write(repository, {"dos.txt": "one\r\n"})
    assert is_dirty(repository) is False


@pytest.mark.parametrize("eol", ["lf", "crlf"])
def test_an_attribute_that_came_after_the_commit_leaves_a_fresh_clone_clean(
    tmp_path: Path, eol: str
):
    files = {"dos.txt": "one\r\ntwo\r\n", "mixed.txt": "a\r\nb\n", "unix.txt": "a\n"}
    repository = make_work_tree(tmp_path / "app", files)
    write(repository, {".gitattributes": f"*.txt text eol={eol}\n"})
    git(repository, "add", ".gitattributes")
    git(repository, "commit", "-q", "-m", "not renormalised")
    copy = clone(repository, tmp_path / "copy")
    make_stale(copy)
    assert git(copy, "status", "--porcelain")  # git's own word is that the clone is modified
    assert is_dirty(copy) is False


def test_other_line_ends_alone_are_no_edit(tmp_path: Path):
    files = {"dos.txt": "one\r\ntwo\r\n", "unix.txt": "one\ntwo\n"}
    repository = make_work_tree(tmp_path / "app", files)
    write(repository, {"dos.txt": "one\ntwo\n", "unix.txt": "one\r\ntwo\r\n"})
    assert is_dirty(repository) is False
    write(repository, {"dos.txt": "one\ntwo\nthree\n"})
    assert measure_tree(repository).changes == 1


def test_bytes_that_are_no_text_are_compared_as_they_are(repository: Path):
    write(repository, {"image.bin": b"\0\r\n"})
    commit_all(repository)
    write(repository, {"image.bin": b"\0\n"})
    assert is_dirty(repository) is True


def test_a_content_filter_of_the_users_own_is_applied(repository: Path, use_settings):
    write(repository, {".gitattributes": "*.txt filter=upper\n"})
    env = use_settings()
    Path(env["GIT_CONFIG_GLOBAL"]).write_text(
        '[filter "upper"]\nclean = tr a-z A-Z\nsmudge = tr A-Z a-z\n'
    )
    write(repository, {"note.txt": "hello\n"})
    git(repository, "add", "--all", environ=env)
    git(repository, "commit", "-q", "-m", "filtered", environ=env)
    assert git(repository, "show", "HEAD:note.txt") == "HELLO"
    make_stale(repository)
    assert is_dirty(repository) is False


# --- What git was told not to look at ---------------------------------------------------------------


def test_a_sparse_checkout_is_clean_and_an_edit_has_the_same_hash_in_it(
    repository: Path, tmp_path: Path
):
    copy = clone(repository, tmp_path / "copy")
    git(copy, "sparse-checkout", "set", "--no-cone", "/app.py")
    assert not (copy / "lib").exists()
    assert is_dirty(copy) is False
    for folder in (copy, repository):
        write(folder, {"app.py": "2\n"})
    assert hash_of(copy) == hash_of(repository)


def test_a_sparse_index_is_clean(repository: Path, tmp_path: Path):
    write(repository, {"a/b/c.py": "1\n", "d/e.py": "1\n"})
    commit_all(repository)
    copy = clone(repository, tmp_path / "copy")
    git(copy, "sparse-checkout", "set", "--cone", "--sparse-index", "lib")
    assert is_dirty(copy) is False


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_mark_that_hides_a_file_from_git_hides_no_edit(repository: Path, flag: str):
    git(repository, "update-index", flag, "app.py")
    assert is_dirty(repository) is False
    make_stale(repository)
    assert is_dirty(repository) is False
    write(repository, {"app.py": "2\n"})
    hidden = hash_of(repository)
    git(repository, "update-index", flag.replace("--", "--no-"), "app.py")
    assert hash_of(repository) == hidden


def test_a_hidden_file_staged_otherwise_is_compared_with_head(repository: Path):
    write(repository, {"app.py": "2\n"})
    git(repository, "add", "app.py")
    git(repository, "update-index", "--assume-unchanged", "app.py")
    assert is_dirty(repository) is True
    write(repository, {"app.py": "print('hello')\n"})
    assert is_dirty(repository) is False


def test_a_partial_clone_is_measured_without_fetching(repository: Path, tmp_path: Path):
    git(repository, "config", "uploadpack.allowFilter", "true")
    copy = clone(repository, tmp_path / "copy", "--filter=blob:none")
    shutil.rmtree(repository)
    assert is_dirty(copy) is False
    write(copy, {"app.py": "2\n"})
    assert is_dirty(copy) is True
