"""`whence context`, as a person runs it: about programs in other places than the command's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from git_repositories import git
from serving import clean_environment

WHENCE = Path(sys.executable).with_name("whence")
PLAIN = "import sys; from whence.cli.light import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A clone with a detached HEAD, as CI systems make them."""
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    (source / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "2.1.0"\n')
    (source / "app.py").write_text("print('hello')\n")
    git(source, "add", ".")
    git(source, "commit", "-q", "-m", "first")
    git(tmp_path, "clone", "-q", "source", "shop")
    folder = tmp_path / "shop"
    git(folder, "checkout", "-q", "--detach")
    return folder


def run(folder: Path, *words: str, program: tuple[str, ...] = (str(WHENCE),), **env: str):
    return subprocess.run(
        [*program, "context", *words],
        cwd=folder,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ask(folder: Path, *words: str, **env: str) -> dict[str, dict[str, Any]]:
    done = run(folder, "--json", *words, **env)
    assert done.returncode == 0, done.stderr
    return {entry["key"]: entry for entry in json.loads(done.stdout)["context"]}


def values(entries: dict[str, dict[str, Any]], *names: str) -> list[str | None]:
    return [entries[f"mlflow.source.{name}"]["value"] for name in names]


def test_it_speaks_of_a_program_in_this_folder_and_not_of_itself(shop: Path):
    entries = ask(shop)
    head = git(shop, "rev-parse", "HEAD")
    assert values(entries, "git.commit", "git.branch") == [head, "main"]
    assert (entries["app_version"]["value"], entries["app_version"]["source"]) == (
        "2.1.0",
        "pyproject.toml",
    )
    assert entries["mlflow.source.name"]["value"] is None
    assert "process.pid" not in entries
    assert entries["whence.git.dirty"]["value"] == "false"


def test_it_speaks_of_another_folder_and_of_a_program_there(shop: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    head = git(shop, "rev-parse", "HEAD")
    assert values(ask(elsewhere, str(shop)), "git.commit") == [head]
    for words in (
        [str(shop / "app.py")],
        ["--program", str(shop / "app.py")],
        [str(shop), "--program", "app.py"],
    ):
        assert values(ask(elsewhere, *words), "git.commit", "name") == [head, "app.py"]
    assert values(ask(elsewhere), "git.commit") == [None]


def test_on_a_detached_head_it_says_which_variable_names_the_branch(shop: Path):
    head = git(shop, "rev-parse", "HEAD")
    job = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": head, "GITHUB_REF": "refs/heads/release"}
    shown = run(shop, **job).stdout
    assert "release" in shown and "env GITHUB_REF" in shown
    assert "instead of 'main' by .git (the only branch at the commit)" in shown
    other = run(shop, **{**job, "GITHUB_SHA": "f" * 40}).stdout
    assert "not 'release' by env GITHUB_REF, which speaks of another commit" in other


def test_in_a_folder_like_a_containers_it_reads_the_stamp(shop: Path, tmp_path: Path):
    image = tmp_path / "image"
    image.mkdir()
    (image / "app.py").write_bytes((shop / "app.py").read_bytes())
    subprocess.run(
        [str(WHENCE), "stamp", "--output", str(image)], cwd=shop, check=True, capture_output=True
    )
    entries = ask(image, "--program", "app.py")
    head = git(shop, "rev-parse", "HEAD")
    assert values(entries, "git.commit", "git.branch", "name") == [head, "main", "app.py"]
    source = entries["mlflow.source.git.commit"]["source"]
    assert source == f"stamp {image / 'whence-stamp.json'}"


def test_a_tree_edited_twice_is_two_versions_and_the_same_edit_is_one(shop: Path):
    hashes = []
    for number in (1, 2, 1):
        (shop / "app.py").write_text(f"print({number})\n")
        entries = ask(shop)
        assert entries["whence.git.dirty"]["value"] == "true"
        hashes.append(entries["whence.git.dirty_hash"]["value"])
    assert hashes[0] == hashes[2] != hashes[1]


def test_what_is_unknown_comes_last_with_what_was_looked_at_and_what_mends_it(shop: Path):
    lines = run(shop).stdout.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("environment"))
    assert "unknown" in lines[start]
    assert "looked at configure(), env WHENCE_ENVIRONMENT, WHENCE_METADATA_…" in lines[start]
    assert "to mend it: set WHENCE_ENVIRONMENT" in lines[start + 1]
    known = [index for index, line in enumerate(lines) if line.startswith("mlflow.source.type")]
    assert known[0] < start


def test_why_dirtiness_is_unknown_is_said(shop: Path):
    entries = ask(shop, PATH="/nowhere")
    assert entries["whence.git.dirty"]["value"] is None
    assert entries["whence.git.dirty"]["reason"]


def test_the_plain_install_says_the_same(shop: Path):
    plain = run(shop, "--json", program=(sys.executable, "-c", PLAIN))
    full = run(shop, "--json")
    assert json.loads(plain.stdout)["context"] == json.loads(full.stdout)["context"]
    text = run(shop, program=(sys.executable, "-c", PLAIN))
    assert "to mend it: " in text.stdout and "files and variables took" in text.stderr


@pytest.mark.parametrize("words", [["missing"], ["--program", "missing.py"], ["app.py/x"]])
def test_a_place_that_is_not_there_is_a_wrong_input(shop: Path, words: list[str]):
    done = run(shop, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "exists" in done.stderr
