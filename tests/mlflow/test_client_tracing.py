"""MLflow's own client records, reads, searches, tags and deletes traces of this server."""

from __future__ import annotations

import json

import pytest

from mlflow_programs import run_program
from otlp_requests import body, new_trace_id, span

OTLP = {"content-type": "application/json"}
TIME_NS = 1_700_000_000_000_000_000


def by_our_sdk(trace_id):
    """What our SDK sends: JSON text, metadata on the root."""
    return span(
        trace_id,
        name="ours",
        start_ns=TIME_NS,
        attributes={
            "whence.inputs": '{"q": [1, null]}',
            "whence.outputs": '"done"',
            "whence.metadata.tenant": "acme",
            "mlflow.spanType": "AGENT",
        },
    )


def by_opentelemetry(trace_id):
    """What an instrumented program sends."""
    return span(
        trace_id,
        name="chat",
        start_ns=TIME_NS,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m",
            "gen_ai.input.messages": '[{"role": "user"}]',
            "gen_ai.usage.input_tokens": "3",
            "gen_ai.usage.output_tokens": "4",
        },
    )


@pytest.fixture(scope="module")
def found(server, http):
    ids = []
    for make in (by_our_sdk, by_opentelemetry):
        trace_id = new_trace_id()
        http.post("/v1/traces", content=body(make(trace_id)), headers=OTLP).raise_for_status()
        ids.append(f"tr-{trace_id}")
    return run_program("tracing", server.url, *ids)


def spans_by_name(trace):
    return {one["name"]: one for one in trace["data"]["spans"]}


def read(attributes):
    return {key: json.loads(text) for key, text in attributes.items()}


def test_a_trace_comes_back_with_its_header(found):
    info = found["recorded"]["info"]
    assert (info["state"], info["client_request_id"]) == ("OK", "r-1")
    assert info["request_preview"] == "asked"
    metadata, tags = info["trace_metadata"], info["tags"]
    assert metadata["app_version"] == "1.4" and metadata["long"] == "x" * 240
    assert metadata["mlflow.trace.session"] == "s-1" and metadata["mlflow.trace.user"] == "u-7"
    assert (tags["team"], tags["mlflow.traceName"]) == ("blue", "answer")
    assert tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert tags["mlflow.artifactLocation"].endswith(f"/traces/{info['trace_id']}/artifacts")


def test_values_keep_their_types(found):
    child = spans_by_name(found["recorded"])["_look_up"]
    attributes = read(child["attributes"])
    values = {
        "text": "wörld\n",
        "number": 7,
        "large": 2**53 + 1,
        "half": 0.5,
        "yes": True,
        "nothing": None,
        "list": [1, "two", None, [], {}],
        "deep": {"a": {"b": [{"c": 1}]}},
    }
    assert attributes["mlflow.spanInputs"] == {"values": values} or (
        attributes["mlflow.spanInputs"] == values
    )
    assert attributes["mlflow.spanOutputs"] == values
    assert (attributes["temperature"], attributes["stop"]) == (0.5, ["a", "b"])
    assert attributes["mlflow.spanType"] == "TOOL"
    assert attributes["mlflow.traceRequestId"] == found["recorded"]["info"]["trace_id"]


def test_the_root_comes_first_and_the_child_points_to_it(found):
    root, child = found["recorded"]["data"]["spans"]
    assert (root["name"], root["parent_span_id"]) == ("answer", None)
    assert child["parent_span_id"] == root["span_id"]


def test_a_failure_comes_back_with_its_exception(found):
    assert found["failed"] == {
        "state": "ERROR",
        "status": "ERROR",
        "message": "ValueError: no such city",
        "events": ["exception"],
    }


def test_links_and_token_counts_come_back(found):
    assert found["linked_spans"] == [True, True, {"kind": "follows"}]
    assert found["tokens"] == {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}


def test_traces_are_found_by_filters(found):
    assert found["searched"]["found"] == {
        "tags.n = '1'": ["1"],
        "metadata.m = '0'": ["0", "2", "4"],
        "name = 'trace-2'": ["2"],
        "status = 'OK' AND tags.n != '0'": ["1", "2", "3", "4"],
        "span.type = 'LLM' AND span.name LIKE 'trace-%'": ["0", "1", "2", "3", "4"],
        "request_metadata.`mlflow.trace.session` = 's1'": ["1", "3"],
    }


def test_pages_follow_one_another_and_the_last_has_no_token(found):
    assert found["searched"]["pages"] == [["0", "1"], ["2", "3"], ["4"]]


def test_search_gives_a_data_frame_with_spans(found):
    searched = found["searched"]
    assert searched["rows"] == 5 and searched["spans"] == [1] * 5
    assert searched["columns"][:3] == ["trace_id", "trace", "client_request_id"]


def test_sessions_are_found(found):
    assert found["searched"]["sessions"] == [["s0", 3], ["s1", 2]]


def test_two_filters_are_weighed_against_each_other(found):
    counts, npmi, empty = found["correlated"]
    assert counts == [3, 4, 2, 5] and -1 < npmi < 0
    assert empty == "nan"


def test_a_wrong_filter_is_the_clients_mistake_and_says_where(found):
    wrong = found["searched_wrongly"]
    assert wrong["code"] == "INVALID_PARAMETER_VALUE"
    assert "unknown field 'latency' at column 1" in wrong["message"]


def test_nothing_is_an_empty_answer(found):
    assert found["nothing_found"] == [0, True]


def test_tags_are_set_changed_and_deleted(found):
    assert found["tagged"] == {"a": "3", "b": None, "mlflow.traceName": "answer"}
    assert found["tag_that_is_not_there"]["code"] == "RESOURCE_DOES_NOT_EXIST"
    assert found["tag_of_no_trace"]["code"] == "RESOURCE_DOES_NOT_EXIST"


def test_traces_are_deleted_by_id_and_by_age_within_their_experiment(found):
    assert found["deleted"] == [2, 1, [True], 0]


def test_traces_are_found_by_a_run_that_they_were_linked_to(found):
    assert found["linked"] == {
        "run_id = 'run-1'": [True],
        "run_id = 'run_2'": [True],
        "run_id = 'runx2'": [],
        "run_id = 'run-9'": [],
        "argument": [True],
    }
    unknown = found["searched_by_unknown_run"]
    assert unknown["code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "no trace names this one" in unknown["message"]


def test_an_attachment_is_kept_and_read_back(found, http):
    trace_id, reference = found["with_an_attachment"]
    assert reference.startswith("mlflow-attachment://")
    name = reference.removeprefix("mlflow-attachment://").partition("?")[0]
    experiment_id = http.get(f"/api/v1/traces/{trace_id}").json()["info"]["experiment_id"]
    path = f"{experiment_id}/traces/{trace_id}/artifacts/attachments/{name}"
    answer = http.get(f"/api/2.0/mlflow-artifacts/artifacts/{path}")
    assert answer.status_code == 200 and answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("run_started", "runs"),
        ("model_made_active", "models"),
        ("model_registered", "a model or prompt registry"),
    ],
)
def test_what_whence_does_not_keep_is_refused_at_once_and_by_name(found, name, kept):
    refused = found[name]
    assert refused["code"] == "NOT_IMPLEMENTED"
    assert "Whence" in refused["message"] and f"keeps no {kept}" in refused["message"]


def test_traces_of_other_programs_are_read_as_if_the_client_had_recorded_them(found):
    ours, theirs = found["read_what_others_recorded"]
    attributes = read(ours["data"]["spans"][0]["attributes"])
    assert attributes["mlflow.spanInputs"] == {"q": [1, None]}
    assert (attributes["mlflow.spanOutputs"], attributes["mlflow.spanType"]) == ("done", "AGENT")
    assert not [key for key in attributes if key.startswith("whence.")]
    assert ours["info"]["trace_metadata"]["tenant"] == "acme"
    assert ours["info"]["tags"]["mlflow.traceName"] == "ours"
    attributes = read(theirs["data"]["spans"][0]["attributes"])
    assert attributes["mlflow.spanInputs"] == [{"role": "user"}]
    assert attributes["mlflow.spanType"] == "CHAT_MODEL" and attributes["mlflow.llm.model"] == "m"
    assert attributes["mlflow.chat.tokenUsage"]["total_tokens"] == 7
    assert theirs["info"]["state"] == "OK"


def test_the_background_export_loses_nothing_and_contradicts_nothing(server, http):
    many = run_program("many", server.url, MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="true")
    sent = many["sent_in_the_background"]
    ids = sent.pop("ids")
    assert sent == {
        "traces": 40,
        "spans": [9],
        "states": ["OK"],
        "numbers": list(range(40)),
        "same tags": True,
    }
    assert not [one for one in ids if http.get(f"/api/v1/traces/{one}").json()["conflicts"]]
