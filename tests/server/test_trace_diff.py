"""Two traces side by side over HTTP, in Python and on the command line's side of it."""

from __future__ import annotations

import json

import pytest

import whence
from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def send(client, *steps, version="1", tenant="acme"):
    """Send a root and its steps (name, ms, fields); return the trace's id."""
    trace_id = new_trace_id()
    spans = [
        span(
            trace_id,
            f"{trace_id[-14:]}00",
            name="answer",
            start_ns=START_NS,
            endTimeUnixNano=str(START_NS + sum(ms for _, ms, _ in steps) * MS),
            attributes={"whence.metadata.tenant": tenant},
        )
    ]
    at = START_NS
    for place, (name, ms, fields) in enumerate(steps, 1):
        one = span(
            trace_id,
            f"{trace_id[-14:]}{place:02x}",
            parentSpanId=f"{trace_id[-14:]}00",
            name=name,
            start_ns=at,
            endTimeUnixNano=str(at + ms * MS),
            **fields,
        )
        spans.append(one)
        at += ms * MS
    client.post(
        "/v1/traces", content=body(*spans, **{"service.version": version}), headers=JSON
    ).raise_for_status()
    return f"tr-{trace_id}"


def says(question, answer):
    texts = {
        "whence.inputs": json.dumps({"question": question}),
        "whence.outputs": json.dumps(answer),
    }
    return {"attributes": texts}


def diff(client, one, other):
    answer = client.get(f"/api/v1/traces/{one}/diff/{other}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_spans_meet_by_their_path_and_loops_by_their_turn(client):
    one = send(client, ("plan", 10, {}), ("tool", 5, {}), ("tool", 5, {}), ("cite", 1, {}))
    other = send(client, ("plan", 30, {}), ("tool", 5, {}), ("tool", 5, {}), ("tool", 5, {}))
    found = diff(client, one, other)
    changes = {span["path"]: span["change"] for span in found["spans"]}
    assert changes == {
        "answer": "same",
        "answer/plan": "same",
        "answer/tool": "same",
        "answer/tool[2]": "same",
        "answer/tool[3]": "only in candidate",
        "answer/cite": "only in baseline",
    }
    plan = next(span for span in found["spans"] if span["path"] == "answer/plan")
    assert (plan["baseline"]["duration_ms"], plan["candidate"]["duration_ms"]) == (10, 30)
    assert (found["only_baseline"], found["only_candidate"], found["same"]) == (1, 1, 4)


def test_texts_metadata_and_failures_are_told(client):
    one = send(client, ("complete", 5, says("how much?", "12 euro\nplus delivery")), version="1")
    failing = says("how much?", "13 euro\nplus delivery") | {
        "status": {"code": 2, "message": "late"}
    }
    other = send(client, ("complete", 5, failing), version="2", tenant="zenith")
    found = diff(client, one, other)
    step = next(span for span in found["spans"] if span["name"] == "complete")
    assert step["change"] == "changed"
    texts = {text["what"]: text["lines"] for text in step["texts"]}
    assert "inputs" not in texts
    assert texts["outputs"][1:3] == ["-12 euro", "+13 euro"]
    assert texts["status message"][-1] == "+late"
    values = {one["key"]: (one["baseline"], one["candidate"]) for one in found["metadata"]}
    assert values["tenant"] == ("acme", "zenith")
    assert values["app_version"] == ("1", "2")


def test_a_trace_is_the_same_as_itself(client):
    one = send(client, ("plan", 10, says("a", "b")))
    found = diff(client, one, one)
    assert (found["changed"], found["only_baseline"], found["metadata"]) == (0, 0, [])


def test_long_texts_are_cut_and_it_is_said(client):
    long = "\n".join(f"line {number}" for number in range(5000))
    one = send(client, ("complete", 5, says("q", long)))
    other = send(client, ("complete", 5, says("q", long.replace("line 7", "row 7"))))
    (text,) = next(s for s in diff(client, one, other)["spans"] if s["name"] == "complete")["texts"]
    assert text["cut"] is True
    assert len(text["lines"]) <= 200


def test_deep_and_broken_trees_are_compared_too(client):
    trace_id = new_trace_id()
    parents = [f"{place:016x}" for place in range(1, 1200)]
    chain = [
        span(trace_id, child, parentSpanId=parent, name="down", start_ns=START_NS)
        for parent, child in zip(["00000000000000ff0", *parents][1:], parents[1:], strict=False)
    ]
    client.post("/v1/traces", content=body(*chain), headers=JSON).raise_for_status()
    found = diff(client, f"tr-{trace_id}", f"tr-{trace_id}")
    assert found["same"] == len(chain)


def test_a_trace_that_is_not_there_is_named(client, server, monkeypatch):
    one = send(client, ("plan", 10, {}))
    missing = "tr-" + 32 * "e"
    answer = client.get(f"/api/v1/traces/{one}/diff/{missing}")
    assert answer.status_code == 404
    assert missing in answer.json()["message"]
    monkeypatch.setenv("WHENCE_URL", server.url)
    assert whence.diff_traces(one, one).changed == 0
    with pytest.raises(whence.exceptions.MlflowException, match="non-empty"):
        whence.diff_traces(one, "")


def nest(client, names, version):
    """Send a trace whose spans are one below the other."""
    trace_id = new_trace_id()
    spans = [
        span(
            trace_id,
            f"{level:016x}",
            **({"parentSpanId": f"{level - 1:016x}"} if level > 1 else {}),
            name=name,
            start_ns=START_NS,
            endTimeUnixNano=str(START_NS + MS),
        )
        for level, name in enumerate(names, 1)
    ]
    client.post(
        "/v1/traces", content=body(*spans, **{"service.version": version}), headers=JSON
    ).raise_for_status()
    return f"tr-{trace_id}"


def test_names_with_slashes_do_not_pass_for_other_spans_paths(client):
    one = nest(client, ["a", "b/c", "d"], "p1")
    other = nest(client, ["a", "b", "c", "d"], "p2")
    found = diff(client, one, other)
    assert (found["same"] + found["changed"], found["only_baseline"], found["only_candidate"]) == (
        1,
        2,
        3,
    )
    paths = [span["path"] for span in found["spans"]]
    assert len(set(paths)) == len(paths) == 6


def test_a_deep_trace_has_paths_of_bounded_length_that_differ(client):
    names = [f"step-{level:04d}-of-a-rather-deep-trace" for level in range(1500)]
    one, other = nest(client, names, "d1"), nest(client, [*names, "one more"], "d2")
    found = diff(client, one, other)
    assert found["only_candidate"] == 1
    paths = [span["path"] for span in found["spans"]]
    assert len(set(paths)) == len(paths) == 1501
    assert max(map(len, paths)) < 520
    assert paths[-1].startswith("…") and paths[-1].endswith("/one more")
