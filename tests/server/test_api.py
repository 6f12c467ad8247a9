"""The API: search, read, tags, assessments, experiments, fields, deletion, intake."""

from __future__ import annotations

import json

import httpx
import pytest

from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}
SPAN_ID = "00f067aa0ba902b7"


def send(client: httpx.Client, *, experiment: str, count: int = 1, **attributes: str) -> list[str]:
    """Store traces of two spans; return their ids, the oldest first."""
    ids = []
    for number in range(count):
        trace_id = new_trace_id()
        start = 1_700_000_000_000_000_000 + number * 1_000_000_000
        root = span(trace_id, SPAN_ID, name="answer", attributes=attributes, start_ns=start)
        child = span(
            trace_id,
            "00f067aa0ba902b8",
            parentSpanId=SPAN_ID,
            name="retrieve",
            start_ns=start + 1000,
            status={"code": 2, "message": "nothing found"},
            events=[{"name": "exception", "timeUnixNano": str(start + 2000)}],
        )
        content = body(child, root, **{"mlflow.experimentId": experiment, "service.version": "1.4"})
        client.post("/v1/traces", content=content, headers=JSON).raise_for_status()
        ids.append(f"tr-{trace_id}")
    return ids


def test_a_trace_is_read_whole_with_its_root_first(client):
    (trace_id,) = send(client, experiment="100", **{"whence.metadata.region": "eu"})
    answer = client.get(f"/api/v1/traces/{trace_id}")
    trace = answer.json()
    info = trace["info"]
    assert info["trace_id"] == trace_id and info["experiment_id"] == "100"
    assert (info["name"], info["state"], info["app_version"]) == ("answer", "OK", "1.4")
    assert info["trace_metadata"]["region"] == "eu"
    assert (info["span_count"], info["error_count"]) == (2, 1)
    assert info["request_time_ms"] == 1_700_000_000_000 and info["duration_ns"] == 5_000_000
    root, child = trace["spans"]
    assert root["parent_id"] is None and child["parent_id"] == root["span_id"]
    assert root["start_time_ns"] == "1700000000000000000"
    assert (child["status"], child["status_message"]) == ("ERROR", "nothing found")
    assert child["events"][0]["name"] == "exception"
    assert "inputs" not in root
    assert trace["conflicts"] == []


def test_bare_hex_is_taken_as_a_trace_id(client):
    (trace_id,) = send(client, experiment="101")
    assert client.get(f"/api/v1/traces/{trace_id[3:]}").json()["info"]["trace_id"] == trace_id


def test_a_missing_trace_is_404(client):
    answer = client.get("/api/v1/traces/tr-nothing")
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_both_searches_find_the_same_newest_first(client):
    ids = send(client, experiment="102", count=3, **{"whence.metadata.region": "eu"})
    filter_string = "metadata.region = 'eu' AND app_version = '1.4'"
    got = client.get(
        "/api/v1/traces", params={"filter": filter_string, "experiment_id": "102"}
    ).json()
    posted = client.post(
        "/api/v1/traces/search", json={"filter_string": filter_string, "experiment_ids": ["102"]}
    ).json()
    assert [one["info"]["trace_id"] for one in got["traces"]] == ids[::-1]
    assert posted["traces"] == got["traces"]
    assert "spans" not in got["traces"][0]
    assert got["next_cursor"] is None and got["elapsed_ms"] > 0


def test_pages_stay_stable_while_traces_arrive(client):
    ids = send(client, experiment="103", count=5)
    query = {"experiment_id": "103", "max_results": 2}
    first = client.get("/api/v1/traces", params=query).json()
    send(client, experiment="103", count=1)
    seen = [one["info"]["trace_id"] for one in first["traces"]]
    cursor = first["next_cursor"]
    while cursor:
        page = client.get("/api/v1/traces", params={**query, "cursor": cursor}).json()
        seen += [one["info"]["trace_id"] for one in page["traces"]]
        cursor = page["next_cursor"]
    assert [one for one in seen if one in ids] == ids[::-1]


def test_spans_come_where_they_are_asked_for(client):
    send(client, experiment="104", count=2)
    query = {"experiment_id": "104", "include_spans": "true"}
    for trace in client.get("/api/v1/traces", params=query).json()["traces"]:
        assert [one["name"] for one in trace["spans"]] == ["answer", "retrieve"]


def test_several_experiments_and_orders_can_be_named(client):
    ids = send(client, experiment="105") + send(client, experiment="106")
    query = [("experiment_id", "105"), ("experiment_id", "106"), ("order_by", "timestamp ASC")]
    found = client.get("/api/v1/traces", params=query).json()["traces"]
    assert {one["info"]["trace_id"] for one in found} == set(ids)


def test_a_wrong_filter_names_its_column(client):
    for answer in (
        client.get("/api/v1/traces", params={"filter": "state = 'OK' AND latency > 1"}),
        client.post(
            "/api/v1/traces/search", json={"filter_string": "state = 'OK' AND latency > 1"}
        ),
    ):
        assert answer.status_code == 400
        assert answer.json()["column"] == 18
        assert "latency" in answer.json()["message"]


@pytest.mark.parametrize(
    "query",
    [
        {"max_results": 0},
        {"max_results": 501},
        {"max_results": "many"},
        {"cursor": "garbage"},
        {"order_by": "nonsense"},
        {"include_spans": "perhaps"},
    ],
)
def test_a_wrong_parameter_is_refused(client, query):
    answer = client.get("/api/v1/traces", params=query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"{", "truncated"),
        (b'{"filter_string": 1}', "$.filter_string"),
        (b'{"max_results": "10"}', "$.max_results"),
        (b'{"filter": "state"}', "filter"),
        (b"\xff", "body"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(client, content, place):
    answer = client.post("/api/v1/traces/search", content=content, headers=JSON)
    assert answer.status_code == 400
    assert place in answer.json()["message"]


def test_large_pages_are_compressed_where_the_client_takes_it(client):
    send(client, experiment="107", count=30)
    query = {"experiment_id": "107", "include_spans": "true"}
    packed = client.get("/api/v1/traces", params=query)
    plain = client.get("/api/v1/traces", params=query, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json()["traces"] == plain.json()["traces"]


def test_tags_are_set_replaced_and_deleted(client):
    (trace_id,) = send(client, experiment="108", **{"mlflow.traceTag.team": "a"})
    path = f"/api/v1/traces/{trace_id}/tags"
    for value in ("b", "c"):
        assert client.put(f"{path}/team", json={"value": value}).json() == {}
    client.put(f"{path}/a/b%20c", json={"value": "with a slash"}).raise_for_status()
    tags = client.get(f"/api/v1/traces/{trace_id}").json()["info"]["tags"]
    assert tags["team"] == "c" and tags["a/b c"] == "with a slash"
    client.delete(f"{path}/team").raise_for_status()
    assert "team" not in client.get(f"/api/v1/traces/{trace_id}").json()["info"]["tags"]
    missing = client.delete(f"{path}/team")
    assert missing.status_code == 404 and "team" in missing.json()["message"]


def test_a_tag_of_a_missing_trace_is_404(client):
    answer = client.put("/api/v1/traces/tr-nothing/tags/a", json={"value": "b"})
    assert answer.status_code == 404


@pytest.mark.parametrize("given", [{}, {"value": 1}, {"value": "a", "more": 1}, []])
def test_a_tag_needs_a_string(client, given):
    (trace_id,) = send(client, experiment="109")
    answer = client.put(f"/api/v1/traces/{trace_id}/tags/a", json=given)
    assert answer.status_code == 400


def test_assessments_are_logged_read_and_deleted(client):
    (trace_id,) = send(client, experiment="110")
    path = f"/api/v1/traces/{trace_id}/assessments"
    logged = client.post(
        path,
        json={
            "assessment_name": "relevance",
            "source": {"source_type": "LLM_JUDGE", "source_id": "judge"},
            "feedback": {"value": {"score": 0.5}},
            "rationale": "half of it",
        },
    ).json()
    assert logged["assessment_id"].startswith("a-") and logged["valid"] is True
    assert logged["feedback"]["value"] == {"score": 0.5}
    one = f"{path}/{logged['assessment_id']}"
    assert client.get(one).json() == logged
    assert client.get(f"/api/v1/traces/{trace_id}").json()["info"]["assessments"] == [logged]
    assert client.delete(one).json() == {}
    missing = client.get(one)
    assert missing.status_code == 404 and logged["assessment_id"] in missing.json()["message"]


@pytest.mark.parametrize("given", [{}, {"feedback": {"value": 1}, "expectation": {"value": 1}}])
def test_an_assessment_holds_exactly_one_judgement(client, given):
    (trace_id,) = send(client, experiment="111")
    assert client.post(f"/api/v1/traces/{trace_id}/assessments", json=given).status_code == 400


def test_an_assessment_is_changed_where_the_mask_says(client):
    (trace_id,) = send(client, experiment="111")
    path = f"/api/v1/traces/{trace_id}/assessments"
    given = {"feedback": {"value": 1}, "rationale": "why", "metadata": {"a": "1"}}
    logged = client.post(path, json=given).json()
    one = f"{path}/{logged['assessment_id']}"
    news = {"feedback": {"value": 2}, "rationale": "not named", "metadata": {"b": "2"}}
    change = {"assessment": news, "update_mask": ["feedback", "metadata"]}
    changed = client.patch(one, json=change).json()
    assert changed == client.get(one).json()
    assert (changed["feedback"]["value"], changed["rationale"]) == (2, "why")
    assert changed["metadata"] == {"a": "1", "b": "2"}
    for mask, status in ((["source"], 400), (["expectation"], 400)):
        refused = client.patch(one, json={**change, "update_mask": mask})
        assert refused.status_code == status
    assert client.patch(f"{one}0", json=change).status_code == 404


def test_deleted_traces_are_gone_and_stay_gone(client):
    ids = send(client, experiment="112", count=2)
    answer = client.post(
        "/api/v1/traces/delete", json={"trace_ids": [ids[0], ids[1][3:], "tr-nothing"]}
    )
    assert answer.json() == {"deleted": 2}
    assert client.get(f"/api/v1/traces/{ids[0]}").status_code == 404
    again = body(span(ids[0][3:]), **{"mlflow.experimentId": "112"})
    client.post("/v1/traces", content=again, headers=JSON).raise_for_status()
    assert client.get(f"/api/v1/traces/{ids[0]}").status_code == 404
    assert client.get("/api/v1/traces", params={"experiment_id": "112"}).json()["traces"] == []


def test_an_experiment_is_created_once(client):
    created = client.post("/api/v1/experiments", json={"name": "billing"}).json()
    again = client.post("/api/v1/experiments", json={"name": "billing"}).json()
    assert created == again and created["lifecycle_stage"] == "active"
    listed = client.get("/api/v1/experiments").json()["experiments"]
    assert created in listed
    stages = {(one["experiment_id"], one["name"], one["lifecycle_stage"]) for one in listed}
    assert ("0", "Default", "active") in stages
    assert client.post("/api/v1/experiments", json={"name": " "}).status_code == 400


def find_experiments(client, **question):
    answer = client.post("/api/v1/experiments/search", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()["experiments"]


def test_an_experiment_is_renamed_tagged_deleted_and_restored(client):
    made = client.post("/api/v1/experiments", json={"name": "ledger"}).json()
    assert made["tags"] == {} and made["creation_time"] > 1_700_000_000_000
    path = f"/api/v1/experiments/{made['experiment_id']}"
    assert client.patch(path, json={"name": "ledger 2"}).json() == {}
    assert client.put(f"{path}/tags/a/b", json={"value": "1"}).json() == {}
    assert client.put(f"{path}/tags/c", json={"value": "2"}).json() == {}
    assert client.delete(f"{path}/tags/c").json() == {}
    assert client.delete(f"{path}/tags/c").status_code == 404
    (found,) = find_experiments(client, filter_string="tags.`a/b` = '1'")
    assert (found["name"], found["tags"]) == ("ledger 2", {"a/b": "1"})
    assert found["last_update_time"] >= found["creation_time"]
    assert client.delete(path).json() == {}
    assert find_experiments(client, filter_string="name = 'ledger 2'") == []
    (gone,) = find_experiments(client, filter_string="name = 'ledger 2'", view="deleted")
    assert gone["lifecycle_stage"] == "deleted"
    refused = client.patch(path, json={"name": "ledger 3"})
    assert refused.status_code == 400 and "deleted" in refused.json()["message"]
    assert client.post(f"{path}/restore").json() == {}
    assert len(find_experiments(client, filter_string="name LIKE 'ledger%'", view="all")) == 1


def test_an_experiment_that_is_not_there_or_a_name_that_is_taken_is_named(client):
    made = client.post("/api/v1/experiments", json={"name": "taken"}).json()["experiment_id"]
    client.post("/api/v1/experiments", json={"name": "taken too"})
    taken = client.patch(f"/api/v1/experiments/{made}", json={"name": "taken too"})
    assert (taken.status_code, taken.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    for answer in (
        client.patch("/api/v1/experiments/77", json={"name": "x"}),
        client.delete("/api/v1/experiments/77"),
        client.post("/api/v1/experiments/77/restore"),
        client.put("/api/v1/experiments/77/tags/a", json={"value": "1"}),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    wrong = client.post("/api/v1/experiments/search", json={"filter_string": "nonsense = "})
    assert wrong.status_code == 400 and wrong.json()["column"] == 1


def test_fields_name_what_was_seen(client):
    send(client, experiment="113", count=2, **{"whence.metadata.region": "eu-far"})
    answer = client.get(
        "/api/v1/fields", params={"filter_prefix": "metadata.reg", "experiment_id": "113"}
    )
    assert answer.json()["fields"] == [
        {"name": "metadata.region", "values": [{"value": "eu-far", "count": 2}]}
    ]


def test_the_intake_answers_when_the_spool_is_durable(client, server):
    trace_id = new_trace_id()
    spool = server.store / "spool"
    spool.mkdir(exist_ok=True)
    (spool / "test-1.jsonl").write_bytes(body(span(trace_id)) + b"\n")
    answer = client.post("/api/v1/intake").json()
    assert set(answer) == {"segments", "spans"}
    assert client.get(f"/api/v1/traces/tr-{trace_id}").status_code == 200


def test_hostile_text_comes_back_as_it_was(client):
    trace_id = new_trace_id()
    text = "null \x00, quote ' \" \\, emoji 😀, bidi \u202e, line\u2028end"
    root = span(trace_id, name=text, attributes={"whence.inputs": json.dumps(text), "kéy ☃": text})
    client.post("/v1/traces", content=body(root), headers=JSON).raise_for_status()
    (stored,) = client.get(f"/api/v1/traces/tr-{trace_id}").json()["spans"]
    assert stored["name"] == text == stored["inputs"] == stored["attributes"]["kéy ☃"]
