"""What MLflow's client records by itself of calls of OpenAI's client arrives and is read back whole."""

from __future__ import annotations

import json

import pytest

from mlflow_programs import run_program
from openai_server import MODEL, openai_server

USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}


@pytest.fixture(scope="module")
def found(server):
    with openai_server() as provider_url:
        return run_program("autologged", server.url, provider_url)


def spans(trace):
    return [
        (one["name"], {key: json.loads(text) for key, text in one["attributes"].items()})
        for one in trace["data"]["spans"]
    ]


def test_a_call_nests_in_the_traced_function_with_its_tokens_and_cost(found):
    (ask, _), (call, attributes) = spans(found["nested"])
    assert (ask, call) == ("_ask", "Completions")
    assert attributes["mlflow.spanType"] == "CHAT_MODEL"
    assert attributes["mlflow.llm.model"] == MODEL
    assert attributes["mlflow.chat.tokenUsage"] == USAGE
    assert attributes["temperature"] == 0.5 and attributes["mlflow.message.format"] == "openai"
    assert attributes["mlflow.spanInputs"]["messages"][0]["content"] == "capital of France?"
    answered = attributes["mlflow.spanOutputs"]["choices"][0]["message"]
    assert answered["content"] == "Paris"
    metadata = found["nested"]["info"]["trace_metadata"]
    assert json.loads(metadata["mlflow.trace.tokenUsage"]) == USAGE
    assert json.loads(metadata["mlflow.trace.cost"])["total_cost"] > 0


def test_a_stream_is_put_together_again(found):
    ((name, attributes),) = spans(found["streamed"])
    assert name == "Completions"
    assert "Paris" in json.dumps(attributes["mlflow.spanOutputs"])
    events = [one["name"] for one in found["streamed"]["data"]["spans"][0]["events"]]
    assert events[0] == "mlflow.chunk.item.0"


def test_an_embedding_is_of_its_own_type(found):
    ((name, attributes),) = spans(found["embedded"])
    assert (name, attributes["mlflow.spanType"]) == ("Embeddings", "EMBEDDING")
    assert attributes["mlflow.spanOutputs"]["data"][0]["embedding"] == [0.1, 0.2]


def test_a_refused_call_is_an_error(found):
    trace = found["refused"]
    assert trace["info"]["state"] == "ERROR"
    codes = [one["status"]["code"] for one in trace["data"]["spans"]]
    assert codes == ["STATUS_CODE_ERROR"] * 2


def test_calls_are_found_by_their_type_and_their_tokens_add_up(found):
    assert found["found_by_tokens"] == [3, 36]
