"""Each CI system and platform, with the variables that its public documentation lists.

The values are the documentation's examples, or of their form. A program outside any repository
asks; nothing but these variables is set.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from platform_examples import BRANCH, COMMIT, EXAMPLES, HEAD_SHA, SERVICE, SHA, TYPE
from whence.sdk.context.platform_table import KEYS, PLATFORMS
from whence.sdk.context.platforms import variables_of
from whence.sdk.context.survey import survey

# Facts of the machine that the tests run on, whatever the platform says.
OF_THE_HOST = ("host.", "process.", "os.", "container.", "k8s.", "cloud.", "faas.", "mlflow.user")


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what a program in an empty folder knows, where only these variables are set."""

    def know(env: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        for name in list(os.environ):
            if name not in ("PATH", "HOME", "USER", "LANG"):
                monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        entries = survey(tmp_path).context.entries
        told = [entry for entry in entries if not entry.key.startswith(OF_THE_HOST)]
        return {e.key: e.value or "" for e in told}, {e.key: e.source for e in told}

    return know


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_platforms_variables_are_understood(name: str, ask):
    values, sources = ask(EXAMPLES[name].env)
    assert values == EXAMPLES[name].expected
    assert all(sources[key].startswith("env ") for key in values if values[key] != "LOCAL")


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_its_marker_a_platforms_variables_mean_nothing(name: str, ask):
    row = next(row for row in PLATFORMS if row.name == EXAMPLES[name].platform)
    own = {key: "" if key in row.markers else text for key, text in EXAMPLES[name].env.items()}
    others = {marker for row in PLATFORMS for marker in row.markers}
    generic = {"GIT_COMMIT", "GIT_BRANCH", "GIT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "CI"}
    env = {key: text for key, text in own.items() if key not in others | generic}
    assert ask(env)[0] == {TYPE: "LOCAL"}


@pytest.mark.parametrize("marker", ["0", "false", "False", "no", "off", " "])
def test_a_marker_that_says_no_marks_nothing(marker: str, ask):
    assert ask({"GITHUB_ACTIONS": marker, "GITHUB_SHA": SHA})[0] == {TYPE: "LOCAL"}


def test_every_platform_of_the_table_has_an_example():
    assert {row.name for row in PLATFORMS} == {example.platform for example in EXAMPLES.values()}


def test_every_row_says_who_documents_it_and_has_a_marker_of_its_own():
    assert all(row.documentation and row.markers for row in PLATFORMS)
    assert len({row.name for row in PLATFORMS}) == len(PLATFORMS)
    assert set(KEYS) < set(type(PLATFORMS[0]).__struct_fields__)


def test_no_row_lists_a_variable_twice_for_one_meaning():
    for row in PLATFORMS:
        for field in KEYS:
            names = getattr(row, field)
            assert len(set(names)) == len(names), (row.name, field)
        assert all(name.isupper() for name in variables_of(row)), row.name


def test_a_jenkins_commit_is_weaker_than_the_programs_own_repository(tmp_path: Path, ask):
    values, _ = ask({"GIT_COMMIT": SHA, "GIT_BRANCH": "main"})
    assert values[COMMIT] == SHA, "without Jenkins it is the application's own variable"
    _, sources = ask({"JENKINS_URL": "x", "GIT_COMMIT": SHA, "WHENCE_COMMIT": HEAD_SHA})
    assert sources[COMMIT] == "env WHENCE_COMMIT"


def test_of_two_platforms_one_says_which_code_it_is(ask):
    values, sources = ask(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": SHA,
            "RENDER": "true",
            "RENDER_GIT_COMMIT": HEAD_SHA,
            "RENDER_GIT_BRANCH": "elsewhere",
            "RENDER_SERVICE_NAME": "shop",
        }
    )
    assert values[COMMIT] == SHA
    assert BRANCH not in values
    assert sources[SERVICE] == "env RENDER_SERVICE_NAME"


def test_a_marker_of_two_variables_needs_both(ask):
    assert ask({"FUNCTION_TARGET": "main"})[0] == {TYPE: "LOCAL"}
    values, sources = ask({"FUNCTION_TARGET": "main", "K_SERVICE": "resize"})
    assert values[TYPE] == "JOB"
    assert sources[TYPE] == "env FUNCTION_TARGET + K_SERVICE"
