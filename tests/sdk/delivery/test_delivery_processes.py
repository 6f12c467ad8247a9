"""What becomes of spans when their process ends, is killed or forks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from otlp_sink import Answer, Sink
from whence.otlp.json import decode_request
from whence.otlp.segments import read_segments

Run = Callable[..., subprocess.Popen[str]]
TESTS = Path(__file__).parents[2]

PRELUDE = """
import os, signal, sys, threading, time
from otlp_sink import Item
from program_stays import stay
from whence.sdk.delivery.destination import parse_destination
from whence.sdk.delivery.pipeline import Pipeline

def open_pipeline():
    return Pipeline(dict, destination=parse_destination(sys.argv[1]))
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a program with a pipeline's parts imported; it is killed with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(destination: str | Path, code: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "PYTHONPATH": str(TESTS),
            "WHENCE_SPOOL": str(tmp_path / "outbox"),
            "PYTHONWARNINGS": "error,ignore:This process:DeprecationWarning",  # of os.fork
        }
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, str(destination)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


def names_in(directory: Path) -> list[str]:
    """Names of the spans in the segments of a directory; each line must be readable."""
    return [
        span.name
        for chunk in read_segments(directory)
        for line in chunk.lines
        for group in decode_request(line)
        for span in group.spans
    ]


# --- exit -------------------------------------------------------------------------------------


def test_exit_delivers_what_is_queued(sink: Sink, run: Run) -> None:
    finish(run(sink.url, "open_pipeline().submit(Item('one'))"))
    assert sink.names() == {"one"}


def test_exit_by_an_exception_delivers_too(sink: Sink, run: Run) -> None:
    process = run(sink.url, "open_pipeline().submit(Item('one'))\nraise RuntimeError('boom')")
    assert "boom" in process.communicate(timeout=30)[1]
    assert sink.names() == {"one"}


def test_exit_with_the_server_away_leaves_spans_in_the_outbox(run: Run, tmp_path: Path) -> None:
    finish(run("http://127.0.0.1:9", "open_pipeline().submit(Item('one'))"))
    [directory] = (tmp_path / "outbox").iterdir()
    assert names_in(directory) == ["one"]


def test_exit_does_not_wait_for_a_silent_server_for_ever(
    sink: Sink, run: Run, tmp_path: Path
) -> None:
    sink.gate.clear()
    code = "from whence.sdk.delivery import signals\nsignals.EXIT_FLUSH_S = 0.1\nopen_pipeline().submit(Item('one'))"
    finish(run(sink.url, code))
    [directory] = (tmp_path / "outbox").iterdir()
    assert set(names_in(directory)) == {"one"}


# What the exporter's thread holds while it does not get on: a module is read from a slow disk, or the
# process's context is found out.
STUCK = {
    "opening": """
class SlowDisk:
    def find_spec(self, name, path=None, target=None):
        if name == "random":
            print("stuck", flush=True)
            time.sleep(60)
sys.modules.pop("random")
sys.meta_path.insert(0, SlowDisk())
pipeline = open_pipeline()
""",
    "describing": """
def describe():
    if threading.current_thread() is not threading.main_thread():
        print("stuck", flush=True)
        time.sleep(60)
    return {}
pipeline = Pipeline(describe, destination=parse_destination(sys.argv[1]))
""",
}


@pytest.mark.parametrize("stuck", STUCK)
@pytest.mark.parametrize("end", ["exit", "SIGTERM"])
def test_what_the_exporter_holds_while_it_is_stuck_is_brought_to_disk(
    sink: Sink, run: Run, tmp_path: Path, stuck: str, end: str
) -> None:
    quick = "from whence.sdk.delivery import signals\nsignals.EXIT_FLUSH_S = 0.2\n"
    quick += "signals.TERM_FLUSH_S = 0.2\n"
    wait = "\nsys.stdin.readline()" if end == "exit" else UP
    process = run(sink.url, quick + STUCK[stuck] + "pipeline.submit(Item('one'))" + wait)
    assert process.stdout is not None
    while process.stdout.readline() != "stuck\n":
        assert process.poll() is None
    if end == "exit":
        finish(process)
    else:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGTERM
    [directory] = (tmp_path / "outbox").iterdir()
    assert set(names_in(directory)) == {"one"}


def test_ctrl_c_ends_the_process_and_delivers(sink: Sink, run: Run) -> None:
    process = run(sink.url, "open_pipeline().submit(Item('one'))" + UP)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert sink.names() == {"one"}


def test_a_local_store_holds_everything_after_exit(run: Run, tmp_path: Path) -> None:
    finish(run(tmp_path, "p = open_pipeline()\nfor n in range(3000): p.submit(Item(f'{n}'))"))
    assert set(names_in(tmp_path / "spool")) == {str(number) for number in range(3000)}


def test_a_process_that_traced_nothing_leaves_nothing(run: Run, tmp_path: Path) -> None:
    finish(run(tmp_path / "store", "open_pipeline()"))
    assert not (tmp_path / "store").exists()


def test_a_current_folder_that_is_gone_loses_nothing(run: Run, tmp_path: Path) -> None:
    code = f"""
os.environ["XDG_STATE_HOME"] = {str(tmp_path / "state")!r}
os.mkdir({str(tmp_path / "gone")!r})
os.chdir({str(tmp_path / "gone")!r})
os.rmdir({str(tmp_path / "gone")!r})
p = Pipeline(dict, destination="./.whence")
p.submit(Item("one"))
"""
    process = run("unused", code)
    err = process.communicate(timeout=30)[1]
    assert process.returncode == 0, err
    store = tmp_path / "state" / "whence" / "refuge"
    assert "current folder, which is gone" in err
    assert str(store) in err
    assert names_in(store / "spool") == ["one"]


# --- kill -------------------------------------------------------------------------------------

KEEP_WRITING = """
pipeline = open_pipeline()
number = 0
while True:
    pipeline.submit(Item(f"{number}", size=number % 3000))
    number += 1
    time.sleep(0.001)
    if number % 100 == 0:
        print(number, pipeline.stats().exported, flush=True)
"""


def test_kill_9_loses_only_what_was_not_yet_written(run: Run, tmp_path: Path) -> None:
    process = run(tmp_path, KEEP_WRITING)
    exported = 0
    while exported < 300:
        exported = int(process.stdout.readline().split()[1])
    process.kill()
    process.wait()
    names = names_in(tmp_path / "spool")
    assert len(names) >= exported
    assert names == [str(number) for number in range(len(names))]


def test_kill_9_with_a_silent_server_leaves_spans_on_disk(
    sink: Sink, run: Run, tmp_path: Path
) -> None:
    sink.gate.clear()
    process = run(
        sink.url,
        "p = open_pipeline()\np.submit(Item('in flight'))\ntime.sleep(0.2)\np.submit(Item('behind'))\n"
        "while p.stats().spooled < 1: time.sleep(0.01)\nprint('kept', flush=True)\ntime.sleep(60)",
    )
    assert process.stdout.readline() == "kept\n"
    process.kill()
    process.wait()
    [directory] = (tmp_path / "outbox").iterdir()
    assert set(names_in(directory)) == {"in flight", "behind"}


def test_two_processes_spool_into_one_store_at_once(run: Run, tmp_path: Path) -> None:
    code = """
p = open_pipeline()
sys.stdin.readline()
for number in range(2000):
    p.submit(Item(f"{os.getpid()} {number}"))
"""
    processes = [run(tmp_path, code) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    assert sorted(names_in(tmp_path / "spool")) == sorted(
        f"{process.pid} {number}" for process in processes for number in range(2000)
    )


# --- SIGTERM ----------------------------------------------------------------------------------


def terminate(process: subprocess.Popen[str]) -> str:
    assert process.stdout.readline() == "up\n"
    process.terminate()
    return process.communicate(timeout=30)[0]


UP = "\nstay()"


def test_sigterm_delivers_and_then_ends_the_process_as_before(sink: Sink, run: Run) -> None:
    process = run(sink.url, "open_pipeline().submit(Item('one'))" + UP)
    terminate(process)
    assert process.returncode == -signal.SIGTERM
    assert sink.names() == {"one"}


def test_sigterm_calls_the_handler_that_was_there(sink: Sink, run: Run) -> None:
    code = """
def theirs(number, frame):
    print("theirs", number, flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, theirs)
open_pipeline().submit(Item('one'))
"""
    process = run(sink.url, code + UP)
    assert terminate(process) == f"theirs {int(signal.SIGTERM)}\n"
    assert process.returncode == 7
    assert sink.names() == {"one"}


def test_what_ends_after_sigterm_leaves_without_delay(run: Run, tmp_path: Path) -> None:
    code = """
def finish_requests(number, frame):
    p.submit(Item("during"))
    while p.stats().exported < 2: time.sleep(0.001)
    began_s = time.monotonic()
    p.submit(Item("late"))
    while p.stats().exported < 3: time.sleep(0.001)
    print(time.monotonic() - began_s, flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, finish_requests)
p = open_pipeline()
p.submit(Item("before"))
"""
    process = run(tmp_path, code + UP)
    assert float(terminate(process)) < 0.3  # a batch waits up to half a second otherwise
    assert sorted(names_in(tmp_path / "spool")) == ["before", "during", "late"]


def test_a_handler_installed_later_is_left_alone(sink: Sink, run: Run) -> None:
    code = """
open_pipeline().submit(Item('one'))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(8))
open_pipeline().submit(Item('two'))
"""
    process = run(sink.url, code + UP)
    terminate(process)
    assert process.returncode == 8
    assert sink.names() == {"one", "two"}


def test_an_ignored_sigterm_stays_ignored(sink: Sink, run: Run) -> None:
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open_pipeline().submit(Item('one'))
os.kill(os.getpid(), signal.SIGTERM)
print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
"""
    assert finish(run(sink.url, code)) == "True\n"


def test_sigterm_with_a_silent_server_leaves_spans_on_disk(
    sink: Sink, run: Run, tmp_path: Path
) -> None:
    sink.gate.clear()
    code = "from whence.sdk.delivery import signals\nsignals.TERM_FLUSH_S = 0.1\nopen_pipeline().submit(Item('one'))"
    process = run(sink.url, code + UP)
    terminate(process)
    assert process.returncode == -signal.SIGTERM
    [directory] = (tmp_path / "outbox").iterdir()
    assert set(names_in(directory)) == {"one"}


def test_sigterm_in_the_midst_of_submitting_does_not_hang(sink: Sink, run: Run) -> None:
    code = """
p = open_pipeline()
print("up", flush=True)
while True:
    p.submit(Item("x"))
"""
    process = run(sink.url, code)
    terminate(process)
    assert process.returncode == -signal.SIGTERM


# --- fork -------------------------------------------------------------------------------------


def test_a_forked_child_sends_its_own_spans_and_not_its_parents(sink: Sink, run: Run) -> None:
    code = """
p = open_pipeline()
p.submit(Item("parent before"))
assert p.flush()
p.submit(Item("parent queued"))
child = os.fork()
p.submit(Item("child" if child == 0 else "parent after"))
if child == 0:
    assert p.flush(), p.stats()
    assert p.stats().recorded == 1
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert p.flush()
assert p.stats().recorded == p.stats().exported == 3
"""
    finish(run(sink.url, code))
    assert sorted(span.name for span in sink.spans()) == [
        "child",
        "parent after",
        "parent before",
        "parent queued",
    ]


def test_forks_beside_busy_threads_neither_hang_nor_lose(sink: Sink, run: Run) -> None:
    code = """
p = open_pipeline()
stop = threading.Event()
counts = [0] * 3
def work(thread):
    while not stop.is_set():
        p.submit(Item(f"parent {thread} {counts[thread]}"))
        counts[thread] += 1
        time.sleep(0.0005)
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads: thread.start()
children = []
for number in range(15):
    child = os.fork()
    if child == 0:
        p.submit(Item(f"child {number}"))
        os._exit(0 if p.flush(20) else 1)
    children.append(child)
    time.sleep(0.01)
assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children)
stop.set()
for thread in threads: thread.join()
assert p.flush(20)
import json
print(json.dumps(counts))
"""
    process = run(sink.url, code)
    counts = json.loads(finish(process))
    names = [span.name for span in sink.spans()]
    expected = [f"parent {n} {k}" for n, count in enumerate(counts) for k in range(count)]
    assert sorted(names) == sorted(expected + [f"child {number}" for number in range(15)])


def test_sending_imports_nothing_that_a_fork_could_cut_in_two(sink: Sink, run: Run) -> None:
    code = """
from whence.sdk.delivery import exporter, transport  # exporter: imported while forks wait
transport.load()
p = open_pipeline()
before = set(sys.modules)
p.submit(Item("one"))
assert p.flush()
print(sorted(set(sys.modules) - before))
"""
    sink.answers.append(Answer(503, {"Retry-After": formatdate(0, usegmt=True)}))
    sink.answers.append(Answer(200, {}, b'{"partialSuccess":{"errorMessage":"x"}}'))
    process = run(
        sink.url, code.replace("assert p.flush()", "while not p.flush(): time.sleep(0.1)")
    )
    assert finish(process) == "[]\n"


def test_a_forked_child_of_a_local_store_writes_its_own_segment(run: Run, tmp_path: Path) -> None:
    code = """
p = open_pipeline()
p.submit(Item("before"))
assert p.flush()
child = os.fork()
p.submit(Item("child" if child == 0 else "parent"))
assert p.flush()
if child == 0: os._exit(0)
os.waitpid(child, 0)
"""
    finish(run(tmp_path, code))
    by_segment: dict[str, list[Any]] = {}
    for chunk in read_segments(tmp_path / "spool"):
        for line in chunk.lines:
            names = [span.name for group in decode_request(line) for span in group.spans]
            by_segment.setdefault(chunk.segment.name, []).extend(names)
    assert sorted(by_segment.values()) == [["before", "parent"], ["child"]]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_deliver_at_their_end(
    sink: Sink, run: Run, tmp_path: Path, method: str
) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        PRELUDE
        + """
import multiprocessing
def work(name):
    open_pipeline().submit(Item(name))
if __name__ == "__main__":
    open_pipeline().submit(Item("parent"))
    context = multiprocessing.get_context(sys.argv[2])
    children = [context.Process(target=work, args=(f"child {n}",)) for n in range(2)]
    for child in children: child.start()
    for child in children: child.join()
"""
    )
    finish(
        run(
            sink.url,
            f"os.execv(sys.executable, [sys.executable, {str(script)!r}, sys.argv[1], {method!r}])",
        )
    )
    assert sorted(span.name for span in sink.spans()) == ["child 0", "child 1", "parent"]
