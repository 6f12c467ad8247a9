"""`POST /v1/traces`: what is taken, and exactly how the rest is refused."""

from __future__ import annotations

import gzip
import json
import zlib

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otlp_requests import body, new_trace_id, span
from serving import serving

JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def protobuf_body(trace_id: str) -> bytes:
    message = ExportTraceServiceRequest()
    one = message.resource_spans.add().scope_spans.add().spans.add()
    one.trace_id = bytes.fromhex(trace_id)
    one.span_id = bytes.fromhex("00f067aa0ba902b7")
    one.name = "protobuf"
    one.start_time_unix_nano = 1_700_000_000_000_000_000
    one.end_time_unix_nano = 1_700_000_000_005_000_000
    return message.SerializeToString()


def stored_spans(client: httpx.Client, trace_id: str) -> list[dict]:
    answer = client.get(f"/api/v1/traces/tr-{trace_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["spans"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        (None, bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:])),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
    ids=["none", "identity", "gzip", "gzip members", "upper case", "zlib", "raw deflate"],
)
@pytest.mark.parametrize("kind", ["json", "protobuf"])
def test_every_encoding_is_stored_before_the_answer(client, kind, encoding, compress):
    trace_id = new_trace_id()
    headers = dict(JSON if kind == "json" else PROTOBUF)
    if encoding is not None:
        headers["content-encoding"] = encoding
    content = body(span(trace_id)) if kind == "json" else protobuf_body(trace_id)
    answer = client.post("/v1/traces", content=compress(content), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == headers["content-type"]
    if kind == "json":
        assert answer.json() == {}
    else:
        assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert len(stored_spans(client, trace_id)) == 1


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", JSON),
        (b"", PROTOBUF),
        (b"{}", JSON),
        (b'{"resourceSpans":[]}', {"content-type": "application/json; charset=utf-8"}),
        (gzip.compress(b"{}", mtime=0), {**JSON, "content-encoding": "gzip"}),
        (gzip.compress(b"", mtime=0), {**PROTOBUF, "content-encoding": "gzip"}),
    ],
)
def test_an_empty_request_is_fine(client, content, headers):
    assert client.post("/v1/traces", content=content, headers=headers).status_code == 200


ONE = span("0" * 31 + "1")
MALFORMED = {
    "half a document": (b'{"resourceSpans":[', JSON, "byte"),
    "not JSON": (b"\xff\xfe", JSON, "byte"),
    "a list": (b"[]", JSON, "top"),
    "a short trace id": (
        body({**ONE, "traceId": "abc"}),
        JSON,
        "resourceSpans[0].scopeSpans[0].spans[0].traceId",
    ),
    "the second span has no span id": (
        body(ONE, {**ONE, "spanId": ""}),
        JSON,
        "resourceSpans[0].scopeSpans[0].spans[1].spanId",
    ),
    "a time in words": (
        body({**ONE, "startTimeUnixNano": "noon"}),
        JSON,
        "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano",
    ),
    "not protobuf": (b"\xff" * 40, PROTOBUF, "40 bytes"),
    "gzip that isn't": (b"plain", {**JSON, "content-encoding": "gzip"}, "gzip"),
    "half a gzip": (
        gzip.compress(b"x" * 999, mtime=0)[:20],
        {**JSON, "content-encoding": "gzip"},
        "too early",
    ),
    "deflate that isn't": (b"\xff\xff", {**JSON, "content-encoding": "deflate"}, "deflate"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_refused_with_its_place(client, name):
    content, headers, place = MALFORMED[name]
    answer = client.post("/v1/traces", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == headers["content-type"]
    if headers["content-type"] == "application/json":
        told = answer.json()
        assert place in told["message"]
        assert told["error_code"] == "INVALID_PARAMETER_VALUE" and told["code"] == 3
        assert told["request_id"] == answer.headers["x-request-id"]
    else:  # google.rpc.Status: field 1 is the code, field 2 the message
        assert answer.content[:2] == b"\x08\x03"
        assert place.encode() in answer.content


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"content-type": "text/plain"}, "text/plain"),
        ({}, "application/x-protobuf"),
        ({"content-type": "application/grpc"}, "application/grpc"),
        ({**JSON, "content-encoding": "br"}, "br"),
        ({**JSON, "content-encoding": "gzip, gzip"}, "gzip, gzip"),
    ],
)
def test_what_we_do_not_read_is_415(client, headers, named):
    answer = client.post("/v1/traces", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert named in answer.json()["message"]


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    store = tmp_path_factory.mktemp("small") / "store"
    with serving(store, WHENCE_MAX_BODY_BYTES="100000") as running:
        yield running


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_stops_at_the_limit(small_server, encoding):
    bomb = (
        gzip.compress(b" " * 50_000_000) if encoding == "gzip" else zlib.compress(b" " * 50_000_000)
    )
    assert len(bomb) < 100_000
    headers = {**JSON, "content-encoding": encoding}
    answer = httpx.post(f"{small_server.url}/v1/traces", content=bomb, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error_code"] == "RESOURCE_EXHAUSTED"
    assert "100000 bytes" in answer.json()["message"]


def test_a_body_that_says_it_is_too_large_is_refused(small_server):
    answer = httpx.post(f"{small_server.url}/v1/traces", content=b" " * 100_001, headers=JSON)
    assert answer.status_code == 413


def test_a_body_that_does_not_say_is_counted_while_it_comes(small_server):
    chunks = (b" " * 10_000 for _ in range(11))
    answer = httpx.post(f"{small_server.url}/v1/traces", content=chunks, headers=JSON)
    assert answer.status_code == 413


def test_a_body_of_the_limit_is_taken(small_server):
    answer = httpx.post(
        f"{small_server.url}/v1/traces", content=b"{}" + b" " * 99_998, headers=JSON
    )
    assert answer.status_code == 200


def test_the_experiment_header_says_where_a_trace_goes(client):
    trace_id = new_trace_id()
    headers = {**JSON, "x-mlflow-experiment-id": "4711"}
    client.post("/v1/traces", content=body(span(trace_id)), headers=headers).raise_for_status()
    info = client.get(f"/api/v1/traces/tr-{trace_id}").json()["info"]
    assert info["experiment_id"] == "4711"


def test_the_resource_says_where_a_trace_goes(client):
    trace_id = new_trace_id()
    content = body(span(trace_id), **{"mlflow.experimentId": "4712"})
    client.post("/v1/traces", content=content, headers=JSON).raise_for_status()
    info = client.get(f"/api/v1/traces/tr-{trace_id}").json()["info"]
    assert info["experiment_id"] == "4712"


def test_a_trace_that_names_no_experiment_goes_to_the_default(client):
    trace_id = new_trace_id()
    client.post("/v1/traces", content=body(span(trace_id)), headers=JSON).raise_for_status()
    assert client.get(f"/api/v1/traces/tr-{trace_id}").json()["info"]["experiment_id"] == "0"


def test_the_configured_default_experiment_is_created_and_used(small_server, tmp_path):
    from whence.entities import experiment_id_of

    with serving(tmp_path / "store", WHENCE_DEFAULT_EXPERIMENT="checkout") as running:
        trace_id = new_trace_id()
        url = running.url
        httpx.post(f"{url}/v1/traces", content=body(span(trace_id)), headers=JSON)
        info = httpx.get(f"{url}/api/v1/traces/tr-{trace_id}").json()["info"]
        assert info["experiment_id"] == experiment_id_of("checkout")
        experiments = httpx.get(f"{url}/api/v1/experiments").json()["experiments"]
        assert "checkout" in {one["name"] for one in experiments}


@pytest.mark.parametrize("given", ["abc", "1.5", "-1", "", "١"])
def test_an_experiment_that_is_no_integer_is_refused(client, given):
    headers = {**JSON, "x-mlflow-experiment-id": given.encode()}
    answer = client.post("/v1/traces", content=body(span(new_trace_id())), headers=headers)
    assert answer.status_code == 400
    assert "x-mlflow-experiment-id" in answer.json()["message"]


def test_a_contradicting_write_is_a_partial_success(client):
    trace_id = new_trace_id()
    first = span(trace_id, attributes={"whence.metadata.region": "eu-west-1"}, start_ns=10**18)
    again = span(trace_id, attributes={"whence.metadata.region": "us-east-1"}, start_ns=10**18)
    client.post("/v1/traces", content=body(first), headers=JSON).raise_for_status()
    answer = client.post("/v1/traces", content=body(again), headers=JSON)
    assert answer.status_code == 200
    message = answer.json()["partialSuccess"]["errorMessage"]
    assert trace_id in message and "region" in message
    assert "eu-west-1" in message and "us-east-1" in message
    trace = client.get(f"/api/v1/traces/tr-{trace_id}").json()
    assert trace["info"]["trace_metadata"]["region"] == "eu-west-1"
    assert [(one["key"], one["kept"], one["refused"]) for one in trace["conflicts"]] == [
        ("region", "eu-west-1", "us-east-1")
    ]


def test_a_large_trace_is_stored_and_read_back_whole(client):
    trace_id = new_trace_id()
    prompt = "p" * 5_000_000
    root = span(trace_id, attributes={"whence.inputs": json.dumps(prompt)})
    client.post("/v1/traces", content=body(root), headers=JSON).raise_for_status()
    for start in range(0, 30_000, 10_000):
        content = body(
            *(
                span(trace_id, f"{number + 1:016x}", parentSpanId="00f067aa0ba902b7")
                for number in range(start, start + 10_000)
            )
        )
        client.post("/v1/traces", content=content, headers=JSON).raise_for_status()
    spans = stored_spans(client, trace_id)
    assert len(spans) == 30_001
    assert next(one for one in spans if one["parent_id"] is None)["inputs"] == prompt
