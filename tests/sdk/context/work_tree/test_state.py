"""A dirty work tree has a hash of its own; the same edit has the same hash everywhere."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk.context.work_tree.state import TreeState, measure_tree
from work_trees import clone, commit_all, make_work_tree, write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


def hash_of(folder: Path) -> str:
    state = measure_tree(folder)
    assert state.dirty is True, state
    assert state.reason is None
    assert re.fullmatch(r"[0-9a-f]{40}", state.hash)
    return state.hash


def test_a_fresh_commit_is_clean_and_has_no_hash(repository: Path):
    state = measure_tree(repository)
    assert (state.dirty, state.hash, state.reason, state.changes) == (False, None, None, 0)
    assert 0 < state.duration_s < 8


def test_a_changed_file_makes_the_tree_dirty(repository: Path):
    write(repository, {"app.py": "print('bye')\n"})
    assert hash_of(repository)
    assert measure_tree(repository).changes == 1


def test_two_edits_on_one_commit_have_two_hashes(repository: Path):
    write(repository, {"app.py": "print('one')\n"})
    one = hash_of(repository)
    write(repository, {"app.py": "print('two')\n"})
    assert hash_of(repository) != one


def test_a_new_untracked_file_counts_and_so_does_its_name_and_content(repository: Path):
    write(repository, {"new.py": "1\n"})
    one = hash_of(repository)
    write(repository, {"new.py": "2\n"})
    two = hash_of(repository)
    (repository / "new.py").rename(repository / "other.py")
    assert len({one, two, hash_of(repository)}) == 3


def test_an_ignored_file_does_not_count(repository: Path):
    write(repository, {".gitignore": "*.data\n"})
    commit_all(repository)
    write(repository, {"big.data": "1\n", "sub/more.data": "2\n"})
    assert measure_tree(repository).dirty is False


def test_an_ignored_file_that_is_tracked_counts(repository: Path):
    write(repository, {".gitignore": "*.data\n", "in.data": "1\n"})
    commit_all(repository)
    write(repository, {"in.data": "2\n"})
    assert hash_of(repository)


def test_a_deleted_file_counts_staged_or_not(repository: Path):
    (repository / "app.py").unlink()
    unstaged = hash_of(repository)
    git(repository, "add", "--all")
    assert hash_of(repository) == unstaged


def test_staging_makes_no_difference(repository: Path):
    write(repository, {"app.py": "print('bye')\n", "new.py": "1\n"})
    unstaged = hash_of(repository)
    git(repository, "add", "--intent-to-add", "new.py")
    assert hash_of(repository) == unstaged
    git(repository, "add", "--all")
    assert hash_of(repository) == unstaged


def test_what_is_staged_and_then_taken_back_in_the_file_is_clean(repository: Path):
    write(repository, {"app.py": "print('bye')\n"})
    git(repository, "add", "app.py")
    write(repository, {"app.py": "print('hello')\n"})
    assert measure_tree(repository).dirty is False


def test_a_file_taken_out_of_the_index_that_still_lies_there_is_clean(repository: Path):
    git(repository, "rm", "-q", "--cached", "app.py")
    assert measure_tree(repository).dirty is False
    write(repository, {".git/info/exclude": "app.py\n"})
    assert measure_tree(repository).dirty is False


def test_a_staged_new_file_that_is_deleted_again_is_clean(repository: Path):
    write(repository, {"new.py": "1\n"})
    git(repository, "add", "new.py")
    (repository / "new.py").unlink()
    assert measure_tree(repository).dirty is False


def test_the_executable_bit_counts(repository: Path):
    (repository / "app.py").chmod(0o755)
    assert hash_of(repository)


def test_other_permissions_do_not_count(repository: Path):
    (repository / "app.py").chmod(0o600)
    assert measure_tree(repository).dirty is False
    write(repository, {"new.py": "1\n"})
    one = hash_of(repository)
    (repository / "new.py").chmod(0o664)
    assert hash_of(repository) == one


def test_modes_do_not_count_where_the_repository_says_so(repository: Path):
    git(repository, "config", "core.fileMode", "false")
    for path in (repository / "app.py", repository / "lib" / "tools.py"):
        path.chmod(0o777)
    assert measure_tree(repository).dirty is False
    write(repository, {"app.py": "2\n"})
    noisy = hash_of(repository)
    (repository / "app.py").chmod(0o644)
    assert hash_of(repository) == noisy


def test_a_link_counts_by_its_target(repository: Path):
    (repository / "link").symlink_to("app.py")
    commit_all(repository)
    assert measure_tree(repository).dirty is False
    (repository / "link").unlink()
    (repository / "link").symlink_to("lib/tools.py")
    one = hash_of(repository)
    (repository / "link").unlink()
    (repository / "link").symlink_to("nowhere")
    assert hash_of(repository) != one


def test_a_new_link_to_a_folder_is_not_followed(repository: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (repository / "outside").symlink_to(tmp_path / "outside")
    one = hash_of(repository)
    write(tmp_path / "outside", {"any.py": "1\n"})
    assert hash_of(repository) == one


def test_a_file_that_became_a_link_differs_from_the_file(repository: Path):
    (repository / "app.py").unlink()
    (repository / "app.py").symlink_to("lib/tools.py")
    assert hash_of(repository)


def test_a_folder_that_became_a_link_to_its_copy_is_a_change(repository: Path, tmp_path: Path):
    shutil.move(repository / "lib", tmp_path / "lib")
    (repository / "lib").symlink_to(tmp_path / "lib")
    state = measure_tree(repository)
    assert (state.dirty, state.changes) == (True, 2)  # the file is gone, the link is new


def test_a_file_that_became_a_folder_is_a_change(repository: Path):
    (repository / "app.py").unlink()
    write(repository, {"app.py/main.py": "1\n"})
    assert measure_tree(repository).changes == 2


def test_odd_names_are_read(repository: Path):
    names = [
        "two words.py",
        'quo"te.py',
        "größe.py",
        "line\nend.py",
        "back\\slash.py",
        "-rf",
        ":(top)x",
    ]
    write(repository, dict.fromkeys(names, "1\n"))
    (Path(os.fsdecode(os.fsencode(repository) + b"/not-utf8-\xff.py"))).write_text("1\n")
    assert measure_tree(repository).changes == 8
    commit_all(repository)
    assert measure_tree(repository).dirty is False
    write(repository, dict.fromkeys(names, "2\n"))
    assert measure_tree(repository).changes == 7


def test_an_unborn_branch_is_all_new_content(tmp_path: Path):
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    assert measure_tree(folder).dirty is False
    write(folder, {"app.py": "1\n"})
    one = hash_of(folder)
    git(folder, "add", "app.py")
    assert hash_of(folder) == one


def test_the_hash_names_the_tree_and_not_the_commit(repository: Path):
    write(repository, {"new.py": "1\n"})
    one = hash_of(repository)
    git(repository, "commit", "-q", "--amend", "--allow-empty", "-m", "other words")
    assert hash_of(repository) == one
    git(repository, "commit", "-q", "--allow-empty", "-m", "and another")
    assert hash_of(repository) == one


def test_the_same_edit_on_another_commit_has_another_hash(repository: Path):
    write(repository, {"lib/tools.py": "x = 2\n"})
    commit_all(repository)
    write(repository, {"app.py": "2\n"})
    later = hash_of(repository)
    git(repository, "checkout", "-q", "--force", "HEAD~1")
    write(repository, {"app.py": "2\n"})
    assert hash_of(repository) != later


def test_a_conflict_is_dirty_by_what_the_files_hold(repository: Path):
    git(repository, "checkout", "-q", "-b", "side")
    write(repository, {"app.py": "side\n"})
    commit_all(repository)
    git(repository, "checkout", "-q", "main")
    write(repository, {"app.py": "main\n"})
    commit_all(repository)
    with pytest.raises(AssertionError):
        git(repository, "merge", "side")
    assert hash_of(repository)
    write(repository, {"app.py": "main\n"})  # not marked as resolved, but HEAD's content
    assert measure_tree(repository).dirty is False


def test_a_sha256_repository_is_measured(tmp_path: Path):
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--object-format=sha256")
    write(folder, {"app.py": "1\n"})
    (folder / "link").symlink_to("app.py")
    commit_all(folder)
    assert measure_tree(folder).dirty is False
    write(folder, {"app.py": "2\n"})
    assert hash_of(folder)


def test_a_linked_work_tree_is_measured_on_its_own(repository: Path, tmp_path: Path):
    git(repository, "worktree", "add", "-q", str(tmp_path / "side"))
    write(repository, {"app.py": "2\n"})
    assert measure_tree(tmp_path / "side").dirty is False
    write(tmp_path / "side", {"app.py": "2\n"})
    assert hash_of(tmp_path / "side") == hash_of(repository)


def test_a_folder_without_a_repository_is_unknown_and_says_why(tmp_path: Path):
    state = measure_tree(tmp_path)
    assert state.dirty is None
    assert "not a git repository" in state.reason


def test_a_broken_inner_repository_does_not_answer_for_the_outer_one(repository: Path):
    write(repository, {"inner/.git": "gitdir: /gone\n", "app.py": "2\n"})
    state = measure_tree(repository / "inner")
    assert (state.dirty, state.hash) == (None, None)
    assert state.reason


def test_a_damaged_repository_is_unknown(repository: Path):
    tree = git(repository, "rev-parse", "HEAD^{tree}")
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    state = measure_tree(repository)
    assert state.dirty is None
    assert state.reason


# --- What a run leaves behind -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "__pycache__/app.cpython-312.pyc",
        "lib/__pycache__/tools.cpython-312.pyc",
        "old.pyc",
        ".whence/spool/1.jsonl",
        ".ipynb_checkpoints/a-checkpoint.ipynb",
        ".pytest_cache/v/cache",
        ".mypy_cache/x",
        ".ruff_cache/x",
        "app.egg-info/PKG-INFO",
        "src/app.egg-info/PKG-INFO",
        ".venv/lib/x.py",
        "ui/node_modules/x/index.js",
        ".DS_Store",
        "lib/.DS_Store",
        "run.log",
        ".app.py.swp",
    ],
)
def test_what_a_run_leaves_behind_is_no_change(repository: Path, path: str):
    write(repository, {path: "1\n"})
    assert measure_tree(repository).dirty is False


def test_what_looks_left_behind_but_is_tracked_counts(repository: Path):
    write(repository, {".vscode/settings.json": "1\n", "kept.log": "1\n"})
    commit_all(repository)
    write(repository, {"kept.log": "2\n"})
    assert hash_of(repository)


# --- Repositories within the tree -------------------------------------------------------------------


@pytest.fixture
def with_submodule(repository: Path, tmp_path: Path) -> Path:
    library = make_work_tree(tmp_path / "library", {"core.py": "1\n"})
    write(library, {"core.py": "2\n"})
    commit_all(library)
    git(repository, "submodule", "--quiet", "add", str(library), "vendor/library")
    commit_all(repository)
    return repository


def test_a_submodule_at_its_commit_is_clean(with_submodule: Path):
    assert measure_tree(with_submodule).dirty is False


def test_a_submodule_that_is_not_checked_out_is_clean(with_submodule: Path, tmp_path: Path):
    copy = clone(with_submodule, tmp_path / "copy")
    assert list((copy / "vendor" / "library").iterdir()) == []
    assert measure_tree(copy).dirty is False


def test_a_submodule_at_another_commit_counts(with_submodule: Path):
    inner = with_submodule / "vendor" / "library"
    git(inner, "checkout", "-q", "HEAD~1")
    unstaged = hash_of(with_submodule)
    git(with_submodule, "add", "vendor/library")
    assert hash_of(with_submodule) == unstaged
    git(inner, "checkout", "-q", "main")
    assert measure_tree(with_submodule).dirty is False


def test_an_edit_within_a_submodule_counts(with_submodule: Path):
    inner = with_submodule / "vendor" / "library"
    write(inner, {"core.py": "3\n"})
    one = hash_of(with_submodule)
    write(inner, {"core.py": "4\n"})
    assert hash_of(with_submodule) != one
    write(inner, {"core.py": "2\n", "new.py": "1\n"})
    assert hash_of(with_submodule)


def test_a_removed_submodule_counts(with_submodule: Path):
    shutil.rmtree(with_submodule / "vendor" / "library")
    assert hash_of(with_submodule)


def test_a_submodule_that_git_was_told_to_ignore_counts_all_the_same(with_submodule: Path):
    git(with_submodule, "config", "submodule.vendor/library.ignore", "all")
    write(with_submodule / "vendor" / "library", {"core.py": "3\n"})
    assert hash_of(with_submodule)


def test_a_nested_repository_counts_by_its_head_and_its_edits(repository: Path):
    nested = make_work_tree(repository / "nested", {"a.py": "1\n"})
    first = hash_of(repository)
    write(nested, {"a.py": "2\n"})
    edited = hash_of(repository)
    commit_all(nested)
    assert len({first, edited, hash_of(repository)}) == 3


def test_a_nested_repository_without_commits_is_read(repository: Path):
    (repository / "nested").mkdir()
    git(repository / "nested", "init", "-q")
    one = hash_of(repository)
    write(repository / "nested", {"a.py": "1\n"})
    assert hash_of(repository) != one


def test_states_compare_by_value():
    assert TreeState(True, "a") == TreeState(True, "a")
