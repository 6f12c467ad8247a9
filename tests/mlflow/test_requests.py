"""What clients ask besides: each mistake has its code, its status and its name."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlflow_wire import EXPERIMENTS, TRACES, header, located
from otlp_requests import body, new_trace_id, span


@pytest.fixture(scope="module")
def stored(http):
    """A trace in an experiment of its own."""
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id, "500")).raise_for_status()
    return trace_id


def check(answer, status, code, text):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error_code"] == code
    assert text in answer.json()["message"]


def test_the_version_lets_clients_send_spans(http):
    answer = http.get("/version")
    assert (answer.status_code, answer.text) == (200, "3.18.0")
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_server_says_what_it_does_not_do(http):
    info = http.get("/api/3.0/mlflow/server-info").json()
    assert info["workspaces_enabled"] is False and info["multipart_uploads_enabled"] is False
    assert info["whence_version"] == http.get("/health").json()["version"]


def test_the_paths_of_mlflows_own_pages_answer_the_same(http, stored):
    for front in ("/api", "/ajax-api"):
        assert http.get(f"{front}/3.0/mlflow/traces/{stored}").status_code == 200
        found = http.get(f"{front}/2.0/mlflow/experiments/get", params={"experiment_id": "0"})
        assert found.json()["experiment"]["name"] == "Default"


@pytest.mark.parametrize(
    ("path", "form", "status", "code", "text"),
    [
        ("create", {}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("create", {"name": ""}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("create", {"name": "  "}, 400, "INVALID_PARAMETER_VALUE", "name"),
        ("create", {"name": 5}, 400, "INVALID_PARAMETER_VALUE", "Invalid value 5"),
        ("create", {"name": "Default"}, 400, "RESOURCE_ALREADY_EXISTS", "Default"),
        ("create", {"name": "n", "tags": [{"value": "v"}]}, 400, "INVALID_PARAMETER_VALUE", "key"),
        ("update", {"experiment_id": "0"}, 400, "INVALID_PARAMETER_VALUE", "'new_name'"),
        ("update", {"new_name": "x"}, 400, "INVALID_PARAMETER_VALUE", "'experiment_id'"),
        (
            "update",
            {"experiment_id": "999", "new_name": "x"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "id=999",
        ),
        ("delete", {"experiment_id": "999"}, 404, "RESOURCE_DOES_NOT_EXIST", "id=999"),
        ("restore", {"experiment_id": "0"}, 404, "RESOURCE_DOES_NOT_EXIST", "id=0"),
        ("set-experiment-tag", {"experiment_id": "0"}, 400, "INVALID_PARAMETER_VALUE", "'key'"),
        (
            "set-experiment-tag",
            {"experiment_id": "0", "key": "bad!*", "value": "v"},
            400,
            "INVALID_PARAMETER_VALUE",
            "bad!*",
        ),
        (
            "delete-experiment-tag",
            {"experiment_id": "0", "key": "nope"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "nope",
        ),
        ("search", {"max_results": 0}, 400, "INVALID_PARAMETER_VALUE", "positive"),
        ("search", {"max_results": 50_001}, 400, "INVALID_PARAMETER_VALUE", "at most 50000"),
        ("search", {"page_token": "zzz"}, 400, "INVALID_PARAMETER_VALUE", "page token"),
        ("search", {"order_by": ["foo"]}, 400, "INVALID_PARAMETER_VALUE", "'foo'"),
        ("search", {"order_by": ["tags.k"]}, 400, "INVALID_PARAMETER_VALUE", "tags.k"),
        ("search", {"view_type": "SOME"}, 400, "INVALID_PARAMETER_VALUE", "view_type"),
        ("search", {"filter": "name RLIKE '(a+)+$'"}, 400, "INVALID_PARAMETER_VALUE", "RLIKE"),
        ("search", {"filter": "name = 5"}, 400, "INVALID_PARAMETER_VALUE", "column 8"),
    ],
)
def test_a_mistake_about_experiments_is_named(http, path, form, status, code, text):
    check(http.post(f"{EXPERIMENTS}/{path}", json=form), status, code, text)


@pytest.mark.parametrize(
    ("query", "status", "code", "text"),
    [
        ("get", 400, "INVALID_PARAMETER_VALUE", "'experiment_id'"),
        ("get?experiment_id=abc", 400, "INVALID_PARAMETER_VALUE", "must be a valid integer"),
        ("get?experiment_id=12345", 404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=12345"),
        ("get-by-name", 400, "INVALID_PARAMETER_VALUE", "'experiment_name'"),
        ("get-by-name?experiment_name=x", 404, "RESOURCE_DOES_NOT_EXIST", "with name 'x'"),
    ],
)
def test_an_experiment_that_is_not_there_is_named(http, query, status, code, text):
    check(http.get(f"{EXPERIMENTS}/{query}"), status, code, text)


def test_a_token_of_another_search_of_experiments_is_refused(http):
    for number in range(2):
        http.post(f"{EXPERIMENTS}/create", json={"name": f"token {number}"}).raise_for_status()
    first = http.post(f"{EXPERIMENTS}/search", json={"maxResults": "1"}).json()
    token = first["next_page_token"]
    assert len(first["experiments"]) == 1
    other = {"max_results": 1, "page_token": token, "order_by": ["name"]}
    check(
        http.post(f"{EXPERIMENTS}/search", json=other),
        400,
        "INVALID_PARAMETER_VALUE",
        "another search",
    )


def test_a_header_of_a_deleted_experiment_is_refused_and_its_spans_are_not(http):
    made = http.post(f"{EXPERIMENTS}/create", json={"name": "closed"}).json()["experiment_id"]
    http.post(f"{EXPERIMENTS}/delete", json={"experiment_id": made}).raise_for_status()
    refused = http.post(TRACES, json=header(f"tr-{new_trace_id()}", made))
    check(refused, 400, "INVALID_PARAMETER_VALUE", "must be in the 'active' state")
    tag = {"experiment_id": made, "key": "k", "value": "v"}
    refused = http.post(f"{EXPERIMENTS}/set-experiment-tag", json=tag)
    check(refused, 400, "INVALID_PARAMETER_VALUE", "must be in the 'active' state")
    check(
        http.post(f"{EXPERIMENTS}/create", json={"name": "closed"}),
        400,
        "RESOURCE_ALREADY_EXISTS",
        "deleted",
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({}, "'locations'"),
        ({"locations": None}, "'locations'"),
        ({"locations": "0"}, "locations"),
        (located("abc"), "must be a valid integer"),
        ({"locations": [{"type": "UC_SCHEMA"}]}, "UC_SCHEMA"),
        (located("0", max_results=0), "positive"),
        (located("0", max_results=501), "at most 500"),
        (located("0", max_results="many"), "max_results"),
        (located("0", page_token="zzz"), "page token"),
        (located("0", filter="status"), "column"),
        (located("0", order_by=["timestamp", "timestamp"]), "twice"),
        (located("0", filter=5), "filter"),
    ],
)
def test_a_wrong_search_is_named(http, form, text):
    check(http.post(f"{TRACES}/search", json=form), 400, "INVALID_PARAMETER_VALUE", text)


def test_a_search_that_finds_nothing_is_an_empty_object(http):
    for form in ({"locations": []}, located("123456"), located("500", filter="name = 'no'")):
        assert http.post(f"{TRACES}/search", json=form).json() == {}


def test_an_order_by_any_of_mlflows_names_is_taken(http, stored):
    for clause in ("timestamp_ms", "execution_time DESC", "end_time", "status", "request_id asc"):
        found = http.post(f"{TRACES}/search", json=located("500", order_by=[clause])).json()
        assert [one["trace_id"] for one in found["traces"]] == [stored]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_tags_are_set_and_deleted_on_both_versions(http, stored, version):
    path = f"/api/{version}/mlflow/traces/{stored}/tags"
    assert http.patch(path, json={"key": "a b/c", "value": "1"}).json() == {}
    tags = http.get(f"{TRACES}/{stored}").json()["trace"]["trace_info"]["tags"]
    assert tags["a b/c"] == "1"
    assert http.request("DELETE", path, json={"key": "a b/c"}).json() == {}
    check(
        http.request("DELETE", path, json={"key": "a b/c"}),
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "No trace tag with key 'a b/c'",
    )


@pytest.mark.parametrize(
    ("form", "status", "code", "text"),
    [
        ({"value": "v"}, 400, "INVALID_PARAMETER_VALUE", "'key'"),
        ({"key": "", "value": "v"}, 400, "INVALID_PARAMETER_VALUE", "'key'"),
        ({"key": "k", "value": 5}, 400, "INVALID_PARAMETER_VALUE", "value"),
        ({"key": "k!", "value": "v"}, 400, "INVALID_PARAMETER_VALUE", "k!"),
        (
            {"key": "mlflow.trace.spansLocation", "value": "v"},
            400,
            "INVALID_PARAMETER_VALUE",
            "immutable",
        ),
        ({"key": "whence.metadata.a", "value": "v"}, 409, "RESOURCE_CONFLICT", "immutable"),
    ],
)
def test_a_wrong_tag_is_named(http, stored, form, status, code, text):
    check(http.patch(f"{TRACES}/{stored}/tags", json=form), status, code, text)


def test_a_tag_of_no_trace_is_not_found(http):
    answer = http.patch(f"{TRACES}/tr-nope/tags", json={"key": "k", "value": "v"})
    check(answer, 404, "RESOURCE_DOES_NOT_EXIST", "Trace with ID 'tr-nope' not found")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"request_ids": ["x"]}, "'experiment_id'"),
        ({"experiment_id": "0"}, "must be specified"),
        ({"experiment_id": "0", "request_ids": []}, "must be specified"),
        ({"experiment_id": "0", "request_ids": ["x"], "max_timestamp_millis": 5}, "Only one of"),
        ({"experiment_id": "0", "request_ids": ["x"], "max_traces": 5}, "max_traces"),
        ({"experiment_id": "0", "max_timestamp_millis": 5, "max_traces": 0}, "received 0"),
    ],
)
def test_a_wrong_deletion_is_named(http, form, text):
    check(http.post(f"{TRACES}/delete-traces", json=form), 400, "INVALID_PARAMETER_VALUE", text)


def test_the_oldest_are_deleted_first_up_to_a_moment(http):
    ids = [f"tr-{new_trace_id()}" for _ in range(4)]
    for number, trace_id in enumerate(ids):
        moment = f"2023-11-14T22:13:2{number}.000Z"
        http.post(TRACES, json=header(trace_id, "501", request_time=moment)).raise_for_status()
    until = {"experimentId": 501, "maxTimestampMillis": "1700000002000"}
    path = "/api/2.0/mlflow/traces/delete-traces"
    assert http.post(path, json={**until, "max_traces": 2}).json() == {"traces_deleted": 2}
    assert http.post(path, json=until).json() == {"traces_deleted": 1}
    left = http.post(f"{TRACES}/search", json=located("501")).json()["traces"]
    assert [one["trace_id"] for one in left] == ids[3:]


def test_an_assessment_is_taken_in_any_spelling(http, stored):
    form = {
        "assessment": {
            "assessmentName": "grade",
            "source": {"sourceType": "ai_judge", "sourceId": "j"},
            "createTime": "2026-11-23T05:00:07.444555666Z",
            "expectation": {
                "serializedValue": {"serializationFormat": "JSON_FORMAT", "value": "[1]"}
            },
            "metadata": {"camelCase": "stays"},
        }
    }
    made = http.post(f"{TRACES}/{stored}/assessments", json=form).json()["assessment"]
    assert made["source"] == {"source_type": "LLM_JUDGE", "source_id": "j"}
    assert made["create_time"] == "2026-11-23T05:00:07.444Z"
    assert made["expectation"]["serialized_value"]["value"] == "[1]"
    assert made["metadata"] == {"camelCase": "stays"} and made["valid"] is True
    path = f"{TRACES}/{stored}/assessments/{made['assessment_id']}"
    assert http.get(path).json()["assessment"] == made
    change = {"assessment": {"assessmentName": "mark"}, "updateMask": "assessmentName"}
    assert http.patch(path, json=change).json()["assessment"]["assessment_name"] == "mark"


@pytest.mark.parametrize(
    ("form", "status", "code", "text"),
    [
        ({}, 400, "INVALID_PARAMETER_VALUE", "'assessment'"),
        ({"assessment": {"assessment_name": "n"}}, 400, "INVALID_PARAMETER_VALUE", "exactly one"),
        (
            {"assessment": {"feedback": {"value": 1}, "source": {"source_type": "ROBOT"}}},
            400,
            "INVALID_PARAMETER_VALUE",
            "ROBOT",
        ),
        (
            {"assessment": {"feedback": {"value": 1}, "create_time": "now"}},
            400,
            "INVALID_PARAMETER_VALUE",
            "create_time",
        ),
        (
            {"assessment": {"feedback": {"value": 1}, "overrides": "a-nope"}},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "a-nope",
        ),
    ],
)
def test_a_wrong_assessment_is_named(http, stored, form, status, code, text):
    check(http.post(f"{TRACES}/{stored}/assessments", json=form), status, code, text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"assessment": {"rationale": "r"}}, "'update_mask'"),
        ({"assessment": {"rationale": "r"}, "update_mask": ""}, "'update_mask'"),
        ({"assessment": {"valid": False}, "update_mask": "valid"}, "'valid'"),
        ({"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"}, "Cannot"),
    ],
)
def test_a_wrong_update_of_an_assessment_is_named(http, stored, form, text):
    given = {"assessment": {"assessment_name": "n", "feedback": {"value": 1}}}
    made = http.post(f"{TRACES}/{stored}/assessments", json=given).json()["assessment"]
    path = f"{TRACES}/{stored}/assessments/{made['assessment_id']}"
    check(http.patch(path, json=form), 400, "INVALID_PARAMETER_VALUE", text)


@pytest.mark.parametrize(
    ("path", "form", "status", "text"),
    [
        ("link-to-run", {"trace_ids": ["tr-nope"], "run_id": "r"}, 404, "'tr-nope' not found"),
        ("link-to-run", {"trace_ids": []}, 400, "'run_id'"),
        ("link-to-run", {"trace_ids": ["x"] * 101, "run_id": "r"}, 400, "at most 100"),
        ("link-prompts", {"prompt_versions": []}, 400, "'trace_id'"),
        ("link-prompts", {"trace_id": "t", "prompt_versions": [{"name": "p"}]}, 400, "'version'"),
    ],
)
def test_a_wrong_link_is_named(http, path, form, status, text):
    answer = http.post(f"/api/2.0/mlflow/traces/{path}", json=form)
    assert answer.status_code == status and text in answer.json()["message"]


def test_prompts_are_linked_once_and_found(http):
    trace_id = f"tr-{new_trace_id()}"
    http.post(TRACES, json=header(trace_id, "502")).raise_for_status()
    for versions in ("1", "2", "1", "33"):
        prompts = [{"name": "p", "version": version} for version in versions]
        form = {"trace_id": trace_id, "prompt_versions": prompts}
        assert http.post("/api/2.0/mlflow/traces/link-prompts", json=form).json() == {}
    info = http.get(f"{TRACES}/{trace_id}").json()["trace"]["trace_info"]
    expected = [{"name": "p", "version": version} for version in "123"]
    assert json.loads(info["tags"]["mlflow.linkedPrompts"]) == expected
    found = http.post(f"{TRACES}/search", json=located("502", filter="prompt = 'p/2'")).json()
    assert [one["trace_id"] for one in found["traces"]] == [trace_id]


def test_a_run_is_known_by_the_traces_that_name_it(http):
    trace_id, run = f"tr-{new_trace_id()}", "it's a run"
    form = header(trace_id, "504", trace_metadata={"mlflow.sourceRun": run})
    http.post(TRACES, json=form).raise_for_status()
    path = "/api/2.0/mlflow/runs/get"
    found = http.get(path, params={"run_uuid": run, "run_id": run}).json()["run"]["info"]
    assert (found["run_id"], found["experiment_id"]) == (run, "504")
    for unknown in ("nobody's", "'\""):
        answer = http.get(path, params={"run_id": unknown})
        check(answer, 404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={unknown} not found")
    check(http.get(path), 400, "INVALID_PARAMETER_VALUE", "'run_id'")


def test_a_trace_is_linked_to_a_run_by_the_header_of_its_request(http):
    trace_id = new_trace_id()
    child = span(trace_id, "00f067aa0ba902b8", parentSpanId="00f067aa0ba902b7")
    for sent, run in ((child, "of the child"), (span(trace_id), 'run "7"'), (span(trace_id), "2")):
        headers = {"x-mlflow-run-id": run, "content-type": "application/json"}
        http.post("/v1/traces", content=body(sent), headers=headers).raise_for_status()
    info = http.get(f"{TRACES}/tr-{trace_id}").json()["trace"]["trace_info"]
    assert json.loads(info["tags"]["whence.linkedRuns"]) == ['run "7"']
    found = http.post(f"{TRACES}/search", json=located("0", filter="run_id = 'run \"7\"'")).json()
    assert [one["trace_id"] for one in found["traces"]] == [f"tr-{trace_id}"]
    headers = {"x-mlflow-run-id": "r" * 251, "content-type": "application/json"}
    refused = http.post("/v1/traces", content=body(span(trace_id)), headers=headers)
    assert (refused.status_code, "x-mlflow-run-id" in refused.text) == (400, True)


def test_no_call_of_the_client_asks_for_metrics():
    """Charts of MLflow's pages do; the day a public call does, `traces/metrics` is due."""
    package = Path(find_spec("mlflow").origin).parent
    asking = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if "query_trace_metrics" in path.read_text(encoding="utf-8")
    }
    assert asking == {"server", "store"}


ABSENT = [
    ("POST", "/api/2.0/mlflow/runs/create", "runs"),
    ("POST", "/api/2.0/mlflow/runs/update", "runs"),
    ("POST", "/ajax-api/2.0/mlflow/runs/search", "runs"),
    ("GET", "/api/2.0/mlflow/registered-models/get", "a model or prompt registry"),
    ("POST", "/api/2.0/mlflow/logged-models/search", "models"),
    ("GET", "/api/3.0/mlflow/datasets/1", "datasets"),
    ("DELETE", "/api/2.0/mlflow/webhooks/1", "webhooks"),
    ("POST", "/api/3.0/mlflow/traces/metrics", None),
    ("PATCH", "/api/2.0/mlflow/nope", None),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/model.pkl", None),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts", None),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/x", None),
    ("GET", "/get-artifact?path=a&run_uuid=1", "files of runs"),
    ("GET", "/model-versions/get-artifact?path=a&name=m&version=1", "a model or prompt registry"),
    ("GET", "/gateway/supported-providers", "a gateway"),
    ("POST", "/gateway/mlflow/v1/chat/completions", "a gateway"),
    ("DELETE", "/gateway", "a gateway"),
]


@pytest.mark.parametrize(("method", "path", "noun"), ABSENT)
def test_what_is_not_offered_says_what_this_server_is(http, method, path, noun):
    answer = http.request(method, path)
    check(answer, 501, "NOT_IMPLEMENTED", "Whence")
    assert noun is None or f"keeps no {noun}" in answer.json()["message"]


def test_a_header_of_an_unknown_experiment_makes_it(http):
    http.post(TRACES, json=header(f"tr-{new_trace_id()}", "503")).raise_for_status()
    found = http.get(f"{EXPERIMENTS}/get", params={"experiment_id": "503"}).json()["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == ("503", "active")


def test_an_artifact_location_is_accepted_and_files_stay_in_the_store(http):
    form = {"name": "elsewhere", "artifact_location": "s3://bucket/x"}
    made = http.post(f"{EXPERIMENTS}/create", json=form).json()["experiment_id"]
    found = http.get(f"{EXPERIMENTS}/get", params={"experiment_id": made}).json()["experiment"]
    assert found["artifact_location"] == f"mlflow-artifacts:/{made}"
