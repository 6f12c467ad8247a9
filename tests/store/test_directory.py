"""A directory belongs to one process, survives its death, and keeps a reserve of the disk.

A process can have one embedded directory, and the session's store is in this one, so every store
here is opened by a program of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from whence.errors import StoreInUseError
from whence.store.connection import open_store

PRELUDE = """
import os, signal, sys, threading, time
from pathlib import Path
from whence.errors import StoreError, UnavailableError, WhenceError
from whence.store.connection import open_store
from whence.store.rows import SpanRow, TagRow
from whence.store.spans import read_spans
directory = Path(sys.argv[1])
"""


def run(directory, program):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + program, str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start(directory, program):
    command = [sys.executable, "-W", "error", "-c", PRELUDE + program, str(directory)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


HOLD = """
store = open_store(directory)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_store_whose_directory_is_gone_takes_nothing_more(tmp_path, replaced):
    program = f"""
import shutil
with open_store(directory) as store:
    store.insert("tags", [TagRow(trace_id="t", key="k")])
    shutil.rmtree(directory)
    if {replaced}:
        directory.mkdir()
        (directory / "server.lock").touch()
    for ask in (lambda: store.insert("tags", [TagRow(trace_id="t", key="k")]), store.ready):
        try:
            ask()
        except UnavailableError as error:
            print(error.message)
os._exit(0)
"""
    done = run(tmp_path / "store", program)
    assert done.stdout.count("was removed or replaced while it was open") == 2, done.stderr


@pytest.mark.parametrize("server_file", ["none", "its own", "an older one", "broken"])
def test_a_second_process_is_told_who_holds_the_directory(tmp_path, server_file):
    directory = tmp_path / "store"
    with start(directory, HOLD) as holder:
        assert holder.stdout.readline() == "open\n"
        url = "http://127.0.0.1:4321"
        if server_file != "none":
            pid = holder.pid if server_file == "its own" else 1
            text = "{" if server_file == "broken" else json.dumps({"pid": pid, "url": url})
            (directory / "server.json").write_text(text)
        with pytest.raises(StoreInUseError) as caught:
            open_store(directory)
        assert f"process {holder.pid}" in caught.value.message
        assert (url in caught.value.message) == (server_file == "its own")
        holder.stdin.close()
    again = run(directory, "open_store(directory).close()")
    assert again.returncode == 0, again.stderr


def test_the_lock_goes_with_a_killed_holder_although_its_child_lives(tmp_path):
    program = """
store = open_store(directory)
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
print("open", flush=True)
signal.pause()
"""
    with start(tmp_path, program) as holder:
        assert holder.stdout.readline() == "open\n"
        holder.kill()
        holder.wait()
        again = run(tmp_path, "open_store(directory).close()")
        assert again.returncode == 0, again.stderr
        holder.stdin.close()


def test_an_engine_opened_by_another_program_is_named(tmp_path):
    program = """
import clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=str(directory / "db"))
print("open", flush=True)
sys.stdin.read()
"""
    with start(tmp_path, program) as holder:
        assert holder.stdout.readline() == "open\n"
        second = run(tmp_path, "open_store(directory)")
        assert f"StoreInUseError: the engine in {tmp_path}/db is held by process {holder.pid}" in (
            second.stderr
        )
        holder.stdin.close()


def test_opening_twice_in_one_process_says_to_share(chdb_store):
    with pytest.raises(StoreInUseError, match="share that `Store`"):
        open_store(chdb_store.url)


def test_a_path_that_is_no_directory_is_refused_clearly(tmp_path):
    (tmp_path / "file").write_text("x")
    done = run(tmp_path / "file", "open_store(directory)")
    assert f"StoreError: can't use {tmp_path / 'file'} as a store" in done.stderr


def test_a_forked_child_gets_an_error_and_can_end_by_itself(tmp_path):
    program = """
store = open_store(directory)
store.query("SELECT 1")
child = os.fork()
if child == 0:
    for use in (lambda: store.query("SELECT 1"), lambda: store.insert("tags", [TagRow(trace_id="t", key="k")]),
                lambda: store.command("SELECT 1"), store.ready):
        try:
            use()
        except StoreError as error:
            print("child:", error)
    store.close()
    sys.exit(7)
_, status = os.waitpid(child, 0)
print("exit", os.waitstatus_to_exitcode(status))
print(store.query("SELECT 42").rows)
"""
    done = run(tmp_path, program)
    assert done.stdout.count("can't be used in its forked child") == 4, done.stderr
    assert "exit 7\n[(42,)]\n" in done.stdout
    assert done.returncode == 0


LONG = "SELECT sum(sipHash64(number)) FROM numbers(100000000000) SETTINGS max_threads = 1"
ALONE = f"store.query({LONG!r})"
TOGETHER = f"store.query_together([({LONG!r}, {{}}), ({LONG!r}, {{}})])"


@pytest.mark.parametrize(
    ("way", "statement", "running"),
    [
        ("close", ALONE, 1),
        ("exit", ALONE, 1),
        ("exit", TOGETHER, 2),
        ("SIGTERM handler", ALONE, 1),
    ],
    ids=["close", "exit", "exit, two side by side", "SIGTERM handler"],
)
def test_a_process_ends_cleanly_while_queries_run(tmp_path, way, statement, running):
    endings = {
        "close": "store.close()",
        "exit": "sys.exit(0)",
        "SIGTERM handler": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
        "os.kill(os.getpid(), signal.SIGTERM)",
    }
    program = f"""
store = open_store(directory)
def run_for_long():
    try:
        {statement}
    except StoreError as error:
        print(error.name, flush=True)
thread = threading.Thread(target=run_for_long, daemon=True)
thread.start()
count = "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%'"
while store.query(count).rows != [({running} + 1,)]:
    pass
{endings[way]}
"""
    done = run(tmp_path, program)
    assert done.stdout == "QUERY_WAS_CANCELLED\n", done.stderr
    assert done.returncode == 0


def test_a_program_may_end_without_closing_its_store(tmp_path):
    program = """
store = open_store(directory)
print(store.query_together([("SELECT 1", {}), ("SELECT 2", {}), ("SELECT 3", {})])[2].rows)
"""
    done = run(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "[(3,)]\n"), done.stderr


def test_sigterm_without_a_handler_ends_at_once(tmp_path):
    with start(tmp_path, HOLD) as holder:
        assert holder.stdout.readline() == "open\n"
        holder.terminate()
        assert holder.wait(10) == -signal.SIGTERM


def test_a_disk_below_the_reserve_refuses_inserts_and_still_reads(tmp_path):
    program = """
with open_store(directory) as store:
    store.insert("spans", [SpanRow(trace_id="t", span_id="a")])
    store.ready()
with open_store(directory, disk_reserve_bytes=1 << 60) as store:
    for use in (store.ready, lambda: store.insert("spans", [SpanRow(trace_id="u", span_id="a")])):
        try:
            use()
        except UnavailableError as error:
            print("unavailable:", error.retry_after_s, error)
    print(len(read_spans(store, ["t", "u"])))
"""
    done = run(tmp_path, program)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("unavailable: 5.0 only "), done.stderr
    assert "MiB are kept in reserve" in lines[0]
    assert "NOT_ENOUGH_SPACE" in lines[1]
    assert lines[2] == "1"


def test_memory_is_bounded_by_option(tmp_path):
    program = """
with open_store(directory, memory_bytes=3 << 30) as store:
    print(store.query("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'").rows)
    print(store.query("SELECT getSetting('max_memory_usage')").rows)
"""
    done = run(tmp_path, program)
    assert done.stdout == f"[('{3 << 30}',)]\n[({3 << 29},)]\n", done.stderr


INSERT_UNTIL_KILLED = """
store = open_store(directory)
lock = threading.Lock()
def work(worker):
    for n in range(100000):
        trace_id = f"{os.getpid()}-{worker}-{n}"
        store.insert("spans", [SpanRow(trace_id=trace_id, span_id=str(i), inputs="x" * 500) for i in range(20)])
        with lock:
            print(trace_id, flush=True)
for worker in range(3):
    threading.Thread(target=work, args=(worker,), daemon=True).start()
signal.pause()
"""


def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path):
    acknowledged = set()
    for acks_before_kill in (5, 20, 60):
        with start(tmp_path, INSERT_UNTIL_KILLED) as writer:
            for _ in range(acks_before_kill):
                acknowledged.add(writer.stdout.readline().strip())
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged |= set(writer.stdout.read().split("\n")[:-1])
    done = run(
        tmp_path,
        """
with open_store(directory) as store:
    for trace_id, spans in store.query("SELECT trace_id, uniqExact(span_id) FROM spans GROUP BY trace_id").rows:
        print(trace_id, spans)
""",
    )
    stored = dict(line.split() for line in done.stdout.splitlines())
    assert len(acknowledged) >= 85
    assert {trace_id: stored.get(trace_id) for trace_id in acknowledged} == dict.fromkeys(
        acknowledged, "20"
    )


def test_a_store_reopens_with_its_rows_and_applies_no_step_twice(tmp_path):
    program = """
with open_store(directory) as store:
    store.insert("tags", [TagRow(trace_id="t", key=str(os.getpid()))])
    print(store.query("SELECT count() FROM schema_migrations").rows)
    print(store.query("SELECT uniqExact(key) FROM tags").rows)
"""
    first, second = run(tmp_path, program), run(tmp_path, program)
    count = first.stdout.splitlines()[0]
    assert first.stdout == f"{count}\n[(1,)]\n", first.stderr
    assert second.stdout == f"{count}\n[(2,)]\n", second.stderr


def test_threads_may_close_and_query_at_once(clickhouse_server_url):
    opened = open_store(f"{clickhouse_server_url}/closing", readers=2)
    ready = threading.Barrier(4)
    answers = []

    def ask():
        ready.wait()
        try:
            answers.append(opened.query("SELECT 1").rows)
        except Exception as error:
            answers.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    opened.close()
    for thread in threads:
        thread.join()
    assert {str(answer) for answer in answers} <= {"[(1,)]", "StoreError"}
