from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import whence
from whence.entities import experiment_id_of
from whence.errors import InvalidInputError
from whence.sdk import settings


def run_fresh(code, **environment):
    """Return what a new process prints as JSON."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WHENCE_", "MLFLOW_"))}
    command = [
        sys.executable,
        "-c",
        f"import json, whence\nfrom whence.testing import capture_spans\n{code}",
    ]
    result = subprocess.run(
        command,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(result.stdout.splitlines()[-1])


ONE_SPAN = """
with capture_spans() as spans:
    with whence.start_span("s"): pass
print(json.dumps([[i.experiment_id, i.experiment_name] for i in spans.items]))
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, [["0", "Default"]]),
        ({"MLFLOW_EXPERIMENT_NAME": "chatbot"}, [["1062218882224921", "chatbot"]]),
        (
            {"WHENCE_EXPERIMENT": "chatbot", "MLFLOW_EXPERIMENT_NAME": "other"},
            [["1062218882224921", "chatbot"]],
        ),
        ({"MLFLOW_EXPERIMENT_ID": "42"}, [["42", ""]]),
        ({"WHENCE_DISABLED": "true"}, []),
        ({"MLFLOW_TRACE_SAMPLING_RATIO": "0"}, []),
        ({"WHENCE_SAMPLING_RATIO": "nonsense"}, [["0", "Default"]]),
    ],
)
def test_the_environment_stands_in_for_what_was_not_configured(environment, expected):
    assert run_fresh(ONE_SPAN, **environment) == expected


def test_the_destination_comes_from_the_call_then_the_environment_then_the_default():
    code = "print(json.dumps(whence.get_tracking_uri()))"
    assert run_fresh(code) == "./.whence"
    assert run_fresh(code, MLFLOW_TRACKING_URI="http://a:1") == "http://a:1"
    assert (
        run_fresh(code, MLFLOW_TRACKING_URI="http://a:1", WHENCE_URL="http://b:2") == "http://b:2"
    )
    assert (
        run_fresh("whence.set_tracking_uri('http://c:3')\n" + code, WHENCE_URL="http://b:2")
        == "http://c:3"
    )


def test_set_experiment_computes_the_id_and_applies_to_new_traces(spans):
    with whence.start_span("before"):
        experiment = whence.set_experiment("chatbot")
        with whence.start_span("child"):
            pass
    with whence.start_span("after"):
        pass
    by_id = whence.set_experiment(experiment_id="42")
    assert (experiment.name, experiment.experiment_id) == ("chatbot", experiment_id_of("chatbot"))
    assert by_id.experiment_id == "42"
    assert [item.experiment_name for item in spans.items] == ["Default", "Default", "chatbot"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"experiment_name": "a", "experiment_id": "1"},
        {"experiment_name": ""},
        {"experiment_name": 5},
        {"experiment_name": "a", "trace_location": object()},
    ],
)
def test_set_experiment_refuses_what_names_no_experiment(arguments):
    with pytest.raises(InvalidInputError):
        whence.set_experiment(**arguments)


def test_a_root_may_name_its_experiment_and_its_run(spans):
    from whence.entities import TraceLocation

    whence.start_span_no_context("a", experiment_id="7").end()
    with whence.start_span(
        "b", trace_destination=TraceLocation.from_experiment_id("8"), run_id="run-1"
    ):
        pass
    assert [item.experiment_id for item in spans.items] == ["7", "8"]
    assert spans.metadata("b") == {"mlflow.sourceRun": "run-1"}


def test_configure_declares_what_the_process_is():
    whence.configure(
        environment="staging",
        app_version="2.1.0",
        deployment_id="d-1",
        region=None,
        metadata={"team": 5, "none": None},
    )
    assert settings.declared == {
        "environment": "staging",
        "app_version": "2.1.0",
        "deployment_id": "d-1",
        "team": "5",
    }
    whence.configure(region="eu-1")
    assert settings.declared["region"] == "eu-1"
    assert settings.declared["environment"] == "staging"


@pytest.mark.parametrize(
    "arguments",
    [
        {"sampling_ratio": 2},
        {"sampling_ratio": "1"},
        {"metadata": "x"},
        {"span_processors": [5]},
        {"experiment": ""},
        {"url": ""},
    ],
)
def test_configure_refuses_wrong_arguments(arguments):
    with pytest.raises(InvalidInputError):
        whence.configure(**arguments)


def test_sampling_leaves_out_whole_traces(spans):
    whence.configure(sampling_ratio=0.0)
    with whence.start_span("root"), whence.start_span("child") as child:
        child.set_attribute("a", 1)
    assert len(spans) == 0
    whence.configure(sampling_ratio=0.5)
    for _ in range(400):
        with whence.start_span("root"), whence.start_span("child"):
            pass
    assert 200 < len(spans) < 600
    assert spans.names().count("root") == spans.names().count("child")
