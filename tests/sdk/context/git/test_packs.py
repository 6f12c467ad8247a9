"""A tag whose object lies in a pack is found, whole or as the difference from another one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from git_repositories import commit, git, make_repository, read_without_git

if TYPE_CHECKING:
    from pathlib import Path


def depths_of_deltas(repository: Path) -> dict[str, int]:
    """Return how many steps git stored each tag object away from a whole one."""
    (index,) = (repository / ".git" / "objects" / "pack").glob("*.idx")
    lines = git(repository, "verify-pack", "-v", str(index)).splitlines()
    found = [line.split() for line in lines]
    return {words[0]: int(words[5]) if len(words) > 5 else 0 for words in found if "tag" in words}


def make_alike_tags(repository: Path, count: int, letters: int) -> list[str]:
    """Make tags that each share most of their text with the ones before and after."""
    words = random.Random(1)
    blocks = ["".join(words.choices("abcdefghij ", k=letters)) for _ in range(count + 4)]
    commits = []
    for number in range(count):
        commits.append(commit(repository, f"release {number}"))
        text = "\n".join(blocks[number : number + 4])
        git(repository, "tag", "-a", "-F", "-", f"v{number}", input=text.encode())
    git(repository, "repack", "-q", "-a", "-d", "-f", "--depth=40", "--window=40")
    return commits


def assert_every_tag_is_found(repository: Path, commits: list[str]) -> None:
    for number, commit_id in enumerate(commits):
        (repository / ".git" / "HEAD").write_text(commit_id + "\n")
        assert read_without_git(repository).tag_at_head == f"v{number}"


def test_tags_stored_as_chains_of_differences_are_found(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    commits = make_alike_tags(repository, 12, 800)
    assert max(depths_of_deltas(repository).values()) >= 3
    assert (repository / ".git" / "refs" / "tags" / "v3").exists()
    assert_every_tag_is_found(repository, commits)


def test_a_difference_that_copies_more_than_64_kib_is_applied(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    commits = make_alike_tags(repository, 3, 100_000)
    assert max(depths_of_deltas(repository).values()) >= 1
    assert_every_tag_is_found(repository, commits)


def test_differences_from_an_object_named_by_its_id_are_applied(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    git(repository, "config", "repack.useDeltaBaseOffset", "false")
    commits = make_alike_tags(repository, 6, 800)
    assert max(depths_of_deltas(repository).values()) >= 1
    assert_every_tag_is_found(repository, commits)


def test_tags_in_several_packs_are_found(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    commits = []
    for number in range(5):
        commits.append(commit(repository, f"release {number}"))
        git(repository, "tag", "-a", "-m", "x", f"v{number}")
        git(repository, "repack", "-q", "-d")
    assert len(list((repository / ".git" / "objects" / "pack").glob("*.idx"))) == 5
    assert_every_tag_is_found(repository, commits)


def test_an_index_with_places_beyond_2_gib_is_read(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    commits = make_alike_tags(repository, 4, 800)
    folder = repository / ".git" / "objects" / "pack"
    (pack,) = folder.glob("*.pack")
    (index,) = folder.glob("*.idx")
    index.unlink()
    # Each place above the limit goes into the list of long ones; the limit is made small here.
    git(folder, "index-pack", "--index-version=2,0x40", "-o", str(index), str(pack))
    assert_every_tag_is_found(repository, commits)
