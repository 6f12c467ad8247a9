"""`whence compare --wait`: watching while traffic arrives."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from compared_traces import draw_calls, send


@pytest.fixture(scope="module")
def before(server):
    """What was recorded before anybody watched."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        send(client, "1.0.0", "rollout", draw_calls(300, 1))


def arriving(server, version, **planted):
    """Send a version's traffic in parts, while the test goes on."""

    def run():
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for part in range(4):
                send(client, version, "rollout", draw_calls(60, 10 + part, **planted))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait(whence, candidate, *more):
    asked = ("--baseline", "1.0.0", "--candidate", candidate, "--environment", "rollout")
    return whence("compare", *asked, "--wait", *more)


def test_it_ends_with_the_first_regression(whence, server, before):
    sending = arriving(server, "1.1.0", rerank_ms=80.0, failing=0.5)
    done = wait(whence, "1.1.0", "--limit", "2m")
    sending.join()
    assert done.code == 1
    assert done.out.startswith("1.1.0 against 1.0.0 in rollout: regressed\n")
    assert "why: rerank" in done.out
    assert done.err.startswith("look ")
    assert "no verdict" not in done.out


def test_the_twin_raises_no_alarm_and_the_limit_ends_the_watch(whence, server, before):
    sending = arriving(server, "1.0.1")
    options = ("--limit", "5s", "--format", "json", "--no-explain", "--strict")
    done = wait(whence, "1.0.1", "--metric", "error_rate", *options)
    sending.join()
    assert done.code == 2
    found = json.loads(done.out)
    assert found["verdict"] == "inconclusive"
    assert "within 5 s of watching" in found["notes"][-1]
    assert found["watching"]["look"] >= 1
    assert found["candidate"]["asked"] == "1.0.1"
    assert {one["verdict"] for one in found["metrics"]} <= {"inconclusive", "equivalent"}


def test_a_verdict_on_every_metric_ends_it_too(whence, before):
    margins = ("--metric", "duration", "--margin", "duration=0.9")
    done = wait(whence, "1.0.1", *margins, "--limit", "1m", "--strict", "--no-explain")
    assert done.code == 0
    assert ": equivalent\n" in done.out


def test_a_limit_that_can_not_be_read_is_refused(whence, before):
    done = wait(whence, "1.0.1", "--limit", "soon")
    assert done.code == 3
    assert "write 90s, 30m, 2h or 1d" in done.err


def test_looks_are_asked_for_over_http(server, before):
    with httpx.Client(base_url=server.url, timeout=30) as client:
        asked = {"baseline": "1.0.0", "candidate": "1.0.1", "environment": "rollout"}
        first = client.get("/api/v1/compare", params={**asked, "looks": 0}).json()
        assert first["watching"]["is_new"]
        again = client.post("/api/v1/compare", json={**asked, "looks": first["watching"]["look"]})
        assert not again.json()["watching"]["is_new"]
        wrong = client.post("/api/v1/compare", json={**asked, "looks": -1})
        assert wrong.status_code == 400 and "those taken before" in wrong.json()["message"]
        assert client.post("/api/v1/compare", json=asked).json()["watching"] is None
