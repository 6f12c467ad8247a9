"""The processes that decode large bodies, seen from outside the server."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx

from otlp_requests import body, new_trace_id, span
from serving import serving

JSON = {"content-type": "application/json"}


def large_body():
    trace_id = new_trace_id()
    spans = [span(trace_id, f"{n:016x}", attributes={"text": "x" * 400}) for n in range(1, 101)]
    return trace_id, body(*spans)


def children_of(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def store(running):
    trace_id, content = large_body()
    answer = httpx.post(f"{running.url}/v1/traces", content=content, headers=JSON, timeout=60)
    assert answer.status_code == 200
    told = httpx.get(f"{running.url}/api/v1/traces/tr-{trace_id}").json()
    assert len(told["spans"]) == 100


def test_a_server_without_large_bodies_has_no_other_process(tmp_path):
    with serving(tmp_path / "store") as running:
        content = body(span(new_trace_id()))
        assert httpx.post(f"{running.url}/v1/traces", content=content, headers=JSON).is_success
        assert children_of(running.process.pid) == []


def test_large_bodies_are_stored_also_after_their_process_was_killed(tmp_path):
    with serving(tmp_path / "store", WHENCE_DECODERS="1") as running:
        store(running)
        (first,) = children_of(running.process.pid)
        os.kill(first, signal.SIGKILL)
        store(running)
        store(running)
        (second,) = children_of(running.process.pid)
        assert second != first
    assert running.process.returncode == 0
    assert not Path(f"/proc/{second}").exists()


def test_a_process_that_decodes_ends_with_a_server_that_was_killed(tmp_path):
    with serving(tmp_path / "store", WHENCE_DECODERS="1") as running:
        store(running)
        (decoder,) = children_of(running.process.pid)
        running.process.kill()
        deadline = time.monotonic() + 10
        while Path(f"/proc/{decoder}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(f"/proc/{decoder}").exists()


def test_no_process_is_started_where_none_is_wanted(tmp_path):
    with serving(tmp_path / "store", WHENCE_DECODERS="0") as running:
        store(running)
        assert children_of(running.process.pid) == []
