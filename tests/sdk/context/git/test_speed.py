"""The reading of `.git` is short enough for a process that starts.

Measured is the time that the thread computes: the files are in memory, and on a busy machine the
time on the wall says more about the others.
"""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING

from git_repositories import commit, git, make_repository
from whence.sdk.context.git import read_git

if TYPE_CHECKING:
    from pathlib import Path


def best_ms(folder: Path) -> float:
    """Return the shortest of seven readings."""
    times = []
    for _ in range(7):
        started = thread_time()
        assert read_git(folder).commit is not None
        times.append((thread_time() - started) * 1e3)
    return min(times)


def pack_many(repository: Path, count: int) -> None:
    """Write `count` branches and tags into packed-refs, a third of them at HEAD's parent."""
    older = git(repository, "rev-parse", "HEAD~1")
    git(repository, "pack-refs", "--all")
    packed = repository / ".git" / "packed-refs"
    header, *lines = packed.read_text().splitlines()
    for number in range(count // 2):
        value = older if number % 3 == 0 else f"{number:040x}"
        lines.append(f"{value} refs/heads/team/branch-{number:06}")
        lines.append(f"{number:040x} refs/tags/v{number:06}\n^{value}")
    lines.sort(key=lambda line: line.split(" ")[1])
    packed.write_text("\n".join([header, *lines, ""]))


def test_an_ordinary_repository_takes_less_than_5_ms(tmp_path: Path):
    repository = make_repository(tmp_path / "app", commits=3)
    git(repository, "remote", "add", "origin", "https://example.com/team/app")
    for number in range(20):
        git(repository, "branch", f"feature/{number}")
        git(repository, "tag", "-a", "-m", "x", f"v{number}", "HEAD~1")
    assert best_ms(repository) < 5
    git(repository, "checkout", "-q", "--detach")
    assert best_ms(repository) < 5


def test_50000_packed_references_take_less_than_100_ms(tmp_path: Path):
    repository = make_repository(tmp_path / "app", commits=3)
    pack_many(repository, 50_000)
    assert best_ms(repository) < 100
    git(repository, "checkout", "-q", "--detach")
    assert best_ms(repository) < 100
    assert read_git(repository).branches_at_head == ("main",)


def test_a_packed_file_of_20_mb_takes_less_than_a_second(tmp_path: Path):
    repository = make_repository(tmp_path / "app", commits=2)
    pack_many(repository, 250_000)
    assert (repository / ".git" / "packed-refs").stat().st_size > 20e6
    commit(repository, "newer")
    git(repository, "checkout", "-q", "--detach")
    assert best_ms(repository) < 1_000
    assert read_git(repository).branches_at_head == ("main",)
