"""Whatever is done to a work tree, and in which order: the hash tells trees apart, and only trees."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from git_repositories import run_git
from whence.sdk.context.work_tree.state import measure_tree
from work_trees import commit_all, make_work_tree

PATHS = ("app.py", "lib/tools.py", "new.py", "lib/new.py")
CONTENTS = ("print('hello')\n", "x = 1\n", "other\n", "")

paths = st.sampled_from(PATHS)
steps = st.one_of(
    st.tuples(st.just("write"), paths, st.sampled_from(CONTENTS)),
    st.tuples(st.just("link"), paths, st.sampled_from(("app.py", "nowhere"))),
    st.tuples(st.sampled_from(("delete", "chmod", "touch")), paths),
    st.tuples(st.sampled_from(("add --all", "rm --cached -r", "reset", "checkout HEAD"))),
    st.tuples(st.sampled_from(("assume", "no-assume")), paths),
)

sequences = st.lists(steps, max_size=7)
small_steps = st.one_of(st.tuples(st.just("chmod"), paths), steps)
# Two of their own, or the second a little more than the first: nearly the same tree.
pairs = st.one_of(
    st.tuples(sequences, sequences),
    st.builds(
        lambda one, more: (one, one + more),
        sequences,
        st.lists(small_steps, min_size=1, max_size=2),
    ),
)


def apply(folder: Path, step: tuple[str, ...]) -> None:
    word, *given = step
    path = folder / given[0] if given else folder
    if word in ("write", "link"):
        path.parent.mkdir(exist_ok=True)
        if path.is_symlink() or (word == "link" and path.exists()):
            path.unlink()
        path.write_text(given[1]) if word == "write" else path.symlink_to(given[1])
    elif word == "delete":
        path.unlink(missing_ok=True)
    elif word == "chmod" and path.exists() and not path.is_symlink():
        path.chmod(path.stat().st_mode ^ 0o111)
    elif word == "touch" and path.exists():
        os.utime(path, (1, 1))
    elif word.endswith("assume"):
        flag = "--assume-unchanged" if word == "assume" else "--no-assume-unchanged"
        run_git(folder, "update-index", flag, given[0])
    elif not given:  # git refuses some of these in some states; then nothing is done
        run_git(folder, *word.split(), "--", ".")


def read_tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what lies there, read without git."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name == ".git" or name.startswith(".git/"):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_file():
            found[name] = ("file", path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_work_tree(tmp_path_factory.mktemp("sequences") / "origin")
    commit_all(folder)
    return folder


def play(origin: Path, name: str, sequence: list[tuple[str, ...]]):
    folder = origin.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(origin, folder, symlinks=True)
    for step in sequence:
        apply(folder, step)
    state = measure_tree(folder)
    assert state.reason is None
    return state, read_tree(folder)


# Pairs that chance seldom makes: only a mode, a kind, a name, what HEAD has there differs.
@example(([("write", "new.py", "other\n")], [("write", "new.py", "other\n"), ("chmod", "new.py")]))
@example(([("write", "new.py", "app.py")], [("link", "new.py", "app.py")]))
@example(([("write", "new.py", "other\n")], [("write", "lib/new.py", "other\n")]))
@example(([("delete", "app.py")], [("write", "app.py", "")]))
@given(pair=pairs)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_two_hashes_are_equal_exactly_where_the_trees_are(origin: Path, pair):
    one, other = pair
    untouched = read_tree(origin)
    state, tree = play(origin, "one", one)
    other_state, other_tree = play(origin, "other", other)
    assert state.dirty == (tree != untouched)
    assert other_state.dirty == (other_tree != untouched)
    assert (state.hash == other_state.hash) == (tree == other_tree)
