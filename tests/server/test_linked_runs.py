"""Links to runs that traces came with, in a store where nobody set a link since."""

from __future__ import annotations

import httpx
import pytest

from otlp_requests import body, new_trace_id, span
from serving import serving

LINKED = "whence.linkedRuns"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    with (
        serving(tmp_path_factory.mktemp("links") / "store") as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


def test_links_that_a_trace_came_with_are_found(empty):
    moved, sent = new_trace_id(), new_trace_id()
    head = {"trace_id": f"tr-{moved}", "state": "OK", "tags": {LINKED: '["run 1"]'}}
    empty.post("/api/v1/traces/import", json={"traces": [head]}).raise_for_status()
    assert search(empty) == [f"tr-{moved}"]
    root = span(sent, attributes={f"mlflow.traceTag.{LINKED}": '["run 1"]'})
    headers = {"content-type": "application/json"}
    empty.post("/v1/traces", content=body(root), headers=headers).raise_for_status()
    assert sorted(search(empty)) == sorted([f"tr-{moved}", f"tr-{sent}"])
    empty.delete(f"/api/v1/traces/tr-{moved}/tags/{LINKED}").raise_for_status()
    again = {**head, "trace_metadata": {"more": "1"}}
    empty.post("/api/v1/traces/import", json={"traces": [again]}).raise_for_status()
    assert search(empty) == [f"tr-{sent}"]


def search(client):
    answer = client.get("/api/v1/traces", params={"filter": "run_id = 'run 1'"})
    answer.raise_for_status()
    return [one["info"]["trace_id"] for one in answer.json()["traces"]]
