"""The configuration is read as git reads it."""

from __future__ import annotations

import os
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_repositories import git, make_repository, read_without_git, run_git
from whence.sdk.context.git.config import find_remote_url, parse_config, read_config


def listed_by_git(text: str) -> list[tuple[str, str]] | None:
    """Return the entries as `git config --list` gives them, None where it refuses the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        done = run_git(Path(folder), "config", "--file", str(path), "--list", "-z")
    if done.returncode:
        return None
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return [(key, value) for key, _, value in (line.partition("\n") for line in lines)]


def listed_by_us(text: str) -> list[tuple[str, str]]:
    return [
        (".".join(part for part in entry[:3] if part), entry.value) for entry in parse_config(text)
    ]


def spaced(entries: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Blanks inside a value are kept by git since 2.45 and became spaces before."""
    return [(key, value.replace("\r", " ")) for key, value in entries]


def test_an_example_with_every_form_is_read_as_git_reads_it():
    text = (
        '\ufeff[remote "or\\"igin"] ; a comment\n'
        '\turl = "https://example.com/a b" # cut\n'
        "# a comment that ends in a backslash \\\n"
        "[core]\n\tbare\n\tNAME = two \\\n  lines  \n\tkept = x \\\n\n"
        "[remote.Old]\nurl=https://example.com/x;y\n[a][b] c = 1\n"
        '[Branch "Main"]\n\tdescription = tab\\there "; kept " end\n'
        '\tempty =\n\tquotes = ""  \n\tspaces = x ""  \n\tlast = a\u00a0\u00a0'
    )
    assert listed_by_us(text) == listed_by_git(text)
    assert len(listed_by_us(text)) == 11


NAME = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=6)
KEY = st.builds(lambda first, rest: first + rest, st.sampled_from("abXY"), NAME)
PIECE = st.sampled_from(
    ["word", "ü", "\u00a0", " ", "  ", '"', '" "', "\\\\", '\\"', "\\n", "\\t", "\\b", "\\\n"]
    + ["\r", ";", "#", "=", "[", "]", "'", "a.b", "\\\n \\\n", '"#;"', "é\udce9"]
)
SUBSECTION = st.lists(
    st.sampled_from(["a", "B", ".", " ", "ü", '\\"', "\\\\", "\\x"]), min_size=1, max_size=4
)
HEADER = st.one_of(
    st.builds("[{}]".format, NAME),
    st.builds("[{}.{}]".format, NAME, NAME),
    st.builds(lambda name, rest: f'[{name} "{"".join(rest)}"]', NAME, SUBSECTION),
)
VALUE = st.builds("".join, st.lists(PIECE, max_size=6))
LINE = st.one_of(
    HEADER,
    st.builds("{} {}".format, HEADER, KEY),
    st.builds("\t{} = {}".format, KEY, VALUE),
    st.builds("{}={}".format, KEY, VALUE),
    KEY,
    st.builds(lambda mark, value: mark + value.replace("\n", ""), st.sampled_from("#;"), VALUE),
    st.just(""),
)
TEXT = st.builds(
    lambda lines, ends: "[s]\n" + "".join(map("".join, zip(lines, ends, strict=False))),
    st.lists(LINE, max_size=8),
    st.lists(st.sampled_from(["\n", "\r\n", "\n\n", " \n"]), min_size=8, max_size=8),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_every_configuration_that_git_accepts_is_read_as_git_reads_it(text: str):
    theirs = listed_by_git(text)
    ours = listed_by_us(text)
    if theirs is not None:  # nine of ten texts
        assert spaced(ours) == spaced(theirs)


@given(st.text())
def test_any_text_is_read_as_a_configuration(text: str):
    find_remote_url(parse_config(text))


def test_a_long_line_takes_no_time_out_of_proportion():
    for text in ("[" * 200_000, '[a "' * 50_000, "a" * 400_000, "# \\\n" * 50_000, '"' * 200_000):
        parse_config(text)
        parse_config("[s]\nk = " + text)


def test_a_branchs_remote_comes_after_origin_and_before_the_first(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    git(repository, "remote", "add", "first", "https://example.com/first")
    git(repository, "remote", "add", "second", "https://example.com/second")
    assert read_without_git(repository).url == "https://example.com/first"
    git(repository, "config", "branch.main.remote", "second")
    assert read_without_git(repository).url == "https://example.com/second"
    git(repository, "config", "branch.main.remote", ".")
    assert read_without_git(repository).url == "https://example.com/first"
    git(repository, "remote", "add", "origin", "https://example.com/origin")
    assert read_without_git(repository).url == "https://example.com/origin"


def test_an_address_stays_as_it_is_written_where_git_would_replace_it(tmp_path: Path):
    repository = make_repository(tmp_path / "app")
    git(repository, "remote", "add", "origin", "https://example.com/team/app")
    git(repository, "config", "url.ssh://git@mirror/.insteadOf", "https://example.com/")
    assert git(repository, "remote", "get-url", "origin") == "ssh://git@mirror/team/app"
    assert read_without_git(repository).url == "https://example.com/team/app"


def test_files_that_include_each_other_are_read_a_bounded_number_of_times(tmp_path: Path):
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).write_text(
            f"[include]\npath = {other}\npath = {other}\n[a]\nb = {name}\n"
        )
    assert 2 <= len(read_config(str(tmp_path / "one"))) <= 100


@pytest.mark.parametrize("target", ["missing", "/dev/zero", ".", "pipe"])
def test_an_included_file_that_can_not_be_read_hides_nothing_else(tmp_path: Path, target: str):
    repository = make_repository(tmp_path / "app")
    git(repository, "remote", "add", "origin", "https://example.com/team/app")
    os.mkfifo(repository / ".git" / "pipe")
    with (repository / ".git" / "config").open("a") as file:
        file.write(f"[include]\n\tpath = {target}\n")
    state = read_without_git(repository)
    assert (state.url, state.branch) == ("https://example.com/team/app", "main")
    assert state.commit == git(repository, "rev-parse", "HEAD") if target == "missing" else True
