"""Whatever stands in `.git`, the reading ends soon, raises nothing and tells no untruth."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_repositories import commit, git, make_repository, read_without_git
from whence.sdk.context.git import GitState, read_git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "https://example.com/team/app"
FILES = (
    "HEAD",
    "config",
    "packed-refs",
    "refs/heads/main",
    "refs/tags/v1",
    "commondir",
    "refs",
    "refs/heads",
    "objects",
    "objects/pack",
    "objects/info/alternates",
    "shallow",
    "BISECT_START",
    "rebase-merge/head-name",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    repository = make_repository(tmp_path_factory.mktemp("template") / "app", commits=2)
    git(repository, "remote", "add", "origin", URL)
    git(repository, "tag", "-a", "-m", "one", "v1")
    git(repository, "branch", "old", "HEAD~1")
    return repository


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "app")
    return tmp_path / "app"


@pytest.fixture(scope="module")
def commit_id(template: Path) -> str:
    return git(template, "rev-parse", "HEAD")


def clear(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def assert_no_untruth(state: GitState | None, commit_id: str) -> None:
    """What is said is true, and what is unknown is absent, not empty."""
    if state is None:
        return
    assert state.commit in (None, commit_id)
    assert state.branch in (None, "main")
    assert state.url in (None, URL)
    assert state.tag_at_head in (None, "v1")
    assert "" not in msgspec.structs.astuple(state)
    assert "" not in state.branches_at_head


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    (path / "deep").mkdir(parents=True)


def make_circle(path: Path) -> None:
    path.symlink_to(path.name)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


CONTENTS = {
    "empty": b"",
    "zeros": b"\0" * 40,
    "garbage": b"\x00\xff\xfe\r\n",
    "a way out": b"ref: refs/heads/../../../secret",
    "another way out": b"ref: /etc/passwd\n",
    "much": b"x" * 100_000,
    "cut": b"0123456789abcdef",
    "brackets": b"[[[" * 9,
    "deep": b"ref: refs/heads/" + b"a/" * 3000 + b"b\n",
}
KINDS: dict[str, Callable[[Path], None]] = {
    **{
        name: lambda path, data=data: path.write_bytes(data) and None
        for name, data in CONTENTS.items()
    },
    "a named pipe": make_pipe,
    "a folder": make_folder,
    "a circle of links": make_circle,
    "a device": make_device,
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_broken_part_raises_nothing_and_hides_no_truth(
    repository: Path, commit_id: str, name: str, kind: str
):
    path = repository / ".git" / name
    clear(path)
    KINDS[kind](path)
    assert_no_untruth(read_without_git(repository), commit_id)
    if name != "HEAD":
        (repository / ".git" / "HEAD").write_text(commit_id)
        assert_no_untruth(read_without_git(repository), commit_id)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(FILES[:5]),
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"ref: ", b"refs/heads/main", b"\n", b"^", b" ", b"\r\n", b"a" * 40, b"HEAD"]
                + [b"[core]", b"worktree = ", b"/", b"[extensions]\n", b"refstorage = reftable\n"]
                + [b"objectformat = sha256\n", b"# pack-refs with: peeled fully-peeled sorted \n"]
            ),
        ),
        max_size=8,
    ),
)
def test_any_bytes_in_any_file_raise_nothing(template: Path, name: str, pieces: list[bytes]):
    with TemporaryDirectory() as folder:
        shutil.copytree(template, Path(folder) / "app")
        (Path(folder) / "app" / ".git" / name).write_bytes(b"".join(pieces))
        state = read_git(Path(folder) / "app")
    assert state is None or "" not in msgspec.structs.astuple(state)


def test_a_head_that_makes_no_sense_does_not_let_an_outer_repository_answer(repository: Path):
    inner = make_repository(repository / "inner")
    (inner / ".git" / "HEAD").write_text("nonsense\n")
    state = read_without_git(inner)
    assert (state.root, state.commit, state.branch) == (inner.resolve(), None, None)
    assert (state.is_detached, state.branches_at_head) == (False, ())


def test_an_unreadable_branch_does_not_show_its_older_packed_value(repository: Path):
    git(repository, "pack-refs", "--all")
    commit(repository, "newer")
    loose = repository / ".git" / "refs" / "heads" / "main"
    for content in (b"", b"nonsense\n", b"1234\n"):
        loose.write_bytes(content)
        state = read_without_git(repository)
        assert (state.commit, state.branch) == (None, "main")


@contextmanager
def as_a_user_without_rights() -> Iterator[None]:
    """Become nobody for a moment; as root every file can be read."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Yield a folder that any user may enter, as pytest's own are not."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_git_folder_without_permission_is_no_state_and_no_outer_one(shared_folder: Path):
    inner = make_repository(make_repository(shared_folder / "outer") / "inner")
    (inner / ".git").chmod(0)
    with as_a_user_without_rights():
        assert read_git(inner) is None
    (inner / ".git").chmod(0o755)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("HEAD", {"url"}),
        ("config", {"commit", "branch"}),
        ("refs/heads/main", {"branch", "url"}),
        ("refs", {"branch", "url"}),
        ("packed-refs", {"commit", "branch", "url"}),
        ("objects", {"commit", "branch", "url"}),
    ],
)
def test_a_part_without_permission_leaves_the_others_known(
    shared_folder: Path, template: Path, name: str, known: set[str]
):
    repository = shared_folder / "app"
    shutil.copytree(template, repository)
    (repository / ".git" / "packed-refs").touch()
    (repository / ".git" / name).chmod(0)
    with as_a_user_without_rights():
        state = read_git(repository)
    (repository / ".git" / name).chmod(0o755)
    assert {key for key in ("commit", "branch", "url") if getattr(state, key)} == known


def test_references_that_go_in_a_circle_end(repository: Path):
    heads = repository / ".git" / "refs" / "heads"
    (heads / "main").write_text("ref: refs/heads/other\n")
    (heads / "other").write_text("ref: refs/heads/main\n")
    state = read_without_git(repository)
    assert (state.commit, state.branch) == (None, "main")


def test_packed_references_with_the_line_ends_of_windows_are_read(repository: Path):
    git(repository, "pack-refs", "--all")
    expected = read_without_git(repository)
    packed = repository / ".git" / "packed-refs"
    packed.write_bytes(packed.read_bytes().replace(b"\n", b"\r\n"))
    assert read_without_git(repository) == expected
    assert (expected.branch, expected.tag_at_head) == ("main", "v1")
    (repository / ".git" / "HEAD").write_text(expected.commit + "\r\n")
    assert read_without_git(repository).branches_at_head == ("main",)


def test_packed_references_without_a_last_line_end_are_read(repository: Path):
    expected = git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    packed = repository / ".git" / "packed-refs"
    lines = packed.read_bytes().splitlines()
    main = [line for line in lines if line.endswith(b"/main")]
    packed.write_bytes(b"\n".join([*(line for line in lines if line not in main), *main]))
    assert read_without_git(repository).commit == expected


def test_a_name_that_another_one_starts_or_ends_with_is_not_taken_for_it(repository: Path):
    git(repository, "branch", "main-2", "HEAD~1")
    git(repository, "update-ref", "refs/heads/x/refs/heads/main", "HEAD~1")
    git(repository, "pack-refs", "--all")
    assert read_without_git(repository).commit == git(repository, "rev-parse", "HEAD")


def test_a_tag_whose_object_is_broken_is_left_out(repository: Path):
    tag = git(repository, "rev-parse", "v1")
    path = repository / ".git" / "objects" / tag[:2] / tag[2:]
    path.chmod(0o644)
    for content in (b"", b"nonsense", path.read_bytes()[:20]):
        path.write_bytes(content)
        state = read_without_git(repository)
        assert (state.branch, state.tag_at_head) == ("main", None)


def test_a_broken_pack_leaves_commit_and_branch_known(repository: Path):
    git(repository, "gc", "-q")
    git(repository, "update-ref", "refs/tags/again", git(repository, "rev-parse", "v1"))
    git(repository, "update-ref", "-d", "refs/tags/v1")
    commit_id = git(repository, "rev-parse", "HEAD")
    assert read_without_git(repository).tag_at_head == "again"
    for path in sorted((repository / ".git" / "objects" / "pack").iterdir()):
        path.chmod(0o644)
        data = path.read_bytes()
        for broken in (b"", data[: len(data) // 2], b"\xff" * len(data), data[:8] + b"\xff" * 2000):
            path.write_bytes(broken)
            state = read_without_git(repository)
            assert (state.commit, state.branch) == (commit_id, "main")
            assert state.tag_at_head in (None, "again")
        path.write_bytes(data)


def test_folders_that_lend_each_other_objects_are_read_once(repository: Path):
    (repository / ".git" / "objects" / "info" / "alternates").write_text(
        f"{repository}/.git/objects\n# a comment\n../objects\n\n/gone/away\n{repository}\n"
    )
    assert read_without_git(repository).tag_at_head == "v1"


def test_a_path_that_no_file_can_have_has_no_state(tmp_path: Path):
    assert read_git(Path("\0")) is None
    assert read_git(tmp_path / ("x" * 300)) is None
    (tmp_path / "circle").symlink_to("circle")
    assert read_git(tmp_path / "circle") is None
