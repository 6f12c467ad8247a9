"""From the SDK's traffic of two versions to a finding and a webhook, through a real server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import whence
from serving import Running, clean_environment, serving
from webhook_receiver import receiving

PRIVATE = {"WHENCE_WEBHOOK_PRIVATE": "on"}
PROGRAM = Path(__file__).parents[1] / "shop_versions.py"
WAIT_S = 120.0


@pytest.fixture(scope="module")
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def watched(tmp_path_factory, receiver):
    """A server, and what it was told of 1.0.0, of its twin 1.0.1, and of 1.1.0, which is worse."""
    store = tmp_path_factory.mktemp("watched") / "store"
    env = {**PRIVATE, "WHENCE_PUBLIC_URL": "https://traces.example.org"}
    with (
        serving(store, **env) as running,
        httpx.Client(base_url=running.url + "/api/v1", timeout=30) as client,
    ):
        made = client.post("/webhooks", json={"url": receiver.url}).json()
        client.secret, client.webhook_id = made["secret"], made["webhook"]["webhook_id"]
        for version, planted in (("1.0.0", ""), ("1.0.1", ""), ("1.1.0", "planted")):
            record(running, version, 150, planted)
        client.server = running
        yield client


def record(running, version, count, planted=""):
    """Run the program of a version."""
    command = [sys.executable, str(PROGRAM), version, str(count), planted]
    env = clean_environment(WHENCE_URL=running.url)
    subprocess.run(command, env=env, check=True, timeout=60, cwd=running.store.parent)


@pytest.fixture(scope="module")
def found(watched):
    """The findings, once the watch has looked at the version that is worse."""

    def read():
        return watched.get("/findings").json()["findings"]

    def is_whole(found):
        families = {"duration", "error_rate"}
        return found and families <= {row["metric"] for row in found[0]["metrics"]} and found

    return wait_until(lambda: is_whole(read()))


def wait_until(done):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if answer := done():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {WAIT_S} s")


def test_a_planted_regression_is_found_and_its_twin_is_not(found):
    (one,) = found
    assert one["candidate"] == "1.1.0"
    assert (one["state"], one["environment"], one["baseline"]) == ("open", "production", "1.0.1")
    assert one["metric"] == one["metrics"][0]["metric"] and one["figures"] == one["metrics"][0]
    for figures in one["metrics"]:
        assert figures["verdict"] == "regressed"
        assert figures["low"] > figures["margin"]
    assert one["first_seen_ms"] <= one["last_seen_ms"] <= time.time_ns() // 1_000_000


def test_a_finding_tells_the_span_the_traces_and_its_history(watched, found):
    one = watched.get(f"/findings/{found[0]['finding_id']}").json()
    assert "1.0.1" in one["evidence"]["notes"][0]
    assert one["evidence"]["spans"][0]["name"] == "rerank"
    assert one["evidence"]["exemplars"][0]["candidate"].startswith("tr-")
    assert one["history"][0]["kind"] == "opened"
    asked = {"filter": one["figures"]["candidate_filter"], "max_results": 5}
    traces = watched.get("/traces", params=asked).json()["traces"]
    assert len(traces) == 5
    assert all("1.1.0" in one["info"]["trace_metadata"].values() for one in traces)


def test_every_finding_arrives_signed_and_once(watched, receiver, found):
    received = receiver.wait(lambda received: len(received) >= len(found))
    assert all(one.is_signed_by(watched.secret) for one in received)
    assert not any(one.is_signed_by("whsec_" + "A" * 43 + "=") for one in received)
    assert len({one.id for one in received}) == len(received)
    assert all(one.json["id"] == one.id for one in received)
    told = {one.json["data"]["finding"]["finding_id"]: one.json for one in received}
    assert {one["finding_id"] for one in found} <= set(told)
    for message in told.values():
        assert message["type"] == "finding.opened"
        assert message["data"]["url"].startswith("https://traces.example.org/traces?filter=")
        assert message["data"]["finding"]["evidence"]["spans"]
    (hook,) = watched.get("/webhooks").json()["webhooks"]
    assert wait_until(
        lambda: watched.get("/webhooks").json()["webhooks"][0]["last"]["state"] == "delivered"
    )
    assert hook["url"] == receiver.url.removesuffix("/secret-part") + "/…"
    assert watched.secret not in watched.get("/webhooks").text


def test_python_and_the_command_line_read_findings(watched, found):
    whence.tracing.reset()
    whence.set_tracking_uri(watched.server.url)
    try:
        read = whence.search_findings("prod", version="1.1.0", state="open")
        assert {one.finding_id for one in read} == {one["finding_id"] for one in found}
        assert whence.search_findings(version="1.0.1") == []
        one = whence.get_finding(read[0].finding_id)
        assert one.is_open and one.evidence.spans
    finally:
        whence.tracing.reset()
    for shape, wanted in (("text", "duration"), ("json", '"finding_id"')):
        done = command(watched, "findings", "--format", shape)
        assert wanted in done.stdout
    done = command(watched, "findings", "show", found[0]["finding_id"])
    assert "why: rerank" in done.stdout and "opened" in done.stdout
    command(watched, "findings", "mark", found[0]["finding_id"], "--mute", "--note", "known")
    assert found[0]["finding_id"] not in command(watched, "findings", "list").stdout
    assert "muted" in command(watched, "findings", "list", "--muted").stdout


@contextmanager
def serving_url(env):
    """Run a server whose store is behind a URL; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "whence", "server", "--port", str(port)]
    with subprocess.Popen(command, env=clean_environment(**env)) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: is_ready(url))
            yield url
        finally:
            process.terminate()


def is_ready(url):
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def command(watched, *words):
    return subprocess.run(
        [sys.executable, "-m", "whence", *words, "--url", watched.server.url],
        env=clean_environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_server_that_starts_again_goes_on_and_tells_nobody_twice(watched, receiver, found):
    before = receiver.wait(lambda received: len(received) >= len(found))
    watched.server.process.terminate()
    watched.server.process.wait(30)
    with (
        serving(watched.server.store, **PRIVATE) as running,
        httpx.Client(base_url=running.url + "/api/v1", timeout=30) as client,
    ):
        record(running, "1.1.0", 200, "planted")
        (first,) = found

        def look_again():
            one = client.get(f"/findings/{first['finding_id']}").json()
            return one["looks"] > first["looks"] and one

        again = wait_until(look_again)
        assert [one["kind"] for one in again["history"]].count("opened") == 1
        assert again["history"][-1]["kind"] == "seen"
        assert again["last_seen_ms"] > first["last_seen_ms"]
        assert again["first_seen_ms"] == first["first_seen_ms"]
        assert again["evidence"]["spans"][0]["name"] == "rerank"
        told = [
            one.json["data"]["finding"]["finding_id"]
            for one in receiver.received
            if one.json["type"] == "finding.opened"
        ]
        assert told.count(first["finding_id"]) == 1
        assert len({one.id for one in receiver.received}) == len(receiver.received) >= len(before)


@pytest.mark.slow
def test_of_two_servers_on_one_store_one_alarms(clickhouse_server_url, tmp_path):
    """The second one takes the traffic in, and the first one, which watches, sees it in the store."""
    env = {**PRIVATE, "WHENCE_STORE": f"{clickhouse_server_url}/two_servers"}
    with receiving() as receiver, serving_url(env) as one, serving_url(env) as two:
        httpx.post(f"{one}/api/v1/webhooks", json={"url": receiver.url}).raise_for_status()
        running = Running(two, None, tmp_path / "store")
        record(running, "1.0.0", 150)
        record(running, "1.1.0", 150, "planted")
        receiver.wait(bool)
        time.sleep(45)  # longer than either waits for traffic of the other
        findings = [httpx.get(f"{url}/api/v1/findings").json()["findings"] for url in (one, two)]
        assert findings[0] == findings[1]
        assert all(len(finding["finding_id"]) for finding in findings[0])
        ids = [message.id for message in receiver.received]
        assert len(ids) == len(set(ids)) >= len(findings[0]) == 1
