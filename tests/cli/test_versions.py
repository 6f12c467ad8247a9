"""`whence versions`: real programs at several commits, one server, the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from cli.conftest import JSON
from cli.test_terminal_text import EVIL, FORGED, is_unsafe
from git_repositories import git
from otlp_requests import body, new_trace_id, span
from shop import EXPERIMENT, install, make_shop, run_shop
from whence.entities.version_manifest import PromptVersion, VersionManifest

PAGE = Path(__file__).parents[2] / "docs" / "versions.md"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory):
    """Run 1.9.0 at the first commit and 1.10.0 at the last, there twice, and dirty in staging."""
    folder = tmp_path_factory.mktemp("shop")
    code = folder / "code"
    commits = make_shop(code)
    old = str(install(folder / "old", openai="1.40.0", tiktoken="0.7.0"))
    new = str(install(folder / "new", openai="1.52.1", httpx_sse="0.4.0"))

    def run(app_version, environment, libraries, **env):
        run_shop(
            code,
            server.url,
            app_version,
            WHENCE_ENVIRONMENT=environment,
            PYTHONPATH=libraries,
            **env,
        )

    git(code, "checkout", "-q", commits[0])
    run("1.9.0", "production", old)
    git(code, "checkout", "-q", "main")
    run("1.10.0", "production", new)
    run("1.10.0", "production", new)
    (code / "prompt.txt").write_text("You answer for a shop.\nBe kind.\n")
    run("1.10.0", "staging", new)
    git(code, "checkout", "-q", "prompt.txt")
    return code, commits


@pytest.fixture
def versions(whence, shop):
    def run(*arguments, **env):
        done = whence("versions", *arguments, "--experiment", EXPERIMENT, **env)
        assert done.code == 0, done.err
        return done

    return run


def test_versions_are_listed_by_environment_the_newest_first(versions, shop):
    _, commits = shop
    rows = json.loads(versions("--format", "json").out)
    assert [(row["environment"], row["app_version"]) for row in rows] == [
        ("production", "1.10.0"),
        ("production", "1.9.0"),
        ("staging", "1.10.0"),
    ]
    newest = rows[0]
    assert newest["traces"] == 8
    assert [one["commit"] for one in newest["commits"]] == [commits[2]]
    assert [(one["name"], one["mean"], one["count"]) for one in newest["quality"]] == [
        ("helpful", 0.5, 8)
    ]


def test_processes_of_equal_content_share_one_manifest(versions):
    rows = json.loads(versions("--format", "json", "--environment", "production").out)
    assert rows[0]["manifest_count"] == 1
    assert rows[0]["manifests"][0]["traces"] == 8
    assert rows[0]["warnings"] == []


def test_one_version_from_different_code_is_two_with_a_warning(versions):
    done = versions()
    line = "1.10.0 names 2 different manifests: they differ in uncommitted changes and prompts"
    assert f"whence: {line}" in done.err
    table = [line.split() for line in done.out.splitlines()]
    assert ["production", "1.10.0", "!"] in [cells[:3] for cells in table]
    dirty = next(cells for cells in table if cells[0] == "staging")
    assert dirty[3].endswith("*")


def test_the_difference_names_commits_dependencies_prompts_and_models(versions, shop):
    code, commits = shop
    out = versions("diff", "1.9.0", "1.10.0", "--repository", str(code)).out
    for line in (
        f"commit {commits[0][:10]} → {commits[2][:10]}: the second is newer, 2 commits between",
        "authors: Ann (1), Bo (1)",
        "2 files: config.json, prompt.txt",
        "added httpx-sse: 0.4.0",
        "removed tiktoken: 0.7.0",
        "openai: 1.40.0 → 1.52.1",
        "+Cite what you found.",
        "declared: chat: gpt-4o → gpt-4.1",
        "asked for, now only: gpt-4.1 (12)",
        "answered, before only: gpt-4o-2026-01-15 (4)",
        "temperature: 0.2 → 0.1",
        "tool, now only: cite (12)",
        "environment: production → production, staging",
    ):
        assert line in out, out


def test_the_page_shows_what_the_command_prints(versions, shop):
    code, _ = shop
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    listed = versions().out
    assert _without_figures(listed) in [_without_figures(one) for one in blocks]
    compared = versions("diff", "1.9.0", "1.10.0", "--repository", str(code)).out
    assert compared in blocks


def _without_figures(table: str) -> list[list[str]]:
    """Return the cells of a table without times and durations, which differ every time."""
    return [
        [cell for cell in TIME.sub("", line).split() if not re.fullmatch(r"[\d.]+", cell)]
        for line in table.splitlines()
        if not line.startswith("─")
    ]


def test_a_commit_and_a_manifest_name_a_version_too(versions, shop):
    _, commits = shop
    rows = json.loads(versions("--format", "json").out)
    digest = rows[1]["manifests"][0]["digest"]
    answer = json.loads(versions("diff", commits[0][:8], digest[:12], "--format", "json").out)
    assert answer["before"]["kind"] == "commit"
    assert answer["after"]["kind"] == "manifest"
    assert answer["commits"]["order"] == "same"
    assert answer["dependencies"] == []


def test_without_a_repository_the_server_tells_how_the_commits_lie(versions):
    answer = json.loads(versions("diff", "1.9.0", "1.10.0", "--format", "json").out)
    assert (answer["commits"]["order"], answer["commits"]["count"]) == ("forward", 2)
    assert answer["commits"]["authors"] is None


def test_the_git_program_is_not_needed_to_count(versions, shop):
    code, _ = shop
    answer = json.loads(
        versions(
            "diff", "1.10.0", "1.9.0", "--format", "json", "--repository", str(code), PATH=""
        ).out
    )
    assert answer["commits"]["looked_at"] == "files of .git"
    assert (answer["commits"]["order"], answer["commits"]["count"]) == ("backward", 2)


def test_markdown_holds_the_prompts_difference_in_a_block(versions):
    out = versions("diff", "1.9.0", "1.10.0", "--format", "markdown").out
    assert out.startswith("## 1.9.0 → 1.10.0\n")
    assert "```diff\n" in out


def test_a_version_that_nobody_named_is_an_error(whence, shop):
    done = whence("versions", "diff", "1.9.0", "9.9.9")
    assert done.code == 1
    assert "no trace names a version '9.9.9'" in done.err


def test_what_a_hostile_program_declared_commands_no_terminal(whence, server):
    commits = []
    for number in "89":
        manifest = VersionManifest(
            app_version=EVIL,
            commit=number * 40,
            branch=f"{EVIL}{number}",
            distributions={f"d{EVIL}": f"{EVIL}{number}"},
            models={f"m{EVIL}": f"{EVIL}{number}"},
            parameters={f"p{EVIL}": [f"{EVIL}{number}"]},
            prompts={f"x{EVIL}{number}": PromptVersion("0" * 64, 3, "0" * 64)},
        )
        document = {
            "whence.document.kind": "manifest",
            "whence.document.hash": manifest.digest,
            "whence.document.text": manifest.to_text(),
        }
        resource = {
            "mlflow.experimentId": "6667",
            "service.version": EVIL,
            "deployment.environment.name": EVIL,
            "vcs.ref.head.revision": number * 40,
            "whence.metadata.whence.manifest": manifest.digest,
        }
        root = span(new_trace_id(), name=f"{EVIL}{number}", attributes={"mlflow.spanType": "TOOL"})
        for content in (body(**document), body(root, **resource)):
            httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
        commits.append(number * 8)
    for words in ((), ("diff", *commits), ("diff", *commits, "--format", "markdown")):
        done = whence("versions", *words, "--experiment", "6667")
        assert done.code == 0, done.err
        assert EVIL[:1] in done.out
        found = {one for one in done.out + done.err if is_unsafe(one)} - {"\n"}
        assert not found, (words, found)
        lines = (done.out + done.err).splitlines()
        assert not any(line.strip().startswith(FORGED) for line in lines), words
