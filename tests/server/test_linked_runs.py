"""Links to runs that traces came with, in a store where nobody set a link since."""

from __future__ import annotations

import json

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


def test_a_list_that_is_too_long_is_cut_at_an_item_and_is_not_lost_by_the_next_link(empty):
    trace_id = f"tr-{new_trace_id()}"
    runs = [f"{number:032}" for number in range(300)]
    head = {"trace_id": trace_id, "state": "OK", "tags": {LINKED: json.dumps(runs)}}
    for more in ({}, {"request_preview": "again"}):
        form = {"traces": [{**head, **more}]}
        empty.post("/api/v1/traces/import", json=form).raise_for_status()
        kept = read_links(empty, trace_id)
        assert kept == runs[: len(kept)] and len(kept) > 200
    link = {"trace_ids": [trace_id], "run_id": "one more" * 5}
    refused = empty.post("/api/2.0/mlflow/traces/link-to-run", json=link)
    assert (refused.status_code, "too many links" in refused.text) == (400, True)
    assert read_links(empty, trace_id) == kept


def test_text_that_is_no_list_of_links_is_not_overwritten(empty):
    trace_id = f"tr-{new_trace_id()}"
    head = {"trace_id": trace_id, "state": "OK", "tags": {LINKED: '["run 1", "ru'}}
    empty.post("/api/v1/traces/import", json={"traces": [head]}).raise_for_status()
    link = {"trace_ids": [trace_id], "run_id": "run 2"}
    refused = empty.post("/api/2.0/mlflow/traces/link-to-run", json=link)
    assert (refused.status_code, "no JSON list" in refused.text) == (400, True)
    empty.delete(f"/api/v1/traces/{trace_id}/tags/{LINKED}").raise_for_status()
    empty.post("/api/2.0/mlflow/traces/link-to-run", json=link).raise_for_status()
    assert read_links(empty, trace_id) == ["run 2"]


def read_links(client, trace_id):
    answer = client.get(f"/api/v1/traces/{trace_id}")
    answer.raise_for_status()
    return json.loads(answer.json()["info"]["tags"][LINKED])


def search(client):
    answer = client.get("/api/v1/traces", params={"filter": "run_id = 'run 1'"})
    answer.raise_for_status()
    return [one["info"]["trace_id"] for one in answer.json()["traces"]]
