"""How long the hash of a large repository takes. `--slow` prints the figures of 50,000 files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from git_repositories import git
from whence.sdk.context.work_tree.state import measure_tree
from work_trees import write


def make_large(folder: Path, files: int) -> Path:
    """Make a repository of small modules, 100 a folder."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(files):
        path = folder / f"package{number // 1000}" / f"part{number // 100 % 10}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# a module\nVALUE = {number}\n" * 20)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "all")
    return folder


def make_stale(folder: Path) -> None:
    """Give every file another date, so that nothing which the index knows of them holds."""
    for parent, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        for name in names:
            os.utime(os.path.join(parent, name), (946_684_800, 946_684_800))


def measure(folder: Path, label: str) -> float:
    started_s = time.perf_counter()
    state = measure_tree(folder)
    took_s = time.perf_counter() - started_s
    assert state.reason is None, state
    print(f"{label}: {took_s * 1000:.0f} ms, dirty {state.dirty}")
    return took_s


def run_through(folder: Path) -> dict[str, float]:
    figures = {"clean": measure(folder, "clean, index fresh")}
    write(folder, {"package0/part0/m1.py": "VALUE = -1\n", "new.py": "1\n"})
    edited = measure_tree(folder).hash
    figures["edited"] = measure(folder, "two edits, index fresh")
    make_stale(folder)
    figures["stale"] = measure(folder, "two edits, index stale (every file is read)")
    assert measure_tree(folder).hash == edited
    return figures


def test_two_thousand_files_are_measured_in_time(tmp_path: Path):
    figures = run_through(make_large(tmp_path / "large", 2_000))
    assert max(figures.values()) < 5.0, figures


@pytest.mark.slow
def test_fifty_thousand_files_are_measured_in_time(tmp_path: Path):
    figures = run_through(make_large(tmp_path / "large", 50_000))
    assert figures["clean"] < 4.0, figures
    assert max(figures.values()) < 8.0, figures
