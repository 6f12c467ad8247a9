"""Too much at once, faults, and what the log says of them."""

from __future__ import annotations

import http.client
import json
import logging
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from otlp_requests import body, new_trace_id, span
from serving import clean_environment, serving, wait_until_served
from whence.server.activity import Activity
from whence.server.log import JsonFormatter
from whence.server.requests import Requests

JSON = {"content-type": "application/json"}


def test_bodies_that_take_too_much_memory_together_are_told_to_come_back(tmp_path):
    with serving(tmp_path / "store", WHENCE_MAX_INFLIGHT_BYTES="100000") as running:
        slow = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=30)
        slow.putrequest("POST", "/v1/traces")
        slow.putheader("content-type", "application/json")
        slow.putheader("content-length", "90000")
        slow.endheaders(b"{" + b" " * 50_000)
        # The slow body is held once its headers are read; until then ours still finds room.
        padded = b"{}" + b" " * 20_000
        for _ in range(200):
            answer = httpx.post(f"{running.url}/v1/traces", content=padded, headers=JSON)
            if answer.status_code != 200:
                break
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        slow.send(b"}" + b" " * (90_000 - 50_002))
        assert slow.getresponse().status == 200
        slow.close()
        again = httpx.post(f"{running.url}/v1/traces", content=padded, headers=JSON)
        assert again.status_code == 200


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(tmp_path):
    with serving(tmp_path / "store", WHENCE_MAX_INFLIGHT_BYTES="100000") as running:
        for _ in range(5):
            gone = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=30)
            gone.putrequest("POST", "/v1/traces")
            gone.putheader("content-type", "application/json")
            gone.putheader("content-length", "90000")
            gone.endheaders(b"{" + b" " * 50_000)
            gone.close()
        # What they held is free again, else this would be refused.
        padded = b"{}" + b" " * 90_000
        for _ in range(200):
            answer = httpx.post(f"{running.url}/v1/traces", content=padded, headers=JSON)
            if answer.status_code == 200:
                break
        assert answer.status_code == 200


async def test_a_fault_is_answered_without_its_text_and_logged_with_it(caplog):
    async def broken(scope, receive, send):
        raise ValueError("secret detail")

    transport = httpx.ASGITransport(Requests(broken, Activity()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with caplog.at_level(logging.ERROR, logger="whence.server"):
            answer = await client.get("/anything", headers={"x-request-id": "mine"})
    assert answer.status_code == 500
    told = answer.json()
    assert told["error_code"] == "INTERNAL_ERROR" and told["request_id"] == "mine"
    assert "secret" not in answer.text
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == "mine" and line["path"] == "/anything"
    assert "secret detail" in line["traceback"]


@pytest.mark.parametrize(("switch", "lines"), [("true", 1), ("false", 0)])
def test_requests_are_logged_only_where_asked_for(tmp_path, switch, lines):
    with subprocess.Popen(
        [sys.executable, "-m", "whence", "server", "--store", str(tmp_path), "--port", "0"],
        env=clean_environment(WHENCE_ACCESS_LOG=switch),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        url = wait_until_served(tmp_path, process)
        httpx.get(f"{url}/api/v1/experiments", headers={"x-request-id": "mine"})
        process.terminate()
        written = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert len(written) == lines
    for line in written:
        assert line["request_id"] == "mine" and line["status"] == 200
        assert line["path"] == "/api/v1/experiments" and line["elapsed_ms"] > 0


def test_a_clickhouse_server_is_a_store_like_any_other(clickhouse_server_url):
    store = f"{clickhouse_server_url}/served"
    with subprocess.Popen(
        [sys.executable, "-m", "whence", "server", "--store", store, "--port", "0"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline()
        url = line.partition(" at ")[2].partition(",")[0]
        try:
            trace_id = new_trace_id()
            content = body(span(trace_id, attributes={"whence.metadata.region": "eu"}))
            sent = httpx.post(f"{url}/v1/traces", content=content, headers=JSON, timeout=30)
            assert sent.status_code == 200
            query = {"filter": "metadata.region = 'eu'"}
            (found,) = httpx.get(f"{url}/api/v1/traces", params=query).json()["traces"]
            assert found["info"]["trace_id"] == f"tr-{trace_id}"
            assert httpx.post(f"{url}/api/v1/intake").json() == {"segments": 0, "spans": 0}
            health = httpx.get(f"{url}/health").json()
            assert health["status"] == "ready"
            assert "p%40ss" not in health["store"] + line and "p@ss" not in health["store"] + line
        finally:
            process.terminate()
        assert process.wait(30) == 0
