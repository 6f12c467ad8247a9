"""Documents come in as resources without spans, and are read by kind and hash."""

from __future__ import annotations

import json

import pytest

from otlp_requests import new_trace_id, span
from serving import serving
from whence.ingest.documents import MAX_DOCUMENT_BYTES
from whence.otlp import json as otlp_json
from whence.otlp import protobuf as otlp_protobuf
from whence.otlp.records import Resource, ResourceSpans
from whence.otlp.segments import SegmentWriter

ENCODINGS = {
    "application/json": otlp_json.encode_request,
    "application/x-protobuf": otlp_protobuf.encode_request,
}
TEXT = "--- a/app.py\n+++ b/app.py\n+print('ünïcödé 🦊 \0')\n"


def attributes_of(document_hash, text=TEXT, kind="diff"):
    return {
        "whence.document.kind": kind,
        "whence.document.hash": document_hash,
        "whence.document.text": text,
    }


def send(client, attributes, content_type="application/json"):
    body = ENCODINGS[content_type]([ResourceSpans(Resource(attributes), [])])
    return client.post("/v1/traces", content=body, headers={"content-type": content_type})


@pytest.mark.parametrize("content_type", ENCODINGS)
def test_a_document_without_spans_is_stored_and_read(client, content_type):
    document_hash = new_trace_id()
    assert send(client, attributes_of(document_hash), content_type).status_code == 200
    answer = client.get(f"/api/v1/documents/diff/{document_hash}").json()
    assert answer.pop("received_at_ms") > 1_700_000_000_000
    assert answer == {"kind": "diff", "hash": document_hash, "text": TEXT}


def test_the_first_document_of_a_hash_stays(client):
    document_hash = new_trace_id()
    for text in ("first", "second", "first"):
        send(client, attributes_of(document_hash, text)).raise_for_status()
    assert client.get(f"/api/v1/documents/diff/{document_hash}").json()["text"] == "first"


def test_a_document_that_is_not_there_is_a_404(client):
    answer = client.get("/api/v1/documents/diff/none")
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "'diff' with hash 'none'" in answer.json()["message"]


def test_a_document_beside_spans_is_no_part_of_their_resource(client):
    document_hash, trace_id = new_trace_id(), new_trace_id()
    attributes = {**attributes_of(document_hash), "service.version": "1"}
    resource = [{"key": key, "value": {"stringValue": one}} for key, one in attributes.items()]
    group = {"resource": {"attributes": resource}, "scopeSpans": [{"spans": [span(trace_id)]}]}
    body = json.dumps({"resourceSpans": [group]})
    client.post(
        "/v1/traces", content=body, headers={"content-type": "application/json"}
    ).raise_for_status()
    (stored,) = client.get(f"/api/v1/traces/tr-{trace_id}").json()["spans"]
    assert stored["resource"] == {"service.version": "1"}
    assert client.get(f"/api/v1/documents/diff/{document_hash}").status_code == 200


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (attributes_of("h", kind="../etc"), "is no kind"),
        (attributes_of("a b"), "is no hash"),
        (attributes_of(""), "is no hash"),
        (attributes_of("h", text=7), "is no text"),
        (attributes_of("h", text="ü" * (MAX_DOCUMENT_BYTES // 2 + 1)), "are more than"),
    ],
    ids=["kind", "hash", "empty hash", "number", "too long"],
)
def test_a_document_that_cannot_be_kept_is_refused_by_name(client, attributes, reason):
    answer = send(client, attributes)
    assert answer.status_code == 200
    assert reason in answer.json()["partialSuccess"]["errorMessage"]


def test_a_document_of_the_largest_size_is_kept(client):
    document_hash = new_trace_id()
    text = "x" * MAX_DOCUMENT_BYTES
    assert "partialSuccess" not in send(client, attributes_of(document_hash, text)).json()
    assert client.get(f"/api/v1/documents/diff/{document_hash}").json()["text"] == text


def test_a_document_in_the_spool_is_taken_in(tmp_path):
    import httpx

    store = tmp_path / "store"
    writer = SegmentWriter(store / "spool")
    writer.append(otlp_json.encode_request([ResourceSpans(Resource(attributes_of("h1")), [])]))
    writer.close()
    with serving(store) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        http.post("/api/v1/intake").raise_for_status()
        assert http.get("/api/v1/documents/diff/h1").json()["text"] == TEXT


def test_a_document_survives_kill_minus_9_after_its_answer(tmp_path):
    import httpx

    store = tmp_path / "store"
    with serving(store) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        send(http, attributes_of("h2")).raise_for_status()
        running.process.kill()
        running.process.wait(30)
    with serving(store) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        assert http.get("/api/v1/documents/diff/h2").json()["text"] == TEXT
