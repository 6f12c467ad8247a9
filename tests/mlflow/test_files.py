"""Files of traces: spans that come as a file, attachments; and clients of MLflow 2."""

from __future__ import annotations

import pytest

from mlflow_wire import FILES, TRACES, file_span, header, read_attributes
from otlp_requests import body, new_trace_id, span

OTLP = {"content-type": "application/json"}


def read(http, trace_id):
    answer = http.get(f"{TRACES}/get", params={"trace_id": trace_id})
    answer.raise_for_status()
    return answer.json()["trace"]


def place(trace_id, name="traces.json", experiment_id="0"):
    return f"{FILES}/{experiment_id}/traces/{trace_id}/artifacts/{name}"


def test_spans_that_come_as_a_file_arrive_as_spans(http):
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id)).raise_for_status()
    event = {
        "name": "exception",
        "time_unix_nano": 1_700_000_000_100_000_000,
        "attributes": {"exception.type": "ValueError"},
    }
    link = {"trace_id": "tr-" + "a" * 32, "span_id": "b" * 16, "attributes": {"k": "v"}}
    child = file_span(
        trace_id,
        "00f067aa0ba902b8",
        parent_span_id=file_span(trace_id)["span_id"],
        name="inner",
        status={"code": "STATUS_CODE_ERROR", "message": "no"},
        events=[event],
        links=[link],
    )
    file = {"spans": [file_span(trace_id), child]}
    answer = http.put(place(trace_id), json=file, headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.content) == (200, b"")
    root, inner = read(http, trace_id)["spans"]
    assert read_attributes(root)["mlflow.spanInputs"] == {"q": 1}
    assert read_attributes(root)["mlflow.spanType"] == "LLM"
    assert inner["parent_span_id"] == root["span_id"]
    assert inner["status"] == {"code": "STATUS_CODE_ERROR", "message": "no"}
    assert inner["events"][0]["time_unix_nano"] == event["time_unix_nano"]
    assert inner["links"][0]["attributes"] == [{"key": "k", "value": {"string_value": "v"}}]
    downloaded = http.get(place(trace_id)).json()["spans"]
    assert [one["name"] for one in downloaded] == ["answer", "inner"]
    assert downloaded[0]["attributes"]["mlflow.spanInputs"] == '{"q": 1}'
    path = "/ajax-api/2.0/mlflow/get-trace-artifact"
    assert http.get(path, params={"request_id": trace_id}).json()["spans"] == downloaded


def test_spans_that_come_twice_by_both_roads_are_stored_once(http):
    trace_id = new_trace_id()
    content = body(span(trace_id, attributes={"mlflow.spanType": "LLM"}))
    http.post("/v1/traces", content=content, headers=OTLP).raise_for_status()
    file = {"spans": [file_span(f"tr-{trace_id}")]}
    for _ in range(2):
        http.put(place(f"tr-{trace_id}"), json=file).raise_for_status()
    (stored,) = read(http, f"tr-{trace_id}")["spans"]
    assert stored["name"] == "step"  # the first that was acknowledged stays
    assert http.get(f"/api/v1/traces/tr-{trace_id}").json()["conflicts"] == []


def test_spans_belong_to_the_trace_of_the_path(http):
    trace_id = f"tr-{new_trace_id()}"
    other = file_span("tr-" + "c" * 32)
    http.put(place(trace_id, experiment_id="9"), json={"spans": [other]}).raise_for_status()
    trace = read(http, trace_id)
    assert trace["trace_info"]["trace_location"]["mlflow_experiment"]["experiment_id"] == "9"
    assert read_attributes(trace["spans"][0])["mlflow.traceRequestId"] == trace_id


@pytest.mark.parametrize(
    ("trace_id", "form", "text"),
    [
        (None, {}, "'spans' must be a list"),
        (None, {"spans": [5]}, "spans[0]"),
        (None, {"spans": [{}]}, "spans[0]"),
        (None, {"spans": [file_span("tr-" + "a" * 32, span_id="00f067")]}, "spans[0].span_id"),
        (None, {"spans": [file_span("tr-" + "a" * 32, start_time_unix_nano="soon")]}, "spans[0]"),
        ("tr-short", {"spans": []}, "32 hex digits"),
    ],
)
def test_a_wrong_file_of_spans_is_refused(http, trace_id, form, text):
    answer = http.put(place(trace_id or f"tr-{new_trace_id()}"), json=form)
    assert answer.status_code == 400 and text in answer.json()["message"]


def test_an_attachment_is_never_a_page_of_this_server(http):
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id)).raise_for_status()
    name = "attachments/7e57"
    content = b"<script>alert(1)</script>\x00\xff"
    headers = {"content-type": "text/html"}
    http.put(place(trace_id, name), content=content, headers=headers).raise_for_status()
    answer = http.get(place(trace_id, name))
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    missing = http.get(place(trace_id, "attachments/other"))
    assert missing.status_code == 404 and missing.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_deleted_trace_has_no_files_and_gets_none(http):
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id)).raise_for_status()
    http.put(place(trace_id, "attachments/a"), content=b"a").raise_for_status()
    gone = {"experiment_id": "0", "request_ids": [trace_id]}
    http.post(f"{TRACES}/delete-traces", json=gone).raise_for_status()
    assert http.get(place(trace_id, "attachments/a")).status_code == 404
    http.put(place(trace_id, "attachments/a"), content=b"a").raise_for_status()
    assert http.get(place(trace_id, "attachments/a")).status_code == 404
    assert http.get(place(trace_id)).status_code == 404


def pairs(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


def unpair(listed):
    return {one["key"]: one["value"] for one in listed}


def test_a_client_of_mlflow_2_records_and_reads_a_trace(http):
    begun = {
        "experiment_id": "600",
        "timestamp_ms": 1_700_000_000_000,
        "request_metadata": pairs(source="app.py"),
        "tags": pairs(**{"mlflow.traceName": "old", "team": "blue"}),
    }
    path = "/api/2.0/mlflow/traces"
    info = http.post(path, json=begun).json()["trace_info"]
    trace_id = info["request_id"]
    assert (info["status"], info["experiment_id"]) == ("IN_PROGRESS", "600")
    old = {
        "name": "old",
        "context": {"trace_id": "0x" + "d" * 32, "span_id": "0x00f067aa0ba902b7"},
        "parent_id": None,
        "start_time": 1_700_000_000_000_000_000,
        "end_time": 1_700_000_005_000_000_000,
        "status_code": "OK",
        "status_message": "",
        "attributes": {"mlflow.spanInputs": '{"q": 1}', "mlflow.traceRequestId": f'"{trace_id}"'},
        "events": [],
    }
    http.put(place(trace_id, experiment_id="600"), json={"spans": [old]}).raise_for_status()
    ended = {
        "timestamp_ms": "1700000005000",
        "status": "ERROR",
        "request_metadata": pairs(source="app.py", outcome="late"),
        "tags": pairs(team="red"),
    }
    info = http.patch(f"{path}/{trace_id}", json=ended).json()["trace_info"]
    assert (info["status"], info["execution_time_ms"]) == ("ERROR", 5000)
    metadata = unpair(info["request_metadata"])
    assert (metadata["source"], metadata["outcome"]) == ("app.py", "late")
    assert unpair(info["tags"])["team"] == "red"
    assert http.get(f"{path}/{trace_id}/info").json()["trace_info"] == info
    query = {"experiment_ids": "600", "max_results": "5", "filter": "name = 'old'"}
    assert http.get(path, params=query).json()["traces"] == [info]
    (stored,) = read(http, trace_id)["spans"]
    assert read_attributes(stored)["mlflow.spanInputs"] == {"q": 1}


def test_ending_a_trace_that_was_never_started_is_not_found(http):
    for answer in (
        http.patch("/api/2.0/mlflow/traces/nope", json={"status": "OK"}),
        http.get("/api/2.0/mlflow/traces/nope/info"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("timestamp_ms", [-1, 253_402_300_800_000, 2**63, "soon", 1.5, True])
def test_a_moment_that_no_calendar_has_is_refused(http, timestamp_ms):
    begun = {"experiment_id": "601", "timestamp_ms": timestamp_ms}
    answer = http.post("/api/2.0/mlflow/traces", json=begun)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_files_may_name_their_trace_by_its_bare_digits(http):
    digits = new_trace_id()
    trace_id = f"tr-{digits}"
    http.put(place(digits, "attachments/early"), content=b"early").raise_for_status()
    http.post(TRACES, json=header(trace_id)).raise_for_status()
    file = {"spans": [file_span(trace_id)]}
    assert http.put(place(digits), json=file).status_code == 200
    assert len(read(http, trace_id)["spans"]) == 1
    for name in (digits, trace_id):
        assert http.get(place(name, "attachments/early")).content == b"early"


def test_a_trace_id_that_is_too_long_is_refused_whatever_is_said_of_it(http):
    long = "i" * 251
    for refused in (
        http.post(TRACES, json=header(long)),
        http.post(TRACES, json=header("i" * 100_000)),
        http.put(place(long, "picture.png"), content=b"x"),
    ):
        said = refused.json()
        assert (refused.status_code, said["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "characters are too long, 250 is the limit" in said["message"]
        assert len(said["message"]) < 500
    assert http.post(TRACES, json=header("i" * 250)).status_code == 200
