"""Files that Git LFS keeps by pointer are compared without the `git-lfs` program."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk.context.work_tree.state import Limits, measure_tree
from work_trees import make_work_tree, write

CONTENT = b"weights\0" * 1000


def pointer_of(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    return text.encode()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose commit holds the pointer, and whose work tree the content."""
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    folder = make_work_tree(
        tmp_path / "app",
        {".gitattributes": attributes, "model.bin": pointer_of(CONTENT), "a.py": "1\n"},
    )
    write(folder, {"model.bin": CONTENT})
    return folder


@pytest.fixture(params=["with settings", "without settings"], autouse=True)
def settings(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With and without what `git lfs install` writes; the program itself is never there."""
    text = '[filter "lfs"]\nclean = git-lfs clean -- %f\nprocess = git-lfs filter-process\nrequired = true\n'
    write(tmp_path, {"gitconfig": text if request.param == "with settings" else ""})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))


def test_the_content_of_the_pointer_is_clean(repository: Path):
    state = measure_tree(repository)
    assert (state.dirty, state.reason) == (False, None)


def test_a_pointer_that_was_never_fetched_is_clean(repository: Path):
    write(repository, {"model.bin": pointer_of(CONTENT)})
    assert measure_tree(repository).dirty is False


def test_other_content_is_dirty_and_the_same_as_its_pointer(repository: Path):
    write(repository, {"model.bin": CONTENT + b"more"})
    edited = measure_tree(repository)
    assert (edited.dirty, edited.changes) == (True, 1)
    write(repository, {"model.bin": pointer_of(CONTENT + b"more")})
    assert measure_tree(repository).hash == edited.hash


def test_a_new_large_file_counts_by_its_pointer(repository: Path):
    write(repository, {"new.bin": CONTENT})
    fetched = measure_tree(repository)
    write(repository, {"new.bin": pointer_of(CONTENT)})
    assert measure_tree(repository).hash == fetched.hash
    assert fetched.changes == 1


def test_a_filter_of_the_repositorys_own_settings_is_not_needed_either(repository: Path):
    git(repository, "config", "filter.lfs.process", "git-lfs filter-process")
    assert measure_tree(repository).dirty is False


def test_the_content_counts_for_the_limit(repository: Path):
    write(repository, {"new.bin": CONTENT})
    state = measure_tree(repository, limits=Limits(max_bytes=100))
    assert (state.dirty, state.hash) == (True, None)


def test_an_untouched_large_file_beyond_the_limit_is_unknown_and_not_dirty(repository: Path):
    assert measure_tree(repository, limits=Limits(max_bytes=100)).dirty is None
