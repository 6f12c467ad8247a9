"""Requests prepared in other processes: the same as here, whatever happens to the process."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.wire import batch, new_trace_hex, span
from whence.errors import MalformedPayloadError, PayloadTooLargeError, UnavailableError
from whence.ingest import preparing, processes
from whence.ingest.facts import SpanFacts
from whence.ingest.parcel import PREPARED, pack, unpack
from whence.ingest.prepare import Envelope, prepare, prepare_groups, read_body
from whence.ingest.processes import Processes
from whence.otlp import json as otlp_json
from whence.otlp import protobuf as otlp_protobuf
from whence.otlp.json import PROTOBUF_TYPE
from whence.otlp.records import Event, Link

SERVER_ONLY = {
    "asyncio",
    "chdb",
    "clickhouse_connect",
    "fastapi",
    "pydantic",
    "starlette",
    "uvicorn",
}


@pytest.fixture(scope="module")
def pool():
    with Processes(2) as running:
        yield running


def rich_groups():
    """Spans that say what spans can say, from two programs."""
    trace = new_trace_hex()
    said = {
        "whence.metadata.region": "eu",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 20,
        "session.id": "s-1",
        "whence.inputs": '{"question": "näh 🙂"}',
        "whence.trace_tag.colour": "red",
        "whence.provenance": '{"region": "the test"}',
        "whence.local_root": True,
    }
    spans = [
        span(trace, 1, attributes=said, status=2, status_message="no"),
        span(trace, 2, 1, attributes={"user.id": "u"}, events=[Event("e", 5, {"a": 1.5})]),
        span(trace, 3, 1, links=[Link(new_trace_hex(), "b" * 16, {})], end_time_ns=0),
        span(trace, 4, 2, attributes={"whence.cost": {"input_cost": 1, "total_cost": 2}}),
        span(new_trace_hex(), 1, name="\0 ", attributes={"big": 2**62, "none": None}),
    ]
    first = batch(*spans, service__version="1.2", whence__experiment_name="named")
    return [*first, *batch(span(trace, 9, 1), deployment__environment="prod", padding="x" * 20_000)]


REQUESTS = {
    "json": (otlp_json.encode_request(rich_groups()), Envelope()),
    "protobuf": (
        otlp_protobuf.encode_request(rich_groups()),
        Envelope(content_type=PROTOBUF_TYPE, experiment_id="7"),
    ),
    "gzip": (gzip.compress(otlp_json.encode_request(rich_groups())), Envelope(encoding="gzip")),
    "nothing": (b"", Envelope()),
    "no spans": (b"{}", Envelope(default_experiment_id="5")),
}


def look_at(prepared):
    """Return everything of a prepared request, with the types of the values."""
    facts = [
        [
            (name, value, type(value), sorted(map(repr, value)) if isinstance(value, dict) else "")
            for name in SpanFacts.__struct_fields__
            for value in [getattr(one, name)]
        ]
        for one in prepared.facts
    ]
    spans = None if prepared.spans is None else prepared.spans.to_pydict()
    rest = (prepared.trace_ids, prepared.places, prepared.experiments, prepared.documents)
    return facts, spans, rest, prepared.message, prepared.size_bytes


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_prepared_elsewhere_is_what_it_is_when_prepared_here(pool, name):
    body, envelope = REQUESTS[name]
    assert look_at(pool.prepare(body, envelope)) == look_at(prepare(body, envelope))


def test_a_request_weighs_what_its_assessments_say():
    def weigh(rationale):
        said = [{"assessment_name": "a", "feedback": {"value": 1}, "rationale": rationale}]
        attributes = {"whence.assessments": json.dumps(said)}
        prepared = prepare_groups(batch(span(new_trace_hex(), 1, attributes=attributes)))
        (row,) = prepared.assessments
        assert row.rationale == rationale
        return prepared.size_bytes - prepared.facts[0].size_bytes

    assert weigh("r" * 5000) - weigh("") == 5000


def test_what_spans_share_is_shared_again_after_the_way():
    groups = batch(
        *(span(new_trace_hex(), 1, attributes={"user.id": "u"}) for _ in range(3)), a="b"
    )
    prepared = unpack(*pack(*read_body(otlp_json.encode_request(groups), Envelope())))
    again = unpack(*pack(*read_body(otlp_json.encode_request(groups), Envelope())))
    facts = prepared.facts + again.facts
    for name in ("resource", "resource_sources", "derived_sources", "explicit", "tags"):
        assert len({id(getattr(one, name)) for one in facts}) == 1, name
    assert facts[0].derived_sources


@pytest.mark.parametrize(
    ("body", "envelope", "error"),
    [
        (b"{oops", Envelope(), MalformedPayloadError),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}', Envelope(), MalformedPayloadError),
        (b"\xff\xff", Envelope(content_type=PROTOBUF_TYPE), MalformedPayloadError),
        (b"plain", Envelope(encoding="gzip"), MalformedPayloadError),
        (
            gzip.compress(b" " * 9999, mtime=0),
            Envelope(encoding="gzip", limit_bytes=99),
            PayloadTooLargeError,
        ),
    ],
)
def test_a_refusal_says_the_same_from_elsewhere(pool, body, envelope, error):
    with pytest.raises(error) as here:
        prepare(body, envelope)
    with pytest.raises(error) as there:
        pool.prepare(body, envelope)
    assert there.value.message == here.value.message
    assert type(there.value) is type(here.value)


def test_many_threads_get_each_its_own_answer(pool):
    def ask(number):
        trace = new_trace_hex()
        sent = batch(*(span(trace, one) for one in range(1, 2 + number % 7 * 40)))
        prepared = pool.prepare(otlp_json.encode_request(sent), Envelope())
        return prepared.trace_ids == [f"tr-{trace}"] and len(prepared.facts) == len(sent[0].spans)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(60)))
    assert len(pool.pids) == 2


def test_a_request_is_prepared_here_where_the_process_dies(caplog):
    body, envelope = REQUESTS["json"]
    expected = look_at(prepare(body, envelope))
    with Processes(1) as pool, caplog.at_level(logging.WARNING):
        pool.prepare(body, envelope)
        (first,) = pool.pids
        os.kill(first, signal.SIGSTOP)  # so that all of these are under way when it dies
        with ThreadPoolExecutor(3) as threads:
            waiting = [threads.submit(pool.prepare, body, envelope) for _ in range(3)]
            while pool._running[0].asked < 3:
                time.sleep(0.01)
            os.kill(first, signal.SIGKILL)
            assert [look_at(one.result(30)) for one in waiting] == [expected] * 3
        assert pool.pids == []
        assert look_at(pool.prepare(body, envelope)) == expected
        assert pool.pids != [first] and len(pool.pids) == 1
    assert len([one for one in caplog.records if "prepared requests ended" in one.message]) == 1


def test_a_request_is_prepared_here_where_no_process_can_be_started(monkeypatch, caplog):
    monkeypatch.setattr(processes, "_COMMAND", ("/nowhere/python",))
    body, envelope = REQUESTS["json"]
    with Processes(1) as pool, caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert look_at(pool.prepare(body, envelope)) == look_at(prepare(body, envelope))
    assert len(caplog.records) == 1


def test_no_process_is_started_twice_where_the_code_on_disk_is_another(monkeypatch, caplog):
    monkeypatch.setattr(processes, "name_form", lambda: "of yesterday")
    monkeypatch.setattr(processes, "RETRY_S", 0.0)
    body, envelope = REQUESTS["json"]
    started = count_starts(monkeypatch)
    with Processes(1) as pool, caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert look_at(pool.prepare(body, envelope)) == look_at(prepare(body, envelope))
        assert pool.pids == []
    assert len(started) == 1
    (record,) = caplog.records
    assert "another version" in record.message


def test_a_process_that_never_answers_is_started_again_after_growing_pauses(monkeypatch):
    code = (sys.executable, "-c", "raise SystemExit(3)")
    monkeypatch.setattr(processes, "_COMMAND", code)
    now = [1000.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    started = count_starts(monkeypatch)
    body, envelope = REQUESTS["json"]
    starts_at = []
    with Processes(1) as pool:
        for _ in range(200):
            before = len(started)
            pool.prepare(b"", envelope)
            if len(started) > before:
                starts_at.append(now[0] - 1000)
            now[0] += 1
    assert starts_at == [0, 5, 15, 35, 75, 135, 195]


def test_what_can_not_be_read_is_prepared_here_and_its_process_ends(monkeypatch, caplog):
    def broken(*_):
        raise ValueError("of another version")

    body, envelope = REQUESTS["json"]
    monkeypatch.setattr(processes, "unpack", broken)
    started = count_starts(monkeypatch)
    with Processes(1) as pool, caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert look_at(pool.prepare(body, envelope)) == look_at(prepare(body, envelope))
        assert pool.pids == []
    assert len(started) == 1


def count_starts(monkeypatch):
    """Return a list that grows with each process started."""
    started, start = [], subprocess.Popen
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda *a, **k: started.append(a) or start(*a, **k)
    )
    return started


@pytest.mark.parametrize(("padding", "encoding"), [(2 << 20, "identity"), (0, "gzip")])
def test_a_large_body_that_a_process_was_killed_over_is_refused(padding, encoding):
    body = b"{}" + b" " * padding
    body = gzip.compress(body) if encoding == "gzip" else body
    envelope = Envelope(encoding=encoding)
    with Processes(1) as pool, ThreadPoolExecutor(1) as threads:
        pool.prepare(body, envelope)
        (first,) = pool.pids
        process = pool._running[0]
        taken = threading.Event()
        read = processes.read_frame

        def wait_for_it(descriptor):
            taken.set()
            return read(descriptor)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(processes, "read_frame", wait_for_it)
            if encoding == "gzip":
                os.kill(first, signal.SIGSTOP)
                waiting = threads.submit(pool.prepare, body, envelope)
                assert taken.wait(30)
                os.kill(first, signal.SIGKILL)
            else:  # longer than the pipe: it must be taken before the end
                patch.setattr(processes, "write_frame", lambda *_: os.kill(first, signal.SIGKILL))
                waiting = threads.submit(pool.prepare, body, envelope)
            with pytest.raises(UnavailableError, match="was killed"):
                waiting.result(30)
        assert process.was_killed
        assert pool.prepare(body, envelope).trace_ids == []


def test_a_process_imports_nothing_from_where_the_server_runs(tmp_path, monkeypatch, caplog):
    (tmp_path / "msgspec.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    body, envelope = REQUESTS["json"]
    with Processes(1) as pool, caplog.at_level(logging.WARNING):
        pool.prepare(body, envelope)
        (pid,) = pool.pids
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    assert caplog.records == []
    assert b"-I" in said and b"" not in said


def test_a_process_that_gets_no_second_pipe_leaves_none(monkeypatch):
    left = [os.pipe]

    def pipe():
        if not left:
            raise OSError(24, "Too many open files")
        return left.pop()()

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(processes.os, "pipe", pipe)
        with pytest.raises(OSError, match="Too many"):
            processes.Process()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fault_over_there_is_seen_here(monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    body, envelope = REQUESTS["json"]
    assert preparing.answer(processes._encode(envelope), body)[0] == PREPARED
    monkeypatch.setattr(preparing, "read_body", broken)
    kind, said, _ = preparing.answer(processes._encode(envelope), body)
    assert kind != PREPARED and b"a bug" in said


def test_a_process_loads_nothing_of_the_server():
    code = "import sys, whence.ingest.preparing; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert SERVER_ONLY.isdisjoint(done.stdout.split())


def test_a_process_outlives_the_signals_to_stop_and_ends_with_its_server():
    code = (
        "import json, sys, time\nfrom whence.ingest.prepare import Envelope\n"
        "from whence.ingest.processes import Processes\npool = Processes(1)\n"
        "pool.prepare(b'{}', Envelope())\nprint(json.dumps(pool.pids), flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        (pid,) = json.loads(server.stdout.readline())
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)
        assert runs(pid)
        server.kill()
    deadline = time.monotonic() + 10
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(pid)


def runs(pid):
    """Tell whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
