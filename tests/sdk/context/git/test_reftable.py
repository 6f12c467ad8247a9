"""Reftables are read as their format says: written by ourselves, recorded from git, made by git."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_repositories import (
    commit,
    git,
    git_version,
    make_repository,
    read_without_git,
    run_git,
    without_programs,
)
from reftable_files import Layout, Ref, encode_table, write_stack
from whence.sdk.context.git.refs import HEADS, TAGS
from whence.sdk.context.git.reftable import RefTables

RECORDED = Path(__file__).parent / "reftables.zip"
needs_reftables = pytest.mark.skipif(
    git_version() < (2, 45), reason="this git makes no reftables; recorded ones are read"
)


# --- Written by ourselves -------------------------------------------------------------------------

WORDS = st.sampled_from(["a", "b", "main", "v1", "x" * 60, "é", "feature"])
NAMES = st.builds(
    lambda kind, words: f"refs/{kind}/{'/'.join(words)}".encode(),
    st.sampled_from(["heads", "tags", "remotes/origin", "pull"]),
    st.lists(WORDS, min_size=1, max_size=3),
)
IDS = st.sampled_from(range(1, 6))
LAYOUTS = st.builds(
    Layout,
    st.sampled_from([400, 512, 4096, 65536]),
    st.booleans(),
    st.sampled_from([1, 2, 16]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def make_ref(width: int, name: bytes, kind: int, value: int, peeled: int) -> Ref:
    """Return a reference of one of the four kinds."""
    one, other = bytes([value]) * width, bytes([peeled]) * width
    return [Ref(name), Ref(name, one), Ref(name, one, other), Ref(name, target=b"refs/heads/main")][
        kind
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    width=st.sampled_from([20, 32]),
    layout=LAYOUTS,
    stack=st.lists(
        st.dictionaries(NAMES, st.tuples(st.integers(0, 3), IDS, IDS), max_size=40), max_size=4
    ),
)
def test_the_newest_table_that_knows_a_name_decides(width: int, layout: Layout, stack: list):
    tables = [[make_ref(width, name, *more) for name, more in one.items()] for one in stack]
    merged = {ref.name: ref for table in tables for ref in table}
    with TemporaryDirectory() as folder:
        write_stack(Path(folder), tables, width, layout)
        store = RefTables(folder, folder, width * 2)
        for name, ref in {**merged, b"refs/heads/none": Ref(b"")}.items():
            value = store.read(name)
            assert (value and value.object_id) == (ref.value.hex() or None)
            assert (value and value.target) == (ref.target or None)
        wanted = b"\3" * width
        for prefix in (HEADS, TAGS):
            found = {(ref.name, ref.is_peeled) for ref in store.find_at(wanted.hex(), prefix)}
            assert found == {
                (ref.name, ref.value != wanted)
                for ref in merged.values()
                if wanted in (ref.value, ref.peeled) and ref.name.startswith(prefix)
            }


def make_by_hand(folder: Path, tables: list[list[Ref]], storage: str = "reftable") -> Path:
    """Make a repository with reftables without a git that could."""
    repository = make_repository(folder, commits=0)
    git_dir = repository / ".git"
    with (git_dir / "config").open("a") as file:  # an old git refuses to, once it stands there
        file.write(f"[core]\nrepositoryFormatVersion = 1\n[extensions]\nrefStorage = {storage}\n")
        file.write('[remote "origin"]\nurl = https://example.com/a\n')
    (git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n")
    write_stack(git_dir, tables, 20, Layout())
    return repository


ONE, TWO = b"\x11" * 20, b"\x22" * 20
ON_MAIN = [Ref(b"HEAD", target=b"refs/heads/main"), Ref(b"refs/heads/main", ONE)]


def test_head_is_read_from_the_tables(tmp_path: Path):
    state = read_without_git(make_by_hand(tmp_path / "app", [ON_MAIN]))
    assert (state.commit, state.branch, state.is_detached) == (ONE.hex(), "main", False)


def test_a_detached_head_finds_its_branch_and_its_tag(tmp_path: Path):
    first = [*ON_MAIN, Ref(b"refs/heads/gone", ONE), Ref(b"refs/tags/v1", TWO, ONE)]
    second = [Ref(b"HEAD", ONE), Ref(b"refs/heads/gone"), Ref(b"refs/heads/x", TWO)]
    state = read_without_git(make_by_hand(tmp_path / "app", [first, second]))
    assert (state.commit, state.branch, state.is_detached) == (ONE.hex(), None, True)
    assert (state.branches_at_head, state.tag_at_head) == (("main",), "v1")


def damage(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([value]) + data[place + 1 :]


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 230), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_table_is_unknown_or_wrong_in_a_value_only(place: int, value: int, cut: bool):
    data = encode_table([*ON_MAIN, Ref(b"refs/tags/v1", TWO, ONE)], 1, 20, Layout())
    with TemporaryDirectory() as folder:
        (Path(folder) / "reftable").mkdir()
        (Path(folder) / "reftable" / "x.ref").write_bytes(
            data[:place] if cut else damage(data, place, value)
        )
        (Path(folder) / "reftable" / "tables.list").write_text("x.ref\n")
        store = RefTables(folder, folder, 40)
        for read in (
            lambda: store.read(b"HEAD"),
            lambda: store.read(b"refs/heads/main"),
            lambda: list(store.find_at(ONE.hex(), TAGS)),
        ):
            try:
                read()
            except ValueError:
                continue


@pytest.mark.parametrize(
    "listed", ["", "../outside.ref\n", "missing.ref\n", "\0\n", "tables.list\n", "x\n" * 2000]
)
def test_a_list_of_tables_that_makes_no_sense_leaves_the_head_unknown(tmp_path: Path, listed: str):
    repository = make_by_hand(tmp_path / "app", [ON_MAIN])
    (repository / ".git" / "reftable" / "tables.list").write_text(listed)
    state = read_without_git(repository)
    assert (state.commit, state.branch) == (None, None)
    assert state.url == "https://example.com/a"


def test_a_head_in_reftables_that_are_kept_elsewhere_is_unknown(tmp_path: Path):
    repository = make_by_hand(tmp_path / "app", [ON_MAIN], "reftable:///srv/refs")
    state = read_without_git(repository)
    assert (state.commit, state.branch) == (None, None)


# --- Recorded from git 2.47 -----------------------------------------------------------------------


def recorded_names() -> list[str]:
    with zipfile.ZipFile(RECORDED) as file:
        return sorted(json.loads(file.read("states.json")))


@pytest.mark.parametrize("name", recorded_names())
def test_reftables_that_git_wrote_are_read(name: str, tmp_path: Path):
    with zipfile.ZipFile(RECORDED) as file:
        expected = json.loads(file.read("states.json"))[name]
        for member in file.namelist():
            if member.startswith(name + "/"):
                file.extract(member, tmp_path)
    top = tmp_path / name
    for link in [*top.rglob(".git"), *top.rglob("commondir"), *top.rglob("gitdir")]:
        if link.is_file():
            link.write_text(link.read_text().replace("@TOP@", str(top)))
    state = read_without_git(top / expected.pop("folder"))
    said = msgspec.structs.asdict(state)
    assert {key: said[key] for key in expected} == {
        key: tuple(value) if isinstance(value, list) else value for key, value in expected.items()
    }


# --- Made by the installed git --------------------------------------------------------------------


@needs_reftables
@pytest.mark.parametrize("form", ["sha1", "sha256"])
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    rounds=st.lists(
        st.dictionaries(
            NAMES.filter(lambda name: not name.endswith(b"main")),
            st.sampled_from(["HEAD", "HEAD~1", "annotated", "delete"]),
            max_size=120,
        ),
        max_size=5,
    ),
    compact=st.booleans(),
)
def test_random_updates_by_git_are_read_as_git_lists_them(form: str, rounds: list, compact: bool):
    with TemporaryDirectory() as folder:
        repository = make_repository(
            Path(folder) / "app", "--ref-format=reftable", f"--object-format={form}", commits=2
        )
        git(repository, "config", "reftable.blockSize", "512")
        git(repository, "tag", "-a", "-m", "x", "annotated")
        ids = {name: git(repository, "rev-parse", name) for name in ("HEAD", "HEAD~1", "annotated")}
        for changes in rounds:
            lines = []
            for name, what in changes.items():
                verb = "delete" if what == "delete" else "update"
                lines.append(f"{verb} {name.decode()} {ids.get(what, '')}".rstrip())
            for line in lines:  # names that collide (a, a/b) are refused one by one
                run_git(repository, "update-ref", "--stdin", input=(line + "\n").encode())
        if compact:
            git(repository, "pack-refs", "--all")
        form_of_line = "--format=%(refname) %(objectname) %(*objectname)"
        listed = git(repository, "for-each-ref", form_of_line).splitlines()
        git_dir = str(repository / ".git")
        with without_programs():
            store = RefTables(git_dir, git_dir, len(ids["HEAD"]))
            at_head = {ref.name for ref in store.find_at(ids["HEAD"], b"refs/")}
            for line in listed:
                name, value, *peeled = line.split(" ")
                assert store.read(name.encode()).object_id == value
                assert (name.encode() in at_head) == (ids["HEAD"] in (value, *peeled))
        assert len(at_head) == sum(ids["HEAD"] in line for line in listed)


@needs_reftables
def test_many_references_in_reftables_are_found_by_name_and_by_commit(tmp_path: Path):
    repository = make_repository(tmp_path / "app", "--ref-format=reftable", commits=2)
    older = git(repository, "rev-parse", "HEAD~1")
    lines = "".join(f"create refs/heads/b{number:05} {older}\n" for number in range(5_000))
    git(repository, "update-ref", "--stdin", input=lines.encode())
    git(repository, "checkout", "-q", "b02500")
    newest = commit(repository, "newer")
    git(repository, "checkout", "-q", "--detach")
    state = read_without_git(repository)
    assert (state.commit, state.branches_at_head) == (newest, ("b02500",))
