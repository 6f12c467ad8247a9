"""What clients say of traces: in any order, in any spelling, and never two things."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from mlflow_wire import TRACES, header, located, read_attributes
from otlp_requests import body, new_trace_id, span

OTLP = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000


def read(http, trace_id):
    answer = http.get(f"{TRACES}/get", params={"trace_id": trace_id, "allow_partial": "False"})
    answer.raise_for_status()
    return answer.json()["trace"]


@pytest.mark.parametrize("order", list(itertools.permutations(["header", "root", "child"])))
def test_the_header_and_the_spans_come_in_any_order_and_again(http, order):
    trace_id = new_trace_id()
    said = {"mlflow.trace.tokenUsage": '{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}'}
    own = {"mlflow.traceRequestId": f"tr-{trace_id}"}
    deliveries = {
        "header": lambda: http.post(TRACES, json=header(f"tr-{trace_id}", trace_metadata=said)),
        "root": lambda: http.post(
            "/v1/traces",
            content=body(span(trace_id, start_ns=START_NS, attributes=own)),
            headers=OTLP,
        ),
        "child": lambda: http.post(
            "/v1/traces",
            content=body(
                span(
                    trace_id,
                    "00f067aa0ba902b8",
                    parentSpanId="00f067aa0ba902b7",
                    start_ns=START_NS + 1000,
                )
            ),
            headers=OTLP,
        ),
    }
    for name in (*order, *order):
        assert deliveries[name]().status_code == 200
    trace = read(http, f"tr-{trace_id}")
    info = trace["trace_info"]
    assert (info["state"], info["execution_duration"]) == ("OK", "0.165s")
    assert info["request_time"] == "2023-11-14T22:13:20.000Z"
    assert info["trace_metadata"]["mlflow.trace.tokenUsage"] == said["mlflow.trace.tokenUsage"]
    assert ["parent_span_id" in one for one in trace["spans"]] == [False, True]
    assert http.get(f"/api/v1/traces/tr-{trace_id}").json()["conflicts"] == []


def test_every_answer_says_where_the_spans_lie(http):
    trace_id = f"tr-{new_trace_id()}"
    answers = [
        http.post(TRACES, json=header(trace_id, "7")).json()["trace"]["trace_info"],
        http.get(f"{TRACES}/{trace_id}").json()["trace"]["trace_info"],
        http.post(f"{TRACES}/search", json=located("7")).json()["traces"][0],
        http.post(f"{TRACES}/batchGetInfos", json={"trace_ids": [trace_id]}).json()["trace_infos"][
            0
        ],
    ]
    for info in answers:
        assert info["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
        place = f"mlflow-artifacts:/7/traces/{trace_id}/artifacts"
        assert info["tags"]["mlflow.artifactLocation"] == place


def test_a_contradiction_is_refused_and_what_is_new_is_kept(http):
    trace_id = f"tr-{new_trace_id()}"
    assert http.post(TRACES, json=header(trace_id)).status_code == 200
    changed = header(trace_id, trace_metadata={"app_version": "HACKED", "region": "eu"})
    refused = http.post(TRACES, json=changed)
    assert refused.status_code == 409
    assert refused.json()["error_code"] == "RESOURCE_CONFLICT"
    assert "'app_version' is '1.4' and stays" in refused.json()["message"]
    assert http.post(TRACES, json=header(trace_id, state="ERROR")).status_code == 409
    assert http.post(TRACES, json=header(trace_id, "8")).status_code == 409
    more = header(trace_id, trace_metadata={"app_version": "1.4", "tenant": "acme"})
    assert http.post(TRACES, json=more).status_code == 200
    info = read(http, trace_id)["trace_info"]
    assert (info["state"], info["trace_location"]["mlflow_experiment"]["experiment_id"]) == (
        "OK",
        "0",
    )
    assert info["trace_metadata"]["app_version"] == "1.4"
    assert info["trace_metadata"]["tenant"] == "acme"
    assert info["trace_metadata"]["region"] == "eu"


def test_a_header_for_a_deleted_trace_is_accepted_and_not_stored(http):
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id))
    gone = {"experiment_id": "0", "request_ids": [trace_id]}
    assert http.post(f"{TRACES}/delete-traces", json=gone).json() == {"traces_deleted": 1}
    again = http.post(TRACES, json=header(trace_id))
    assert again.status_code == 200
    tags = again.json()["trace"]["trace_info"]["tags"]
    assert tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert http.get(f"{TRACES}/{trace_id}").status_code == 404


def test_camel_case_unknown_fields_and_nulls_are_taken(http):
    trace_id = f"tr-{new_trace_id()}"
    form = {
        "trace": {
            "traceInfo": {
                "traceId": trace_id,
                "traceLocation": {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflowExperiment": {"experimentId": "11"},
                },
                "requestTime": "2023-11-14T23:13:20.123456789+01:00",
                "executionDuration": "1.000000001s",
                "state": "ERROR",
                "clientRequestId": None,
                "traceMetadata": {"camelCase": "stays", "snake_case": "stays", "gone": None},
                "somethingNew": {"a": 1},
            }
        }
    }
    info = http.post(TRACES, json=form).json()["trace"]["trace_info"]
    assert info["trace_location"]["mlflow_experiment"]["experiment_id"] == "11"
    assert info["request_time"] == "2023-11-14T22:13:20.123Z"
    assert (info["execution_duration"], info["state"]) == ("1.000000001s", "ERROR")
    assert info["trace_metadata"] == {"camelCase": "stays", "snake_case": "stays"}
    assert "client_request_id" not in info


def test_what_only_pythons_json_has_is_read(http):
    trace_id = f"tr-{new_trace_id()}"
    text = json.dumps(header(trace_id, request_preview="half \ud83d of a pair, \0 too"))
    assert http.post(TRACES, content=text).status_code == 200
    info = http.get(f"{TRACES}/{trace_id}").json()["trace"]["trace_info"]
    assert info["request_preview"] == "half \ufffd of a pair, \ufffd too"
    judged = '{"assessment": {"assessment_name": "n", "feedback": {"value": NaN}}}'
    answer = http.post(f"{TRACES}/{trace_id}/assessments", content=judged)
    assert answer.json()["assessment"]["feedback"]["value"] == "NaN"


def test_values_come_back_whole(http):
    trace_id = f"tr-{new_trace_id()}"
    long = "x" * 5_000
    form = header(trace_id, trace_metadata={"long": long}, request_preview=long)
    http.post(TRACES, json=form).raise_for_status()
    info = http.get(f"{TRACES}/{trace_id}").json()["trace"]["trace_info"]
    assert info["trace_metadata"]["long"] == long and info["request_preview"] == long


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"trace_id": None}, "trace_id"),
        ({"trace_id": "a/b"}, "trace_id"),
        ({"trace_id": 5}, "trace_id"),
        ({"request_time": "yesterday"}, "request_time"),
        ({"request_time": 1_700_000_000}, "request_time"),
        ({"execution_duration": "165ms"}, "execution_duration"),
        ({"execution_duration": "-1s"}, "execution_duration"),
        ({"state": "FINE"}, "state"),
        ({"trace_metadata": {"a": 1}}, "trace_metadata.a"),
        ({"trace_metadata": ["a"]}, "trace_metadata"),
        ({"tags": {"a": {}}}, "tags.a"),
        ({"trace_location": "0"}, "trace_location"),
        ({"trace_location": {"type": "UC_SCHEMA"}}, "type"),
        ({"trace_location": {"mlflow_experiment": {"experiment_id": "abc"}}}, "experiment ID"),
        ({"assessments": [{"assessment_name": "n"}]}, "feedback"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(http, fields, named):
    answer = http.post(TRACES, json=header(**{"trace_id": f"tr-{new_trace_id()}", **fields}))
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert named in answer.json()["message"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "{", '{"trace": 5}', "\xff", "null"])
def test_a_body_that_is_no_header_is_refused(http, content):
    answer = http.post(TRACES, content=content.encode("latin-1"))
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_no_location_is_the_default_experiment(http):
    trace_id = f"tr-{new_trace_id()}"
    info = http.post(TRACES, json=header(trace_id, trace_location=None)).json()
    location = info["trace"]["trace_info"]["trace_location"]
    assert location == {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}


def test_a_trace_without_its_spans_is_answered_at_once_and_spoils_no_batch(http):
    alone, whole = f"tr-{new_trace_id()}", new_trace_id()
    stats = {"mlflow.trace.sizeStats": '{"num_spans": 3}'}
    http.post(TRACES, json=header(alone, trace_metadata=stats)).raise_for_status()
    http.post("/v1/traces", content=body(span(whole)), headers=OTLP).raise_for_status()
    started = time.monotonic()
    assert read(http, alone)["spans"] == []
    ids = {"trace_ids": [alone, f"tr-{whole}", "tr-nope"]}
    traces = http.get(f"{TRACES}/batchGet", params=ids).json()["traces"]
    assert time.monotonic() - started < 1.0  # the trace is old: nothing is waited for
    assert [len(one["spans"]) for one in traces] == [0, 1]
    assert http.get(f"{TRACES}/batchGet").json() == {}


def test_spans_that_are_under_way_are_waited_for(http, server):
    import threading

    import httpx

    trace_id = new_trace_id()
    now_s = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    stats = {"mlflow.trace.sizeStats": '{"num_spans": 1}'}
    form = header(f"tr-{trace_id}", trace_metadata=stats, request_time=moment)
    http.post(TRACES, json=form).raise_for_status()
    asked = threading.Event()

    def ask(found):
        with httpx.Client(base_url=server.url) as other:
            asked.set()
            found.append(read(other, f"tr-{trace_id}"))

    found = []
    thread = threading.Thread(target=ask, args=(found,))
    thread.start()
    asked.wait()
    http.post("/v1/traces", content=body(span(trace_id)), headers=OTLP).raise_for_status()
    thread.join(30)
    (trace,) = found
    assert [read_attributes(one)["mlflow.traceRequestId"] for one in trace["spans"]] == [
        f"tr-{trace_id}"
    ]
