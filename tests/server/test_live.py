"""The live tail: server-sent events over a real connection."""

from __future__ import annotations

import json
from contextlib import contextmanager

import httpx
import pytest

from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}


@contextmanager
def tail(server, **query: str):
    """Yield the traces told of, once the server listens for us."""
    url = f"{server.url}/api/v1/traces/live"
    with httpx.stream("GET", url, params=query, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith(":")
        yield (json.loads(line[6:]) for line in lines if line.startswith("data: "))


def send(client, trace_id: str, experiment: str, **fields) -> None:
    content = body(span(trace_id, **fields), **{"mlflow.experimentId": experiment})
    client.post("/v1/traces", content=content, headers=JSON).raise_for_status()


def test_a_new_trace_and_its_changes_are_told(client, server):
    trace_id = new_trace_id()
    with tail(server, experiment_id="300") as told:
        send(client, new_trace_id(), "301")  # of another experiment
        send(client, trace_id, "300", name="answer")
        created = next(told)
        assert created["trace_id"] == f"tr-{trace_id}" and created["name"] == "answer"
        client.put(f"/api/v1/traces/tr-{trace_id}/tags/seen", json={"value": "yes"})
        assert next(told)["tags"]["seen"] == "yes"


def test_the_filter_decides_what_is_told(client, server):
    wanted = new_trace_id()
    with tail(server, experiment_id="302", filter="metadata.region = 'eu'") as told:
        send(client, new_trace_id(), "302", attributes={"whence.metadata.region": "us"})
        send(client, wanted, "302", attributes={"whence.metadata.region": "eu"})
        assert next(told)["trace_id"] == f"tr-{wanted}"


def test_a_wrong_filter_is_an_error_and_no_stream(client):
    answer = client.get("/api/v1/traces/live", params={"filter": "latency > 1"})
    assert answer.status_code == 400 and answer.json()["column"] == 1


def test_many_listeners_hear_the_same(client, server):
    trace_id = new_trace_id()
    with (
        tail(server, experiment_id="303") as one,
        tail(server, experiment_id="303") as two,
        tail(server, experiment_id="303") as three,
    ):
        send(client, trace_id, "303")
        assert {next(told)["trace_id"] for told in (one, two, three)} == {f"tr-{trace_id}"}


@pytest.mark.parametrize("leave", range(3))
def test_a_listener_that_leaves_disturbs_nobody(client, server, leave):
    with tail(server, experiment_id="304"):
        send(client, new_trace_id(), "304")
    trace_id = new_trace_id()
    with tail(server, experiment_id="304") as told:
        send(client, trace_id, "304")
        assert next(told)["trace_id"] == f"tr-{trace_id}"
