"""The nearest tag stands in for a version."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk.context.work_tree.nearest_tag import nearest_tag
from work_trees import clone, commit_all, make_work_tree


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


def test_without_a_tag_there_is_no_version(repository: Path):
    assert nearest_tag(repository) is None


@pytest.mark.parametrize(
    ("tag", "version"),
    [("v1.2.0", "1.2.0"), ("1.2.0", "1.2.0"), ("vnext", "vnext"), ("app/v2", "app/v2")],
)
def test_at_a_tag_the_version_is_the_tag(repository: Path, tag: str, version: str):
    git(repository, "tag", tag)
    assert nearest_tag(repository) == version


def test_behind_a_tag_the_version_names_the_commit(repository: Path):
    git(repository, "tag", "-a", "v1.2.0", "-m", "a release")
    for _ in range(5):
        last = commit_all(repository)
    assert nearest_tag(repository) == f"1.2.0-5-g{last[:7]}"


def test_the_users_settings_do_not_change_the_version(repository: Path):
    git(repository, "tag", "v1.2.0")
    last = commit_all(repository)
    git(repository, "config", "core.abbrev", "20")
    assert nearest_tag(repository) == f"1.2.0-1-g{last[:7]}"


def test_a_shallow_clone_without_its_tags_has_no_version(repository: Path, tmp_path: Path):
    git(repository, "tag", "v1.2.0")
    commit_all(repository)
    assert nearest_tag(clone(repository, tmp_path / "copy", "--depth", "1")) is None


def test_without_git_or_a_repository_or_a_commit_there_is_no_version(
    tmp_path: Path, repository: Path, monkeypatch
):
    assert nearest_tag(tmp_path) is None
    assert nearest_tag(tmp_path / "gone") is None
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q")
    assert nearest_tag(tmp_path / "new") is None
    git(repository, "tag", "v1")
    monkeypatch.setenv("PATH", "")
    assert nearest_tag(repository) is None


def test_the_example_holds():
    assert doctest.testmod(sys.modules[nearest_tag.__module__]).failed == 0
