"""Kinds of repositories, by where they lie and how they were cloned; others are registered here.

A case is a function of a folder to build in and of options for `git init`; it returns the folder
to ask about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_repositories import commit, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://example.com/team/app.git"
Options = tuple[str, ...]
CASES: dict[str, Callable[[Path, Options], Path]] = {}
FILES_ONLY: set[str] = set()


def case(build: Callable[[Path, Options], Path]) -> Callable[[Path, Options], Path]:
    CASES[build.__name__] = build
    return build


def files_only(build: Callable[[Path, Options], Path]) -> Callable[[Path, Options], Path]:
    FILES_ONLY.add(build.__name__)
    return case(build)


def start(tmp: Path, options: Options, commits: int = 2) -> Path:
    repository = make_repository(tmp / "app", *options, commits=commits)
    git(repository, "remote", "add", "origin", URL)
    return repository


# --- Where a repository can be --------------------------------------------------------------------


@case
def a_work_tree(tmp, options):
    return start(tmp, options)


@case
def a_folder_deep_in_a_work_tree(tmp, options):
    deep = start(tmp, options) / "src" / "deep"
    deep.mkdir(parents=True)
    return deep


@case
def an_unborn_branch(tmp, options):
    return start(tmp, options, commits=0)


@case
def an_orphaned_branch_beside_others(tmp, options):
    repository = start(tmp, options)
    git(repository, "checkout", "-q", "--orphan", "fresh/start")
    return repository


@case
def a_linked_work_tree(tmp, options):
    repository = start(tmp, options)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    commit(tmp / "side", "on the side")
    return tmp / "side"


@case
def a_main_work_tree_beside_a_linked_one(tmp, options):
    a_linked_work_tree(tmp, options)
    return tmp / "app"


@case
def a_detached_linked_work_tree_with_packed_references(tmp, options):
    repository = start(tmp, options)
    git(repository, "tag", "v1", "HEAD~1")
    git(repository, "worktree", "add", "-q", "--detach", str(tmp / "side"), "v1")
    git(repository, "pack-refs", "--all")
    return tmp / "side"


@case
def a_linked_work_tree_with_a_configuration_of_its_own(tmp, options):
    repository = start(tmp, options)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(repository, "config", "extensions.worktreeConfig", "true")
    git(repository, "config", "--unset", "remote.origin.url")
    git(repository, "config", "--worktree", "remote.origin.url", "https://example.com/main")
    git(tmp / "side", "config", "--worktree", "remote.origin.url", "https://example.com/side")
    return tmp / "side"


@case
def a_main_work_tree_with_a_configuration_of_its_own(tmp, options):
    a_linked_work_tree_with_a_configuration_of_its_own(tmp, options)
    return tmp / "app"


@case
def a_linked_work_tree_with_its_place_in_its_own_configuration(tmp, options):
    repository = start(tmp, options)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(repository, "config", "extensions.worktreeConfig", "true")
    (tmp / "elsewhere").mkdir()
    git(tmp / "side", "config", "--worktree", "core.worktree", str(tmp / "elsewhere"))
    (tmp / "elsewhere" / ".git").write_text((tmp / "side" / ".git").read_text())
    return tmp / "elsewhere"


@case
def a_linked_work_tree_of_a_repository_with_a_declared_one(tmp, options):
    repository = start(tmp, options)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(repository, "config", "core.worktree", str(repository))
    return tmp / "side"


@case
def a_work_tree_that_was_moved_and_repaired(tmp, options):
    repository = start(tmp, options)
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(repository, "worktree", "move", str(tmp / "side"), str(tmp / "moved"))
    return tmp / "moved"


@case
def a_bare_repository_with_linked_work_trees_around_it(tmp, options):
    git(start(tmp, options), "branch", "other")
    project = tmp / "project"
    project.mkdir()
    git(tmp, "clone", "-q", "--bare", str(tmp / "app"), "project/.bare")
    (project / ".git").write_text("gitdir: ./.bare\n")
    git(project, "worktree", "add", "-q", "work", "other")
    return project / "work"


@case
def the_folder_around_a_bare_repository(tmp, options):
    a_bare_repository_with_linked_work_trees_around_it(tmp, options)
    return tmp / "project"


@case
def a_work_tree_that_is_called_bare(tmp, options):
    repository = start(tmp, options)
    git(repository, "config", "core.bare", "true")
    return repository


@case
def a_repository_kept_in_another_folder(tmp, options):
    folder = tmp / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", *options, f"--separate-git-dir={tmp / 'kept.git'}")
    commit(folder, "x")
    return folder


@case
def a_relative_link_to_a_repository(tmp, options):
    repository = start(tmp, options)
    (repository / ".git").rename(tmp / "kept.git")
    (repository / ".git").write_text("gitdir: ../kept.git\n")
    return repository


@case
def a_declared_work_tree(tmp, options):
    repository = start(tmp, options)
    (tmp / "app" / "tree").mkdir()
    git(repository, "config", "core.worktree", "../tree")
    return repository / "tree"


@case
def a_submodule(tmp, options):
    library = make_repository(tmp / "library", *options, commits=3)
    repository = start(tmp, options)
    git(repository, "submodule", "--quiet", "add", str(library), "vendor/library")
    return repository / "vendor" / "library"


@case
def a_submodule_at_a_pinned_commit(tmp, options):
    folder = a_submodule(tmp, options)
    git(folder, "checkout", "-q", "HEAD~1")
    git(tmp / "app", "add", "vendor/library")
    git(tmp / "app", "commit", "-q", "-m", "pin")
    git(tmp, "clone", "-q", "--recurse-submodules", str(tmp / "app"), "copy")
    return tmp / "copy" / "vendor" / "library"


@case
def a_submodule_in_a_submodule(tmp, options):
    inner = make_repository(tmp / "inner", *options)
    outer = make_repository(tmp / "outer", *options, commits=2)
    git(outer, "submodule", "--quiet", "add", str(inner), "inner")
    git(outer, "commit", "-q", "-m", "add inner")
    repository = start(tmp, options)
    git(repository, "submodule", "--quiet", "add", str(outer), "outer")
    git(repository, "submodule", "--quiet", "update", "--init", "--recursive")
    return repository / "outer" / "inner"


@case
def a_submodule_of_a_linked_work_tree(tmp, options):
    a_submodule(tmp, options)
    git(tmp / "app", "commit", "-q", "-m", "add")
    git(tmp / "app", "worktree", "add", "-q", "-b", "side", str(tmp / "side"))
    git(tmp / "side", "submodule", "--quiet", "update", "--init")
    return tmp / "side" / "vendor" / "library"


@case
def a_repository_inside_a_bare_one(tmp, options):
    git(tmp, "init", "-q", "--bare", *options, "outer.git")
    return make_repository(tmp / "outer.git" / "inner", *options)


@case
def a_repository_inside_another(tmp, options):
    return make_repository(start(tmp, options) / "inner", *options)


@case
def a_folder_by_way_of_a_symbolic_link(tmp, options):
    repository = start(tmp, options)
    (repository / "src").mkdir()
    (tmp / "link").symlink_to(repository / "src")
    return tmp / "link"


@case
def a_git_folder_that_is_a_symbolic_link(tmp, options):
    repository = start(tmp, options)
    (repository / ".git").rename(tmp / "kept")
    (repository / ".git").symlink_to(tmp / "kept")
    return repository


# --- Clones ---------------------------------------------------------------------------------------


def clone(tmp: Path, options: Options, *more: str) -> Path:
    git(tmp, "clone", "-q", *more, f"file://{tmp / 'app'}", "clone")
    return tmp / "clone"


@case
def a_shallow_clone(tmp, options):
    start(tmp, options, commits=4)
    return clone(tmp, options, "--depth=1")


@case
def a_shallow_clone_of_a_tag(tmp, options):
    git(start(tmp, options), "tag", "-a", "-m", "one", "v1.0")
    return clone(tmp, options, "--depth=1", "--branch=v1.0")


@case
def a_clone_without_blobs(tmp, options):
    git(start(tmp, options), "config", "uploadpack.allowFilter", "true")
    return clone(tmp, options, "--filter=blob:none")


@case
def a_clone_that_borrows_objects_and_a_loose_tag_of_them(tmp, options):
    git(start(tmp, options), "tag", "-a", "-m", "one", "v1.0")
    git(tmp, "clone", "-q", "--shared", str(tmp / "app"), "clone")
    tag = git(tmp / "clone", "rev-parse", "v1.0")
    git(tmp / "clone", "tag", "-d", "v1.0")
    git(tmp / "clone", "update-ref", "refs/tags/again", tag)
    return tmp / "clone"


@case
def a_checkout_as_ci_systems_make_it(tmp, options):
    head = git(start(tmp, options), "rev-parse", "HEAD")
    folder = make_repository(tmp / "ci", *options, commits=0)
    git(folder, "remote", "add", "origin", f"file://{tmp / 'app'}")
    refs = f"+{head}:refs/remotes/origin/main"
    git(folder, "fetch", "-q", "--no-tags", "--depth=1", "origin", refs)
    git(folder, "checkout", "-q", "--force", "--detach", "refs/remotes/origin/main")
    return folder


@case
def a_pull_request_as_ci_systems_check_it_out(tmp, options):
    source = start(tmp, options)
    git(source, "update-ref", "refs/pull/7/merge", "HEAD")
    folder = make_repository(tmp / "ci", *options, commits=0)
    git(folder, "remote", "add", "origin", f"file://{source}")
    git(
        folder, "fetch", "-q", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge"
    )
    git(folder, "checkout", "-q", "--force", "refs/remotes/pull/7/merge")
    return folder


@case
def a_clone_after_housekeeping(tmp, options):
    git(start(tmp, options), "tag", "-a", "-m", "one", "v1.0")
    folder = clone(tmp, options)
    git(folder, "gc", "-q")
    return folder
