"""A repository that git is writing to is read in a state that it really had."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from git_repositories import QUIET, commit, git_version, make_repository
from whence.sdk.context.git import read_git

if TYPE_CHECKING:
    from pathlib import Path

# Commits and moves references from files of their own into the common one, again and again.
WRITER = """
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    git commit -q --allow-empty -m "$round"
    git rev-parse HEAD
    git tag "v$round"
    git pack-refs --all
done
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ["files", "reftable"])
def test_each_reading_beside_a_writer_gives_a_commit_of_its(form: str, tmp_path: Path):
    if form == "reftable" and git_version() < (2, 45):
        pytest.skip("this git makes no reftables")
    options = () if form == "files" else ("--ref-format=reftable",)
    repository = make_repository(tmp_path / "app", *options)
    first = commit(repository, "first")
    read = []
    with subprocess.Popen(
        ["/bin/sh", "-c", WRITER], cwd=repository, env=QUIET, stdout=subprocess.PIPE, text=True
    ) as writer:
        while writer.poll() is None:
            state = read_git(repository)
            read.append((state.commit, state.branch))
        written = writer.stdout.read().split()
    assert writer.returncode == 0
    assert len(written) == 30
    assert {commit_id for commit_id, _ in read} <= {first, *written}
    assert {branch for _, branch in read} == {"main"}
    assert len(read) > 30
