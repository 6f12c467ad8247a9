"""Bisecting over HTTP, with known answers: the first bad version among eight, and honest doubt."""

from __future__ import annotations

import pytest
from tests.server.test_documents import attributes_of
from tests.server.test_documents import send as send_document

import whence
from compared_traces import draw_calls, send
from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}
VERSIONS = [f"1.{number}.0" for number in (0, 1, 2, 3, 8, 9, 10, 11)]  # not the order of texts


def ask(client, **query):
    answer = client.get("/api/v1/bisect", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def commit_of(digit):
    """Return a commit that no other file of tests names: ancestors hold for the whole server."""
    return f"{digit}b" * 20


def chances(found):
    return {one["name"]: one["first"] for one in found["versions"]}


@pytest.fixture(scope="module")
def eight(client):
    """From 1.9.0 on answers are a third slower, and fail more often from 1.10.0 on."""
    for number, version in enumerate(VERSIONS):
        slow = 35.0 if number >= 5 else 0.0
        failing = 0.2 if number >= 6 else 0.01
        calls = draw_calls(200, number, rerank_ms=5.0 + slow, failing=failing, turns=2)
        send(client, version, "eight", calls)


def test_the_first_bad_version_among_eight_is_found(client, eight):
    found = ask(client, good="1.0.0", bad="1.11.0", environment="eight")
    assert [one["name"] for one in found["versions"]] == VERSIONS
    assert (found["outcome"], found["first"], found["before"]) == ("found", "1.9.0", "1.8.0")
    assert found["confidence"] >= 0.95
    assert found["candidates"] == ["1.9.0"]
    assert found["verdict"] == "regressed"
    assert [one["state"] for one in found["versions"]] == ["good"] * 5 + ["bad"] * 3
    assert sum(chances(found).values()) == pytest.approx(1, abs=0.01)
    assert "1.9.0 is the first worse version" in found["summary"]
    named = next(one for one in found["versions"] if one["name"] == "1.9.0")
    assert named["low"] < 0.35 < named["high"]
    assert (named["units"], named["traces"], named["needed"]) == (100, 200, None)
    asked = {"filter": named["filter_string"], "max_results": 500}
    assert len(client.get("/api/v1/traces", params=asked).json()["traces"]) == 200


def test_each_metric_has_its_own_version(client, eight):
    errors = {"good": "1.0.0", "bad": "1.11.0", "metric": "error_rate", "environment": "eight"}
    found = ask(client, **errors)
    assert (found["outcome"], found["first"]) == ("found", "1.10.0")
    assert 0.1 < found["effect"] < 0.3
    p95 = ask(client, **{**errors, "metric": "duration_p95", "good": "1.2.0"})
    assert p95["versions"][0]["name"] == "1.2.0"
    assert p95["outcome"] in ("found", "narrowed", "inconclusive")


def test_swapped_names_of_a_metric_that_became_better(client):
    for number, version in enumerate(("2.0.0", "2.1.0", "2.2.0", "2.3.0")):
        send(
            client,
            version,
            "better",
            draw_calls(200, number, rerank_ms=40.0 if number < 2 else 5.0),
        )
    found = ask(client, good="2.0.0", bad="2.3.0", environment="better")
    assert (found["verdict"], found["outcome"], found["first"]) == ("improved", "found", "2.2.0")
    assert "first better version" in found["summary"]


def test_what_did_not_move_is_said(client, eight):
    tokens = {"good": "1.0.0", "bad": "1.11.0", "metric": "total_tokens", "environment": "eight"}
    found = ask(client, **tokens)
    assert (found["outcome"], found["first"], found["candidates"]) == ("not moved", None, [])
    assert "equivalent" in found["summary"]
    close = ask(client, good="1.2.0", bad="1.8.0", environment="eight", metric="error_rate")
    assert close["outcome"] in ("inconclusive", "not moved")
    assert close["first"] is None


def test_versions_of_too_few_traces_leave_doubt_and_say_how_to_record_more(client):
    for number, (version, count) in enumerate(
        (("3.0.0", 200), ("3.1.0", 200), ("3.2.0", 4), ("3.3.0", 5), ("3.4.0", 200))
    ):
        slow = 45.0 if number >= 3 else 5.0
        send(client, version, "sparse", draw_calls(count, number, rerank_ms=slow))
    found = ask(client, good="3.0.0", bad="3.4.0", environment="sparse")
    assert found["outcome"] == "narrowed"
    assert found["candidates"] == ["3.2.0", "3.3.0", "3.4.0"]
    assert chances(found)["3.1.0"] < 0.03
    states = {one["name"]: one["state"] for one in found["versions"]}
    assert (states["3.1.0"], states["3.2.0"], states["3.3.0"]) == ("good", "untold", "untold")
    untold = next(one for one in found["versions"] if one["name"] == "3.2.0")
    assert 8 <= untold["needed"] <= 200
    assert "WHENCE_APP_VERSION=3.2.0 WHENCE_ENVIRONMENT=sparse" in untold["record"]
    assert "too few traces to tell anything of 3.2.0, 3.3.0" in found["notes"][0]


def test_a_change_that_was_taken_back_is_named_with_a_note(client):
    for number, version in enumerate(("4.0.0", "4.1.0", "4.2.0", "4.3.0")):
        slow = 60.0 if number in (1, 3) else 5.0
        send(client, version, "back", draw_calls(200, number, rerank_ms=slow))
    found = ask(client, good="4.0.0", bad="4.3.0", environment="back")
    assert (found["outcome"], found["first"]) == ("found", "4.1.0")
    assert any("there and back" in note for note in found["notes"])


def record_commit(client, commit, environment, ms, count=60):
    spans = []
    for number in range(count):
        start = 1_700_000_000_000_000_000 + number * 1_000_000_000
        took = int((ms + number % 7) * 1e6)
        spans.append(
            span(new_trace_id(), name="answer", start_ns=start, endTimeUnixNano=str(start + took))
        )
    named = {"vcs.ref.head.revision": commit, "deployment.environment.name": environment}
    client.post("/v1/traces", content=body(*spans, **named), headers=JSON).raise_for_status()


def test_commits_are_ordered_by_ancestry_and_those_without_traces_named(client):
    line = [commit_of(digit) for digit in "9381d5"]  # the oldest first; "d" has no traces
    for place, commit in enumerate(line):
        ancestors = "\n".join(reversed(line[:place]))
        if ancestors:
            send_document(client, attributes_of(commit, ancestors, "ancestors"))
    for place in (5, 2, 0, 3, 1):
        record_commit(client, line[place], "commits", 100 if place < 3 else 140)
    found = ask(client, good=commit_of("9")[:7], bad=commit_of("5")[:7], environment="commits")
    assert found["by"] == "commit"
    assert [one["name"][0] for one in found["versions"]] == ["9", "3", "8", "1", "5"]
    assert (found["outcome"], found["first"]) == ("found", commit_of("1"))
    assert (found["untraced"], found["untraced_count"]) == ([commit_of("d")], 1)
    assert any("have no traces" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"good": "1.11.0", "bad": "1.0.0"}, "must be the older"),
        ({"good": "1.0.0", "bad": "1.0.0"}, "nothing between"),
        ({"good": "1.0.0", "bad": "7.7.7"}, "names '7.7.7'; give two app versions"),
        ({"good": "1.0.0", "bad": "1.9.0", "metric": "speed"}, "there is no metric 'speed'"),
        ({"good": "1.0.0", "bad": "1.9.0", "metric": "feedback.no"}, "feedback.no"),
        ({"good": "1.0.0", "bad": "1.9.0", "margins": "duration=-1"}, "the margin of duration"),
        ({"good": "1.0.0", "bad": "1.9.0", "by": "weather"}, "can't be stratified"),
        ({"good": "1.0.0", "bad": "1.9.0", "filter": "x ="}, "1"),
    ],
)
def test_what_can_not_be_bisected_is_said(client, eight, query, said):
    answer = client.get("/api/v1/bisect", params={"environment": "eight", **query})
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_python_asks_the_same(eight, server, monkeypatch):
    monkeypatch.setenv("WHENCE_URL", server.url)
    whence.set_tracking_uri(server.url)
    found = whence.bisect(
        "1.0.0", "1.11.0", environment="eight", margins={"duration": 0.15}, by=["environment"]
    )
    assert (found.outcome, found.first, found.margin) == ("found", "1.9.0", 0.15)
