"""Every name of MLflow's tracing API is in Whence, or says why it is not."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import mlflow_api
import pytest

import whence
from serving import clean_environment
from whence.left_out import LEFT_OUT

ROOT = Path(__file__).resolve().parents[2]
DESCRIBE = Path(__file__).with_name("describe_client.py")
NAMES = [(section.owner, name) for section in mlflow_api.SECTIONS for name in section.names]
ABSENT = [(owner, name) for owner, names in LEFT_OUT.items() for name in names]


@pytest.fixture(scope="module")
def client():
    """What the real client offers."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(DESCRIBE)],
        env=clean_environment(MLFLOW_DISABLE_TELEMETRY="true"),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("owner", "name"), NAMES)
def test_a_name_of_the_table_is_there(owner, name):
    assert mlflow_api.resolve(owner, name) is not None


@pytest.mark.parametrize(("owner", "name"), ABSENT)
def test_a_name_that_is_left_out_says_why(owner, name):
    place = mlflow_api.find_owner(owner)
    if inspect.isclass(place):
        place = object.__new__(place)
    with pytest.raises(AttributeError, match="left out on purpose") as raised:
        getattr(place, name)
    assert LEFT_OUT[owner][name] in str(raised.value)


def test_a_name_of_nobody_is_an_ordinary_error():
    for place in (whence, whence.tracing, whence.entities, whence.MlflowClient()):
        with pytest.raises(AttributeError, match="no attribute 'no_such'$"):
            _ = place.no_such


def test_a_name_that_is_left_out_is_not_there_as_well():
    assert not set(NAMES) & set(ABSENT)


def test_the_differences_and_the_variables_are_of_the_table():
    full = {section.prefix + name for section in mlflow_api.SECTIONS for name in section.names}
    assert set(mlflow_api.DIFFERS) <= full
    assert not set(mlflow_api.HONOURED) & set(mlflow_api.IGNORED)


def test_the_variables_that_are_read_are_those_of_the_table():
    """What else is named `MLFLOW_…` in the source are constants of ours.

    Apart from `whence/moves`, which signs in to an MLflow server as its own client does.
    """
    source = ROOT / "src" / "whence"
    paths = (path for path in source.rglob("*.py") if source / "moves" not in path.parents)
    texts = [path.read_text(encoding="utf-8") for path in paths]
    named = set(re.findall(r"[\"' ](MLFLOW_[A-Z_]+)[\"']", "\n".join(texts)))
    assert set(mlflow_api.HONOURED) <= named
    assert not set(mlflow_api.IGNORED) & named


def test_the_page_is_fresh():
    written = mlflow_api.PAGE.read_text(encoding="utf-8")
    assert written == mlflow_api.write_page(), "run python scripts/mlflow_api.py"


@pytest.mark.parametrize("owner", ["whence.tracing", "MlflowClient", "Span", "LiveSpan", "Trace"])
def test_every_public_name_of_the_client_is_decided(client, owner):
    """Of the client class those that speak of traces or experiments; models and prompts go on."""
    decided = {name for place, name in (*NAMES, *ABSENT) if place == owner}
    offered = set(client["tracing.__all__"] if owner == "whence.tracing" else client[owner])
    if owner == "MlflowClient":
        words = ("trace", "span", "assessment", "experiment")
        offered = {name for name in offered if any(word in name for word in words)}
        offered -= {"add_dataset_to_experiments", "remove_dataset_from_experiments"}
    if owner == "LiveSpan":
        offered -= set(client["Span"]) | {"from_immutable_span"}
    assert offered - decided == set()


def test_every_function_of_the_client_is_decided(client):
    decided = {name for place, name in (*NAMES, *ABSENT) if place == "whence"}
    assert {*client["mlflow.__all__"]} - decided == set()


# Parameters that stand elsewhere in Whence, or that need no place.
FREE = {
    ("whence", "MlflowClient"),  # `workspace_store_uri`
    ("whence.entities", "Experiment"),  # made by nobody
    ("whence.entities", "AssessmentSourceType"),  # made by nobody
    ("whence.entities", "Span"),
    ("whence.entities", "TraceLocation"),  # Databricks'
    ("LiveSpan", "add_event"),  # also by OpenTelemetry's names
    ("LiveSpan", "add_link"),
    ("Trace", "from_dictionary"),
    ("TraceInfo", "from_dict"),
}


def parameters_of(value: object) -> dict[str, str | None]:
    return {
        one.name: None if one.default is one.empty else repr(one.default)
        for one in inspect.signature(value).parameters.values()
    }


@pytest.mark.parametrize(("owner", "name"), NAMES)
def test_the_arguments_of_the_client_are_taken(client, owner, name):
    theirs = client[owner].get(name)
    value = mlflow_api.resolve(owner, name)
    if not theirs or not callable(value) or (owner, name) in FREE:
        return
    ours = parameters_of(value)
    if any(kind == "VAR_KEYWORD" for _, kind, _ in theirs):
        return
    missing = [one for one, _, _ in theirs if one not in ours]
    assert not missing
    for one, _, default in theirs:
        if default is not None and "factory" not in default and " object at" not in default:
            assert ours[one] is not None, f"{one} has a default in MLflow"
    positional = [one for one, kind, _ in theirs if kind == "POSITIONAL_OR_KEYWORD"]
    assert list(ours)[: len(positional)] == positional
