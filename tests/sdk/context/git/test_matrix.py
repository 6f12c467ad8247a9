"""Whatever git can make of a repository, the reading of its files says what git says.

Each case builds a repository with the git program and names the folder to ask about. Then commit,
branch, URL, tag, folders and the rest must equal git's own answers, with PATH emptied. All cases
run with references as files, and as reftables where the installed git can make them (2.45).
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec
import pytest

from git_cases import CASES, FILES_ONLY, URL, Options, case, clone, files_only, start
from git_repositories import (
    commit,
    git,
    git_version,
    make_repository,
    read_without_git,
    run_git,
    state_by_git,
    with_reftables,
)

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {
    "files": (),
    "sha256": ("--object-format=sha256",),
    "reftable": (),
    "reftable-sha256": ("--object-format=sha256",),
}


# --- HEAD, branches and tags ----------------------------------------------------------------------


@case
def packed_references(tmp, options):
    repository = start(tmp, options)
    git(repository, "branch", "other", "HEAD~1")
    git(repository, "pack-refs", "--all")
    return repository


@case
def a_loose_reference_over_a_packed_one(tmp, options):
    commit(repository := packed_references(tmp, options), "later")
    return repository


@case
def a_detached_head_at_one_branch(tmp, options):
    repository = start(tmp, options)
    git(repository, "branch", "old", "HEAD~1")
    git(repository, "checkout", "-q", "--detach")
    return repository


@case
def a_detached_head_at_several_branches_some_packed(tmp, options):
    repository = start(tmp, options)
    git(repository, "branch", "alpha")
    git(repository, "branch", "deep/er/beta")
    git(repository, "branch", "moved")
    git(repository, "pack-refs", "--all")
    git(repository, "branch", "gamma")
    git(repository, "branch", "-f", "moved", "HEAD~1")
    git(repository, "checkout", "-q", "--detach")
    return repository


@case
def a_detached_head_at_a_deleted_branch(tmp, options):
    repository = start(tmp, options)
    git(repository, "branch", "gone")
    git(repository, "pack-refs", "--all")
    git(repository, "checkout", "-q", "--detach")
    git(repository, "branch", "-D", "gone", "main")
    return repository


@case
def a_detached_head_at_no_branch(tmp, options):
    repository = start(tmp, options)
    git(repository, "checkout", "-q", "HEAD~1")
    return repository


@case
def a_detached_head_at_a_remote_branch_only(tmp, options):
    git(start(tmp, options), "branch", "feature/x", "HEAD~1")
    folder = clone(tmp, options)
    git(folder, "checkout", "-q", "origin/feature/x")
    return folder


@case
def a_branch_that_is_another_name_of_one(tmp, options):
    repository = start(tmp, options)
    git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    git(repository, "checkout", "-q", "--detach")
    return repository


@case
def a_head_by_way_of_another_name(tmp, options):
    repository = start(tmp, options)
    git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    git(repository, "symbolic-ref", "HEAD", "refs/heads/alias")
    return repository


@case
def a_lightweight_tag(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "v1.0")
    git(repository, "checkout", "-q", "v1.0")
    return repository


@case
def an_annotated_tag_before_a_lightweight_one(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "latest")
    git(repository, "tag", "-a", "-m", "one", "v1.0")
    git(repository, "tag", "-a", "-m", "old", "v0.9", "HEAD~1")
    git(repository, "checkout", "-q", "v1.0")
    return repository


@case
def packed_tags(tmp, options):
    repository = an_annotated_tag_before_a_lightweight_one(tmp, options)
    git(repository, "pack-refs", "--all")
    return repository


@case
def two_annotated_tags(tmp, options):
    repository = start(tmp, options)
    for name in ("v1.0", "v1.0.0"):
        git(repository, "tag", "-a", "-m", name, name)
    return repository


@case
def a_tag_that_moved_since_it_was_packed(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "-a", "-m", "one", "moved")
    git(repository, "pack-refs", "--all")
    git(repository, "tag", "-f", "-a", "-m", "one", "moved", "HEAD~1")
    return repository


@case
def a_tag_of_a_tag(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "-a", "-m", "one", "inner")
    git(repository, "tag", "-a", "-m", "two", "outer", "inner")
    git(repository, "tag", "-d", "inner")
    return repository


@case
def loose_tags_whose_objects_are_packed(tmp, options):
    repository = start(tmp, options)
    for number in range(30):  # alike, so that git stores some as the difference from others
        message = f"the notes of release {number}\n\n" + "many words that are the same\n" * 40
        git(repository, "tag", "-a", "-m", message, f"v{number}", f"HEAD~{int(number != 17)}")
    git(repository, "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
    return repository


@case
def tags_of_other_things_than_commits(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "-a", "-m", "a tree", "tree", "HEAD^{tree}")
    git(repository, "tag", "plain-tree", "HEAD^{tree}")
    git(repository, "tag", "v1")
    return repository


@case
def a_branch_name_with_slashes_and_other_letters(tmp, options):
    repository = start(tmp, options)
    git(repository, "checkout", "-q", "-b", "feature/größe-日本/x@y")
    return repository


@case
def a_branch_name_that_is_not_utf_8(tmp, options):
    repository = start(tmp, options)
    name = os.fsdecode(b"caf\xe9/x")
    git(repository, "checkout", "-q", "-b", name)
    git(repository, "pack-refs", "--all")
    git(repository, "checkout", "-q", "--detach")
    git(repository, "branch", "-D", "main")
    return repository


@files_only
def a_head_that_is_a_symbolic_link(tmp, options):
    repository = start(tmp, options)
    head = repository / ".git" / "HEAD"
    head.unlink()
    head.symlink_to("refs/heads/main")
    return repository


@files_only
def a_head_that_is_a_symbolic_link_to_a_packed_branch(tmp, options):
    repository = a_head_that_is_a_symbolic_link(tmp, options)
    git(repository, "pack-refs", "--all")
    return repository


@files_only
def references_with_the_line_ends_of_windows(tmp, options):
    repository = start(tmp, options)
    for path in (repository / ".git" / "HEAD", repository / ".git" / "refs" / "heads" / "main"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return repository


# --- Work under way -------------------------------------------------------------------------------


def diverge(tmp: Path, options: Options) -> Path:
    repository = start(tmp, options)
    commit(repository, "here", file="one\n")
    git(repository, "checkout", "-q", "-b", "feature", "HEAD~1")
    commit(repository, "there", file="two\n")
    return repository


@case
def a_rebase_under_way(tmp, options):
    repository = diverge(tmp, options)
    assert run_git(repository, "rebase", "main").returncode != 0
    return repository


@case
def a_merge_under_way(tmp, options):
    repository = diverge(tmp, options)
    assert run_git(repository, "merge", "main").returncode != 0
    return repository


@case
def a_cherry_pick_under_way(tmp, options):
    repository = diverge(tmp, options)
    assert run_git(repository, "cherry-pick", "main").returncode != 0
    return repository


@case
def a_bisection_under_way(tmp, options):
    repository = start(tmp, options, commits=8)
    git(repository, "bisect", "start", "HEAD", "HEAD~7")
    return repository


@case
def a_bisection_in_a_linked_work_tree(tmp, options):
    repository = start(tmp, options, commits=8)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(tmp / "side", "bisect", "start", "HEAD", "HEAD~7")
    return tmp / "side"


# --- Remotes --------------------------------------------------------------------------------------


@case
def no_remote(tmp, options):
    return make_repository(tmp / "app", *options)


@case
def a_single_remote_of_another_name(tmp, options):
    repository = make_repository(tmp / "app", *options)
    git(repository, "remote", "add", "upstream", "git@example.com:team/app.git")
    return repository


@case
def several_addresses_and_another_one_for_pushing(tmp, options):
    repository = start(tmp, options)
    git(repository, "remote", "add", "fork", "https://example.com/ann/app.git")
    git(repository, "remote", "set-url", "--add", "origin", "https://mirror.example.com/app.git")
    git(repository, "remote", "set-url", "--push", "origin", "https://ann:pw@example.com/push.git")
    return repository


@case
def an_address_with_a_password(tmp, options):
    repository = start(tmp, options)
    git(repository, "remote", "set-url", "origin", "https://ann:s3cr3t@example.com/team/app.git")
    return repository


@case
def an_address_in_an_included_file(tmp, options):
    repository = make_repository(tmp / "app", *options)
    git(repository, "config", "include.path", "more/remotes")
    (repository / ".git" / "more").mkdir()
    (repository / ".git" / "more" / "remotes").write_text("[include]\n\tpath = ../deep\n")
    (repository / ".git" / "deep").write_text(f'[remote "origin"]\n\turl = {URL}\n')
    return repository


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_files_say_what_git_says(name: str, form: str, tmp_path: Path):
    if form.startswith("reftable"):
        if git_version() < (2, 45):
            pytest.skip("this git makes no reftables; recorded ones are read in test_reftable.py")
        if name in FILES_ONLY:
            pytest.skip("about references that are files")
    with with_reftables() if form.startswith("reftable") else nullcontext():
        folder = CASES[name](tmp_path, FORMATS[form])
        expected = state_by_git(folder)
    state = read_without_git(folder)
    assert state is not None
    assert (state.common_dir / "reftable").exists() == form.startswith("reftable")
    said = msgspec.structs.asdict(state)
    assert said.pop("is_owned") is True
    said.pop("unfinished_branch")
    assert said == expected
    assert expected["commit"] is not None or "unborn" in name or "orphan" in name
