"""`POST /api/v1/traces/import`: traces of other stores, also those that are known here already."""

from __future__ import annotations

import json

import pytest

from otlp_requests import body, new_trace_id, request, span

OTLP = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
LAST = "9999-12-31T23:59:59.999999Z"
SPAN_ID, CHILD_ID = "00f067aa0ba902b7", "00f067aa0ba902b8"


def head(trace_id, **fields):
    return {
        "trace_id": f"tr-{trace_id}",
        "experiment_id": "0",
        "request_time_ms": START_NS // 1_000_000,
        "duration_ns": 5_000_000,
        "state": "OK",
        **fields,
    }


def move(client, *heads, spans=(), trace_ids=None):
    form = {"traces": list(heads), "spans": request(*spans), "trace_ids": trace_ids or {}}
    answer = client.post("/api/v1/traces/import", json=form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def root(trace_id, **fields):
    return span(trace_id, SPAN_ID, start_ns=START_NS, **fields)


def read(client, trace_id):
    answer = client.get(f"/api/v1/traces/tr-{trace_id}")
    answer.raise_for_status()
    return answer.json()


def judged(name, **fields):
    return {
        "assessment_id": f"a-{name}",
        "assessment_name": name,
        "feedback": {"value": 1},
        **fields,
    }


def test_what_contradicts_a_trace_that_is_here_is_named_and_the_rest_is_taken(client):
    trace_id = new_trace_id()
    sent = body(root(trace_id), **{"service.version": "1.0"})
    client.post("/v1/traces", content=sent, headers=OTLP).raise_for_status()
    metadata = {"app_version": "HACKED", "tenant": "acme"}
    moved = head(
        trace_id, state="ERROR", trace_metadata=metadata, tags={"t": "1"}, assessments=[judged("x")]
    )
    for _ in range(2):
        answer = move(client, moved)
        (refused,) = answer["refused"]
        assert (answer["traces"], refused["trace_id"], refused["whole"]) == (
            1,
            f"tr-{trace_id}",
            False,
        )
        for words in ("'app_version' is '1.0' and stays", "'state' is 'OK' and stays"):
            assert words in refused["reason"]
    trace = read(client, trace_id)
    info = trace["info"]
    assert (info["state"], info["trace_metadata"]["app_version"]) == ("OK", "1.0")
    assert (info["trace_metadata"]["tenant"], info["tags"]["t"]) == ("acme", "1")
    assert [one["assessment_id"] for one in info["assessments"]] == ["a-x"]
    assert {(one["key"], one["refused"]) for one in trace["conflicts"]} == {
        ("app_version", "HACKED"),
        ("state", "ERROR"),
    }


def test_what_contradicts_an_earlier_import_is_named_and_the_rest_is_taken(client):
    trace_id = new_trace_id()
    move(client, head(trace_id, trace_metadata={"a": "1"}), spans=[root(trace_id)])
    again = head(trace_id, trace_metadata={"a": "2", "b": "3"}, assessments=[judged("y")])
    answer = move(client, again)
    assert [
        (one["whole"], "'a' is '1' and stays" in one["reason"]) for one in answer["refused"]
    ] == [(False, True)]
    assert answer["traces"] == 1
    info = read(client, trace_id)["info"]
    assert (info["trace_metadata"]["a"], info["trace_metadata"]["b"]) == ("1", "3")
    assert [one["assessment_id"] for one in info["assessments"]] == ["a-y"]


def test_a_trace_that_was_in_progress_ends_with_the_numbers_it_has_by_then(client):
    trace_id = new_trace_id()

    def counted(tokens, spans, cost):
        return {
            "app_version": "1",
            "mlflow.trace.tokenUsage": json.dumps({"input_tokens": tokens, "total_tokens": tokens}),
            "mlflow.trace.sizeStats": json.dumps({"num_spans": spans}),
            "mlflow.trace.cost": json.dumps({"total_cost": cost}),
            "mlflow.trace.sizeBytes": str(spans * 100),
        }

    begun = head(
        trace_id,
        state="IN_PROGRESS",
        request_time_ms=START_NS // 1_000_000 + 3,
        duration_ns=1_000_000,
        request_preview="so far",
        trace_metadata=counted(5, 1, 0.1),
    )
    child = span(trace_id, CHILD_ID, parentSpanId=SPAN_ID, start_ns=START_NS + 3_000_000)
    move(client, begun, spans=[child])
    assert read(client, trace_id)["info"]["state"] == "IN_PROGRESS"
    ended = head(trace_id, request_preview="whole", trace_metadata=counted(12, 2, 0.3))
    for moved in (ended, begun, ended):  # one that comes late says nothing any more
        assert move(client, moved, spans=[child, root(trace_id)])["refused"] == []
    trace = read(client, trace_id)
    info = trace["info"]
    assert (info["state"], info["duration_ns"], info["request_preview"]) == (
        "OK",
        5_000_000,
        "whole",
    )
    assert info["request_time_ms"] == START_NS // 1_000_000
    assert {key: info["trace_metadata"][key] for key in counted(12, 2, 0.3)} == counted(12, 2, 0.3)
    assert trace["conflicts"] == []


def test_a_root_that_ends_counts_over_what_was_said_while_it_ran(client):
    trace_id = new_trace_id()
    begun = head(
        trace_id,
        state="IN_PROGRESS",
        duration_ns=1_000_000,
        trace_metadata={"mlflow.trace.tokenUsage": '{"total_tokens": 1}', "app_version": "1"},
    )
    move(client, begun)
    usage = {"gen_ai.usage.input_tokens": "7", "gen_ai.usage.output_tokens": "8"}
    sent = body(root(trace_id, attributes=usage))
    client.post("/v1/traces", content=sent, headers=OTLP).raise_for_status()
    info = read(client, trace_id)["info"]
    assert (info["state"], info["duration_ns"]) == ("OK", 5_000_000)
    assert json.loads(info["trace_metadata"]["mlflow.trace.tokenUsage"])["total_tokens"] == 15
    assert info["trace_metadata"]["app_version"] == "1"


def test_a_tag_that_was_set_or_deleted_here_outlives_an_import(client):
    trace_id = new_trace_id()
    move(client, head(trace_id, tags={"set": "there", "gone": "there", "theirs": "there"}))
    url = f"/api/v1/traces/tr-{trace_id}/tags"
    client.put(f"{url}/set", json={"value": "here"}).raise_for_status()
    client.delete(f"{url}/gone").raise_for_status()
    move(client, head(trace_id, tags={"set": "new", "gone": "new", "theirs": "new"}))
    tags = read(client, trace_id)["info"]["tags"]
    assert (tags["set"], tags["theirs"], "gone" in tags) == ("here", "new", False)


def test_of_two_heads_in_one_request_the_later_tag_counts(client):
    trace_id = new_trace_id()
    move(client, head(trace_id, tags={"t": "1"}))
    move(client, head(trace_id, tags={"t": "2"}), head(trace_id, tags={"t": "1"}))
    assert read(client, trace_id)["info"]["tags"]["t"] == "1"


def test_what_is_whole_refused_leaves_nothing(client):
    deleted, wrong, good = new_trace_id(), new_trace_id(), new_trace_id()
    move(client, head(deleted))
    gone = {"trace_ids": [f"tr-{deleted}"]}
    client.post("/api/v1/traces/delete", json=gone).raise_for_status()
    answer = move(
        client,
        head(deleted, assessments=[judged("z")]),
        head(wrong, duration_ns=-1, assessments=[judged("z")]),
        head(good),
        spans=[root(deleted), root(good)],
    )
    assert (answer["traces"], answer["spans"]) == (1, 1)
    assert {(one["trace_id"], one["whole"]) for one in answer["refused"]} == {
        (f"tr-{deleted}", True),
        (f"tr-{wrong}", True),
    }
    for trace_id in (deleted, wrong):
        assert client.get(f"/api/v1/traces/tr-{trace_id}").status_code == 404


@pytest.mark.parametrize("wrong", [7, ["a"], {"a": 1}])
def test_an_assessment_whose_id_is_no_text_is_refused_by_name(client, wrong):
    trace_id = new_trace_id()
    judgements = [judged("bad", assessment_id=wrong), judged("good")]
    (refused,) = move(client, head(trace_id, assessments=judgements))["refused"]
    assert not refused["whole"] and "'assessment_id' must be a string" in refused["reason"]
    found = read(client, trace_id)["info"]["assessments"]
    assert [one["assessment_id"] for one in found] == ["a-good"]
    posted = client.post(
        f"/api/v1/traces/tr-{trace_id}/assessments", json=judged("bad", assessment_id=wrong)
    )
    assert (posted.status_code, "'assessment_id' must be a string" in posted.text) == (400, True)


def test_a_state_that_is_none_is_refused(client):
    form = {"traces": [head(new_trace_id(), state="FINE")]}
    answer = client.post("/api/v1/traces/import", json=form)
    assert answer.status_code == 400
    assert "state" in answer.text and "FINE" in answer.text


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_judgement_of_no_year_is_refused_and_spoils_no_page(client, moment):
    trace_id = new_trace_id()
    judgements = [judged("odd", create_time=moment), judged("last", create_time=LAST)]
    (refused,) = move(client, head(trace_id, assessments=judgements))["refused"]
    assert "'create_time' must be an RFC 3339 time" in refused["reason"]
    (found,) = read(client, trace_id)["info"]["assessments"]
    assert found["create_time"] == "9999-12-31T23:59:59.999Z"
    url = f"/api/3.0/mlflow/traces/tr-{trace_id}/assessments"
    posted = client.post(url, json={"assessment": judged("odd", create_time=moment)})
    assert (posted.status_code, "create_time" in posted.text) == (400, True)


@pytest.mark.parametrize("fields", [{"valid": "no"}, {"valid": 0.5}, {"valid": []}])
def test_a_judgement_is_valid_or_not(client, fields):
    (refused,) = move(client, head(new_trace_id(), assessments=[judged("v", **fields)]))["refused"]
    assert "'valid' must be true or false" in refused["reason"]


@pytest.mark.parametrize("trace_id", ["", ".", "..", "a/b"])
def test_an_id_that_no_path_can_hold_is_refused(client, trace_id):
    (refused,) = move(client, {"trace_id": trace_id})["refused"]
    assert refused["whole"] and "must be a single path component" in refused["reason"]


def test_an_id_may_have_250_characters_and_no_more(client):
    digits = new_trace_id()
    allowed, long = f"{digits:x<250}", f"{digits:x<100000}"
    answer = move(client, {"trace_id": allowed}, {"trace_id": long})
    assert (answer["traces"], [one["whole"] for one in answer["refused"]]) == (1, [True])
    assert "100000 characters are too long, 250 is the limit" in answer["refused"][0]["reason"]
    assert client.get(f"/api/v1/traces/{allowed}").status_code == 200
    form = {"traces": [], "spans": request(root(digits)), "trace_ids": {digits: long}}
    refused = client.post("/api/v1/traces/import", json=form)
    assert refused.status_code == 400 and len(refused.text) < 1_000
    assert "parameter 'trace_ids'" in refused.text and "250 is the limit" in refused.text


@pytest.mark.parametrize("experiment_id", ["", "abc", "-1", "1.0", "٣", "9" * 21])
def test_an_experiment_that_is_no_integer_is_refused_and_not_made(client, experiment_id):
    trace_id, other = new_trace_id(), new_trace_id()
    answer = move(client, head(trace_id, experiment_id=experiment_id), head(other))
    (refused,) = answer["refused"]
    assert (answer["traces"], refused["trace_id"]) == (1, f"tr-{trace_id}")
    assert refused["whole"] and "experiment_id must be an integer" in refused["reason"]
    assert client.get(f"/api/v1/traces/tr-{trace_id}").status_code == 404


def test_judgements_on_a_root_belong_to_the_id_that_its_digits_stand_for(client):
    digits = new_trace_id()
    trace_id = f"request {digits}"
    said = {"whence.assessments": json.dumps([judged("of root")])}
    answer = move(
        client,
        {"trace_id": trace_id},
        spans=[root(digits, attributes=said)],
        trace_ids={digits: trace_id},
    )
    assert (answer["traces"], answer["spans"], answer["refused"]) == (1, 1, [])
    found = client.get(f"/api/v1/traces/{trace_id}").json()["info"]["assessments"]
    assert [one["assessment_id"] for one in found] == ["a-of root"]
