"""Processes of MLflow's client record at once while the server is killed and comes back."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from mlflow_programs import PROGRAMS, QUICK
from serving import clean_environment, serving

# As by default, the client tries again: at once, then after 2 s, 4 s, …
PATIENT = {
    **QUICK,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "6",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS": "200",
}
pytestmark = pytest.mark.slow  # clients wait for seconds before they try again
ASYNC = {"a": "true", "b": "true", "c": "false", "d": "false"}  # name of a process → its export
BEGUN, COUNT, SPANS = 3, 25, 7  # as in the program


@contextmanager
def starting(name, url, exports_async):
    """Run a process that records until the block ends, or until it is told to end."""
    settings = {**PATIENT, "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": exports_async}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PROGRAMS / "steady.py"), name],
        env=clean_environment(MLFLOW_TRACKING_URI=url, **settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def free_port():
    """Return a port that stays free while the server is away.

    It lies below those that systems give to outgoing connections: a client that tries again could
    otherwise be given the very port that it wants to reach, and meet itself there.
    """
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) != 0:
                return str(port)
    raise AssertionError("no free port")


def go_on(process):
    process.stdin.write("go on\n")
    process.stdin.flush()


def wait_for_traces(url, count):
    while len(httpx.get(f"{url}/api/v1/traces", timeout=30).json()["traces"]) < count:
        time.sleep(0.01)


def hear(process):
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return the ids that each process recorded, and the traces that are there in the end."""
    store = tmp_path_factory.mktemp("restarted") / "store"
    with ExitStack() as running:
        port = free_port()
        first = running.enter_context(serving(store, "--port", port))
        processes = {
            name: running.enter_context(starting(name, first.url, how))
            for name, how in ASYNC.items()
        }
        for process in processes.values():
            assert process.stdout.readline() == "begun\n"
        for process in processes.values():
            go_on(process)
        wait_for_traces(first.url, len(ASYNC) * BEGUN + 1)
        first.process.kill()
        first.process.wait(30)
        second = running.enter_context(serving(store, "--port", port))
        assert second.url == first.url
        ids = {name: hear(process) for name, process in processes.items()}
        with httpx.Client(base_url=second.url, timeout=30) as http:
            traces = [http.get(f"/api/v1/traces/{one}").json() for name in ids for one in ids[name]]
            listed = http.get("/api/v1/traces", params={"max_results": 500}).json()["traces"]
    return ids, traces, listed


def test_every_trace_of_every_process_arrives_once(recorded):
    ids, _, listed = recorded
    sent = sorted(one for of_process in ids.values() for one in of_process)
    assert len(sent) == len(set(sent)) == len(ASYNC) * COUNT
    assert sorted(one["info"]["trace_id"] for one in listed) == sent


def test_every_span_arrives_once_with_what_its_process_said(recorded):
    ids, traces, _ = recorded
    by_id = {one["info"]["trace_id"]: one for one in traces}
    for name, of_process in ids.items():
        for number, trace_id in enumerate(of_process):
            trace = by_id[trace_id]
            assert trace["info"]["state"] == "OK"
            assert trace["info"]["tags"]["by"] == name
            assert trace["info"]["trace_metadata"]["n"] == str(number)
            span_ids = [span["span_id"] for span in trace["spans"]]
            assert len(span_ids) == len(set(span_ids)) == SPANS, (name, number)


def test_what_is_sent_again_contradicts_nothing(recorded):
    _, traces, _ = recorded
    assert not [one for one in traces if one["conflicts"]]
