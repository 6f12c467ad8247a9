"""The server as a process: start, discovery, signals, idleness, crashes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from otlp_requests import body, new_trace_id, span
from serving import clean_environment, serving, wait_until_served
from whence.otlp.segments import SegmentWriter

JSON = {"content-type": "application/json"}
SENDERS = 4
SPANS = 5


class Load:
    """Senders that store traces until the server is gone; `acknowledged` is what it promised."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        self._url = url
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        with httpx.Client(timeout=20) as client:
            while True:
                trace_id = new_trace_id()
                content = body(*(span(trace_id, f"{n:016x}") for n in range(1, SPANS + 1)))
                try:
                    answer = client.post(f"{self._url}/v1/traces", content=content, headers=JSON)
                except httpx.TransportError:
                    return
                with self._changed:
                    self.statuses.add(answer.status_code)
                    if answer.status_code == 200:
                        self.acknowledged.append(f"tr-{trace_id}")
                    self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= count, timeout=60)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)


def assert_all_are_stored(url: str, acknowledged: list[str]) -> None:
    stored: dict[str, int] = {}
    query = {"max_results": 500}
    while True:
        page = httpx.get(f"{url}/api/v1/traces", params=query, timeout=60).json()
        stored |= {one["info"]["trace_id"]: one["info"]["span_count"] for one in page["traces"]}
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    missing = [one for one in acknowledged if stored.get(one) != SPANS]
    assert not missing, f"{len(missing)} of {len(acknowledged)} are missing or incomplete"


def test_every_acknowledged_span_survives_kill_9_under_load(tmp_path):
    store = tmp_path / "store"
    acknowledged: list[str] = []
    for round_ in range(4):
        with serving(store) as running:
            load = Load(running.url)
            load.wait_for(60 * (round_ + 1))  # a little later in each round
            running.process.send_signal(signal.SIGKILL)
            running.process.wait(30)
            load.join()
            acknowledged += load.acknowledged
            assert load.statuses == {200}
    assert len(acknowledged) >= 600
    with serving(store) as running:
        assert_all_are_stored(running.url, acknowledged)


def test_sigterm_answers_what_was_accepted_and_leaves_clean(tmp_path):
    store = tmp_path / "store"
    with serving(store) as running:
        load = Load(running.url)
        load.wait_for(100)
        running.process.terminate()
        assert running.process.wait(30) == 0
        load.join()
        assert load.statuses == {200}
        assert not (store / "server.json").exists()
    with serving(store) as running:
        assert_all_are_stored(running.url, load.acknowledged)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_idle_server_at_once_and_quietly(tmp_path, number):
    command = [sys.executable, "-m", "whence", "server", "--store", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = wait_until_served(tmp_path, process)
        with httpx.Client() as kept:  # an idle connection doesn't hold it up
            kept.get(f"{url}/health")
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == ""
    (line,) = out.splitlines()
    assert url in line and str(tmp_path) in line


def test_sigusr1_says_what_every_thread_does_and_the_server_goes_on(tmp_path):
    command = [sys.executable, "-m", "whence", "server", "--store", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command, env=clean_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        url = wait_until_served(tmp_path, process)
        process.send_signal(signal.SIGUSR1)
        lines = [process.stderr.readline()]
        while "(most recent call first)" not in lines[-1] or "Current" not in lines[-1]:
            lines.append(process.stderr.readline())
        assert httpx.get(f"{url}/health").status_code == 200
        process.terminate()
        rest = process.stderr.read()
    assert '/ingest/inserter.py", line' in "".join(lines)
    assert "run.py" in rest


def test_a_listener_of_the_live_tail_does_not_hold_up_the_end(tmp_path):
    with serving(tmp_path / "store") as running:
        with httpx.stream("GET", f"{running.url}/api/v1/traces/live", timeout=30) as stream:
            lines = stream.iter_lines()
            next(lines)
            started = time.monotonic()
            running.process.terminate()
            assert running.process.wait(30) == 0
            assert time.monotonic() - started < 10
            assert [line for line in lines if line] == []


def test_server_json_tells_where_the_server_is(tmp_path):
    store = tmp_path / "store"
    before_ms = time.time_ns() // 1_000_000
    with serving(store) as running:
        told = json.loads((store / "server.json").read_text())
        assert set(told) == {"pid", "port", "url", "store", "started_ms"}
        assert told["pid"] == running.process.pid
        assert told["url"] == f"http://127.0.0.1:{told['port']}"
        assert told["started_ms"] >= before_ms
        assert httpx.get(f"{told['url']}/health").json()["status"] == "ready"


def test_what_a_crashed_server_left_does_not_mislead(tmp_path):
    store = tmp_path / "store"
    with serving(store) as running:
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(30)
        stale = (store / "server.json").read_text()
    with serving(store) as running:
        assert (store / "server.json").read_text() != stale


def run_server(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "whence", "server", *options],
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_store_in_use_names_the_server_that_has_it(server):
    done = run_server("--store", str(server.store), "--port", "0")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert server.url in line and str(server.process.pid) in line
    assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_port_in_use_is_one_line(server, tmp_path):
    port = server.url.rpartition(":")[2]
    done = run_server("--store", str(tmp_path / "store"), "--port", port)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert port in line and "--port" in line
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WHENCE_PORT", "many"),
        ("WHENCE_PORT", "70000"),
        ("WHENCE_MAX_BODY_BYTES", "-1"),
        ("WHENCE_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, name, value):
    done = run_server("--store", str(tmp_path / "store"), **{name: value})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert name in line


def test_a_server_leaves_when_its_directory_is_removed_and_leaves_the_next_one_alone(tmp_path):
    store = tmp_path / "store"
    with serving(store) as old:
        shutil.rmtree(store)
        with serving(store) as new, httpx.Client(base_url=new.url, timeout=30) as client:
            assert old.process.wait(60) == 0
            assert json.loads((store / "server.json").read_text())["pid"] == new.process.pid
            trace_id = new_trace_id()
            writer = SegmentWriter(store / "spool")
            writer.append(body(span(trace_id)))
            writer.close()
            client.post("/api/v1/intake").raise_for_status()
            assert client.get(f"/api/v1/traces/tr-{trace_id}").status_code == 200


def test_an_idle_server_leaves_and_health_checks_do_not_keep_it(tmp_path):
    store = tmp_path / "store"
    with serving(store, "--idle-exit", "1.5") as running:
        stop = threading.Event()

        def check_health() -> None:
            while not stop.wait(0.2):
                try:
                    httpx.get(f"{running.url}/health")
                except httpx.TransportError:
                    return

        checker = threading.Thread(target=check_health)
        checker.start()
        assert running.process.wait(30) == 0
        stop.set()
        checker.join()
        assert not (store / "server.json").exists()


def test_requests_and_the_spool_keep_a_server(tmp_path):
    store = tmp_path / "store"
    spool = store / "spool"
    with serving(store, "--idle-exit", "3") as running:
        spool.mkdir(exist_ok=True)
        started = time.monotonic()
        while time.monotonic() - started < 5:  # longer than the limit, by the spool alone
            with (spool / "test.jsonl").open("ab") as segment:
                segment.write(body(span(new_trace_id())) + b"\n")
            assert running.process.poll() is None
            time.sleep(0.5)
        while time.monotonic() - started < 9:  # and by requests
            httpx.get(f"{running.url}/api/v1/experiments").raise_for_status()
            time.sleep(0.5)
        assert running.process.wait(30) == 0


def test_a_full_disk_is_not_ready_and_answers_503(tmp_path):
    free = os.statvfs(tmp_path)
    reserve = str(free.f_bavail * free.f_frsize * 2)
    with serving(tmp_path / "store"):
        pass  # the tables are made while there is room
    with serving(tmp_path / "store", WHENCE_DISK_RESERVE_BYTES=reserve) as running:
        health = httpx.get(f"{running.url}/health")
        assert health.status_code == 503
        assert health.json()["status"] == "not ready" and "free" in health.json()["reason"]
        refused = httpx.post(
            f"{running.url}/v1/traces", content=body(span(new_trace_id())), headers=JSON, timeout=60
        )
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
