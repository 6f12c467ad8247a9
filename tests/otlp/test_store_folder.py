"""A local store does not make the work tree that it lies in dirty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from git_repositories import git
from serving import clean_environment
from whence.otlp.store_folder import make_store_folder
from whence.sdk.context.work_tree.state import measure_tree
from work_trees import make_work_tree

PROGRAM = "import whence\n@whence.trace\ndef f(): pass\nf()\nwhence.flush()\n"


@pytest.mark.parametrize("store", [".whence", "traces/here"])
def test_a_run_that_records_into_its_own_work_tree_leaves_it_clean(tmp_path: Path, store: str):
    folder = make_work_tree(tmp_path / "app", {"app.py": PROGRAM})
    environ = clean_environment(WHENCE_URL=f"./{store}")
    subprocess.run([sys.executable, "app.py"], cwd=folder, env=environ, check=True)
    assert list((folder / store / "spool").iterdir())
    assert git(folder, "status", "--porcelain") == ""
    assert measure_tree(folder).dirty is False


def test_a_folder_that_is_there_already_is_left_alone(tmp_path: Path):
    make_store_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_made_with_those_above_it(tmp_path: Path):
    make_store_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / ".gitignore").read_text().endswith("\n*\n")
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["b"]


def test_a_file_in_the_way_is_an_error(tmp_path: Path):
    (tmp_path / "store").touch()
    with pytest.raises(FileExistsError):
        make_store_folder(tmp_path / "store")
