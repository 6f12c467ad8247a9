"""Where new traces go, and which model they are of."""

from __future__ import annotations

import threading

import pytest

import whence
from whence.entities import MlflowExperimentLocation, TraceLocation
from whence.errors import InvalidInputError


def experiment_of(spans) -> str:
    with whence.start_span("answer"):
        pass
    return spans.items[-1].experiment_id


def test_a_destination_is_stronger_than_the_active_experiment(spans):
    whence.set_experiment(experiment_id="5")
    whence.tracing.set_destination(MlflowExperimentLocation("7"))
    assert experiment_of(spans) == "7"
    whence.tracing.set_destination(TraceLocation.from_experiment_id("8"))
    assert experiment_of(spans) == "8"
    whence.tracing.set_destination(None)
    assert experiment_of(spans) == "5"


def test_a_trace_of_its_own_destination_goes_there(spans):
    whence.tracing.set_destination(MlflowExperimentLocation("7"))
    with whence.start_span("answer", trace_destination=MlflowExperimentLocation("9")):
        pass
    assert spans.items[-1].experiment_id == "9"


def test_a_destination_of_the_context_holds_for_this_thread_alone(spans):
    whence.tracing.set_destination(MlflowExperimentLocation("7"))
    elsewhere = []

    def run():
        whence.tracing.set_destination(MlflowExperimentLocation("8"), context_local=True)
        elsewhere.append(experiment_of(spans))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert elsewhere == ["8"]
    assert experiment_of(spans) == "7"


@pytest.mark.parametrize("destination", ["7", 7, object()])
def test_what_is_no_location_is_refused(destination):
    with pytest.raises(InvalidInputError, match="Invalid destination type"):
        whence.tracing.set_destination(destination)


def test_the_environment_may_name_the_destination(spans, monkeypatch, warnings_logged):
    monkeypatch.setenv("MLFLOW_TRACING_DESTINATION", "11")
    whence.tracing.reset()
    assert experiment_of(spans) == "11"
    monkeypatch.setenv("MLFLOW_TRACING_DESTINATION", "catalog.schema")
    whence.tracing.reset()
    assert experiment_of(spans) == "0"
    assert "MLFLOW_TRACING_DESTINATION" in warnings_logged()[-1]


def model_of(spans) -> str | None:
    with whence.start_span("answer"):
        pass
    return spans.items[-1].to_record().attributes.get("whence.metadata.mlflow.modelId")


def test_new_traces_are_of_the_active_model(spans):
    assert model_of(spans) is None
    whence.set_active_model(model_id="m-1")
    assert whence.get_active_model_id() == model_of(spans) == "m-1"
    whence.clear_active_model()
    assert whence.get_active_model_id() is model_of(spans) is None


def test_a_model_is_active_for_a_block(spans):
    whence.set_active_model(model_id="m-1")
    with whence.set_active_model(name="bot") as model:
        assert model_of(spans) == model.model_id
    assert model_of(spans) == "m-1"


def test_the_id_of_a_model_follows_from_its_name(spans):
    first, second = whence.set_active_model(name="bot"), whence.set_active_model(name="bot")
    assert first.model_id == second.model_id != whence.set_active_model(name="cat").model_id
    whence.set_active_model(name="bot")
    with whence.start_span("answer"):
        pass
    assert spans.metadata()["whence.model_name"] == "bot"


def test_what_the_trace_says_of_its_model_is_stronger(spans):
    whence.set_active_model(model_id="m-1")
    with whence.start_span("answer"):
        whence.update_current_trace(model_id="m-2")
    assert spans.metadata()["mlflow.modelId"] == "m-2"


def test_the_environment_may_name_the_model(spans, monkeypatch):
    monkeypatch.setenv("MLFLOW_ACTIVE_MODEL_ID", "m-9")
    whence.tracing.reset()
    assert model_of(spans) == "m-9"


@pytest.mark.parametrize("given", [{}, {"name": ""}, {"model_id": 5}])
def test_a_model_has_a_name(given):
    with pytest.raises(InvalidInputError):
        whence.set_active_model(**given)


def test_tools_of_a_chat_model_are_kept(spans):
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    with whence.start_span("chat") as span:
        whence.tracing.set_span_chat_tools(span, [tool])
    assert spans.one().attributes["mlflow.chat.tools"] == [tool]


@pytest.mark.parametrize("tools", ["x", [1], [{}], [{"type": "function", "function": {}}]])
def test_tools_that_are_malformed_are_refused(spans, tools):
    with whence.start_span("chat") as span, pytest.raises(InvalidInputError):
        whence.tracing.set_span_chat_tools(span, tools)


def test_the_bridged_provider_is_ours(spans):
    with (
        whence.start_span("outer") as outer,
        whence.tracing.get_bridged_tracer_provider()
        .get_tracer("lib")
        .start_as_current_span("inner"),
    ):
        pass
    assert spans.one("inner").parent_id == outer.span_id
