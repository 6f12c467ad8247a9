"""Spans of MLflow, OpenTelemetry GenAI, OpenInference and OpenLLMetry say the same in the end."""

from __future__ import annotations

import socket

import msgspec
import pytest

from ingest.wire import batch, span
from whence import semconv
from whence.ingest.facts import facts_of
from whence.ingest.normalise import normalise
from whence.otlp.records import Event

TRACE = "a" * 32
MESSAGES = [{"role": "user", "content": "hi"}]
ANSWER = [{"role": "assistant", "content": "hello"}]


def row_of(attributes, **fields):
    return normalise(batch(span(TRACE, 1, attributes=attributes, **fields))).rows[0]


MLFLOW = {
    "mlflow.spanType": "CHAT_MODEL",
    "mlflow.spanInputs": {"messages": MESSAGES},
    "mlflow.spanOutputs": {"messages": ANSWER},
    "mlflow.llm.model": "gpt-4o-mini",
    "mlflow.llm.provider": "openai",
    "mlflow.chat.tokenUsage": {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100},
}
GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": '{"messages":[{"role":"user","content":"hi"}]}',
    "gen_ai.output.messages": {"messages": ANSWER},
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
OPENINFERENCE = {
    "openinference.span.kind": "chat_model",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "hello",
    "llm.model_name": "gpt-4o-mini",
    "llm.provider": "openai",
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 100,
    "llm.token_count.total": 1100,
}
OPENLLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "hi",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "hello",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.system": "openai",
    "gen_ai.usage.prompt_tokens": 1000,
    "gen_ai.usage.completion_tokens": 100,
    "llm.usage.total_tokens": 1100,
}


@pytest.mark.parametrize(
    "attributes",
    [MLFLOW, GENAI, OPENINFERENCE, OPENLLMETRY],
    ids=["mlflow", "genai", "openinference", "openllmetry"],
)
def test_every_dialect_says_the_same(attributes):
    row = row_of(attributes)
    assert row.span_type == "CHAT_MODEL"
    assert msgspec.json.decode(row.inputs) == {"messages": MESSAGES}
    assert msgspec.json.decode(row.outputs) == {"messages": ANSWER}
    assert (row.model, row.provider) == ("gpt-4o-mini", "openai")
    assert msgspec.json.decode(row.usage) == {
        "input_tokens": 1000,
        "output_tokens": 100,
        "total_tokens": 1100,
    }
    assert msgspec.json.decode(row.cost)["total_cost"] == pytest.approx(0.00021)
    (facts,) = facts_of([row])
    assert (facts.request_preview, facts.response_preview) == ("hi", "hello")


def test_inputs_and_outputs_are_not_stored_twice():
    row = row_of(MLFLOW)
    assert "mlflow.spanInputs" not in row.attributes
    assert "mlflow.spanOutputs" not in row.attributes
    assert row.attributes["mlflow.llm.model"] == '"gpt-4o-mini"'
    assert not [key for key in row_of(OPENLLMETRY).attributes if key.startswith("gen_ai.prompt")]


def test_an_mlflow_value_is_taken_as_it_is_and_ours_as_json_text():
    assert row_of({"mlflow.spanInputs": '{"a": 1}'}).inputs == r'"{\"a\": 1}"'
    assert row_of({"whence.inputs": '{"a": 1}'}).inputs == '{"a": 1}'
    assert row_of({"whence.inputs": "null"}).inputs == "null"
    assert row_of({}).inputs == ""


def test_the_first_key_of_the_table_wins_and_the_other_stays_an_attribute():
    row = row_of({"input.value": "second", "whence.inputs": '"first"'})
    assert row.inputs == '"first"'
    assert row.attributes == {"input.value": '"second"'}


def test_messages_in_an_event_are_found():
    event = Event("gen_ai.client.inference.operation.details", 1, {"gen_ai.input.messages": "[1]"})
    assert row_of({}, events=[event]).inputs == "[1]"


def test_nested_indexed_attributes_become_lists():
    row = row_of(
        {
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "add",
            "llm.output_messages.0.message.tool_calls.1.tool_call.function.name": "mul",
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": "ok",
        }
    )
    (message,) = msgspec.json.decode(row.outputs)["messages"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["add", "mul"]
    assert message["contents"] == [{"type": "text", "text": "ok"}]


@pytest.mark.parametrize(
    ("beside", "kept"),
    [
        ({"gen_ai.prompt.name": "greeting"}, {"gen_ai.prompt.name": '"greeting"'}),
        ({"gen_ai.prompt.0.content.more": "x"}, {"gen_ai.prompt.0.content.more": '"x"'}),
        ({"gen_ai.prompt.0": "x"}, {"gen_ai.prompt.0": '"x"'}),
    ],
)
def test_what_has_no_place_among_indexed_messages_stays_an_attribute(beside, kept):
    row = row_of({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", **beside})
    assert msgspec.json.decode(row.inputs) == {"messages": [{"role": "user", "content": "hi"}]}
    assert row.attributes == kept


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"mlflow.spanType": "my type"}, "my type"),
        ({"mlflow.spanType": '"TOOL"'}, "TOOL"),
        ({"openinference.span.kind": "retriever"}, "RETRIEVER"),
        ({"traceloop.span.kind": "workflow"}, "WORKFLOW"),
        ({"langfuse.observation.type": "generation"}, "LLM"),
        ({"gen_ai.operation.name": "execute_tool"}, "TOOL"),
        ({"gen_ai.operation.name": "something new"}, "UNKNOWN"),
        ({}, "UNKNOWN"),
    ],
)
def test_the_span_type_is_in_mlflows_words(attributes, expected):
    assert row_of(attributes).span_type == expected


def test_an_agent_is_not_priced_and_an_unknown_model_has_no_cost():
    assert row_of({**MLFLOW, "mlflow.spanType": "AGENT"}).cost == ""
    assert row_of({**MLFLOW, "mlflow.llm.model": "my-own-7b"}).cost == ""
    assert row_of({**MLFLOW, "mlflow.llm.provider": "my-own-cloud"}).cost == ""


def test_a_stated_cost_wins_over_a_computed_one():
    stated = {"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0}
    assert msgspec.json.decode(row_of({**MLFLOW, "mlflow.llm.cost": stated}).cost) == stated
    row = row_of({**OPENINFERENCE, "llm.cost.total": 0.5})
    assert msgspec.json.decode(row.cost)["total_cost"] == 0.5


def test_cached_tokens_are_counted_and_priced_lower():
    cached = {**GENAI, "gen_ai.usage.cache_read.input_tokens": 900}
    row = row_of(cached)
    assert msgspec.json.decode(row.usage)["cache_read_input_tokens"] == 900
    assert (
        msgspec.json.decode(row.cost)["total_cost"]
        < msgspec.json.decode(row_of(GENAI).cost)["total_cost"]
    )


def test_pricing_uses_no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert row_of({**MLFLOW, "mlflow.llm.model": "gpt-4o-2024-08-06"}).cost


@pytest.mark.parametrize("key", sorted(semconv.METADATA_SOURCES))
def test_every_source_of_a_metadata_key_is_read_from_span_and_resource(key):
    for source in semconv.METADATA_SOURCES[key]:
        (on_span,) = facts_of([row_of({source: "v"})])
        rows = normalise(batch(span(TRACE, 1), **{source.replace(".", "__"): "v"})).rows
        (on_resource,) = facts_of(rows)
        assert on_span.derived[key] == "v"
        assert on_resource.resource[key] == "v"


@pytest.mark.parametrize(
    ("field", "keys"),
    [
        ("inputs", semconv.INPUT_KEYS),
        ("outputs", semconv.OUTPUT_KEYS),
        ("model", semconv.MODEL_KEYS),
        ("provider", semconv.PROVIDER_KEYS),
    ],
)
def test_every_key_of_a_table_is_read(field, keys):
    for key in keys:
        assert getattr(row_of({key: "x"}), field) in ("x", '"x"')


def test_an_empty_value_of_opentelemetry_is_absent_metadata():
    (facts,) = facts_of([row_of({"user.id": "", "session.id": None})])
    assert facts.derived == {}
