"""SIGTERM while the main thread is in a call into C, where Python runs no handler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otlp_sink import Sink
from whence.otlp.json import decode_request
from whence.otlp.segments import read_segments
from whence.sdk.delivery.signals import TERM_FLUSH_S

Start = Callable[..., subprocess.Popen[str]]
TESTS = Path(__file__).parents[2]
BUSY_MACHINE_S = 1.0

# `enter_c` never returns, costs no time and lets go of the interpreter's lock; a signal doesn't
# interrupt it. `compute` is the same with an end.
PRELUDE = """
import ctypes, hashlib, os, signal, sys, threading, time
import whence

mutex = ctypes.create_string_buffer(128)
lock = ctypes.CDLL(None).pthread_mutex_lock
main = threading.main_thread().ident

def say_up():
    while sys._current_frames()[main].f_code.co_name not in ("enter_c", "compute"):
        time.sleep(0.01)
    print("up", flush=True)

def enter_c():
    lock(mutex)
    lock(mutex)

def compute():
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 3_000_000)

def announce():
    threading.Thread(target=say_up, daemon=True).start()

@whence.trace
def answer(name):
    return name

def wait_for(child):
    began_s = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, time.monotonic() - began_s, flush=True)

def is_blocked(child):  # on the mutex, by what the kernel says
    state = open(f"/proc/{child}/stat").read().rpartition(")")[2].split()[0]
    return state == "S" and "futex" in open(f"/proc/{child}/wchan").read()
"""


@pytest.fixture
def start(tmp_path: Path, sink: Sink) -> Iterator[Start]:
    """Start a program that sends to the sink; it is killed with the test."""
    started: list[subprocess.Popen[str]] = []
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WHENCE_", "MLFLOW_"))}

    def start(code: str, before: str = "", path: Path = TESTS) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", before + PRELUDE + code],
            cwd=tmp_path,
            env=kept
            | {
                "PYTHONPATH": str(path),
                "WHENCE_URL": sink.url,
                "WHENCE_SPOOL": str(tmp_path / "outbox"),
                "PYTHONWARNINGS": "error,ignore:This process:DeprecationWarning",  # of os.fork
            },
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


def terminate(process: subprocess.Popen[str]) -> float:
    """Send SIGTERM once the program says that it is up; return how long it took to end."""
    line = process.stdout.readline()
    assert line == "up\n", process.communicate()
    began_s = time.monotonic()
    process.terminate()
    process.wait(timeout=30)
    return time.monotonic() - began_s


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


def test_sigterm_delivers_and_ends_a_program_that_is_in_c(sink: Sink, start: Start) -> None:
    process = start("answer('one')\nannounce()\nenter_c()")
    took_s = terminate(process)
    assert process.returncode == -signal.SIGTERM
    assert process.stderr.read() == ""
    assert took_s < TERM_FLUSH_S + BUSY_MACHINE_S
    assert sink.names() == {"answer"}


def test_sigterm_ends_a_program_that_computes_long_before_it_is_done(start: Start) -> None:
    code = 'hashlib.pbkdf2_hmac("sha256", b"a", b"b", 20_000_000)'  # some 8 s
    process = start("answer('one')\nannounce()\ndef compute(): " + code + "\ncompute()")
    assert terminate(process) < TERM_FLUSH_S + BUSY_MACHINE_S
    assert process.returncode == -signal.SIGTERM


def test_with_a_silent_server_the_spans_are_on_disk(
    sink: Sink, start: Start, tmp_path: Path
) -> None:
    sink.gate.clear()
    process = start("answer('one')\nannounce()\nenter_c()")
    took_s = terminate(process)
    assert process.returncode == -signal.SIGTERM
    assert took_s < TERM_FLUSH_S + 2 * BUSY_MACHINE_S
    [directory] = (tmp_path / "outbox").iterdir()
    names = {
        span.name
        for chunk in read_segments(directory)
        for line in chunk.lines
        for group in decode_request(line)
        for span in group.spans
    }
    assert names == {"answer"}


def test_what_only_declares_what_it_traces_starts_no_thread(start: Start) -> None:
    code = """
whence.configure(app_version="1")
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
assert len(os.listdir("/proc/self/task")) == 1
assert signal.set_wakeup_fd(-1) == -1
"""
    finish(start(code))


THEIRS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("theirs", flush=True), sys.exit(7)))
"""


@pytest.mark.parametrize(("before", "after"), [(THEIRS, ""), ("", THEIRS)])
def test_a_handler_of_the_program_waits_for_c_as_without_whence(
    sink: Sink, start: Start, before: str, after: str
) -> None:
    process = start("answer('one')\n" + after + "announce()\ncompute()", before=before)
    terminate(process)
    assert process.stdout.read() == "theirs\n"
    assert process.returncode == 7
    assert sink.names() == {"answer"}


def test_a_main_thread_that_comes_back_meanwhile_does_not_run_on(sink: Sink, start: Start) -> None:
    sink.gate.clear()  # so that the other thread takes all the time that it has
    process = start("answer('one')\nannounce()\ncompute()\nprint('on')")
    terminate(process)
    assert process.stdout.read() == ""
    assert process.returncode == -signal.SIGTERM


def test_without_ctypes_the_exit_code_says_sigterm(sink: Sink, start: Start) -> None:
    process = start("sys.modules['ctypes'] = None\nanswer('one')\nannounce()\nenter_c()")
    terminate(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert sink.names() == {"answer"}


# --- fork -------------------------------------------------------------------------------------

FORK = """
answer("parent")
assert whence.flush()
child = os.fork()
if child == 0:
    %s
    enter_c()
while not is_blocked(child): time.sleep(0.01)
os.kill(child, signal.SIGTERM)
wait_for(child)
"""


def test_a_forked_child_that_traces_is_watched_too(sink: Sink, start: Start) -> None:
    code, took_s = finish(start(FORK % 'answer("child")')).split()
    assert int(code) == -signal.SIGTERM
    assert float(took_s) < TERM_FLUSH_S + BUSY_MACHINE_S
    assert [span.name for span in sink.spans()] == ["answer", "answer"]


def test_a_forked_child_that_traces_nothing_ends_at_once(start: Start) -> None:
    code, took_s = finish(start(FORK % "pass")).split()
    assert int(code) == -signal.SIGTERM
    assert float(took_s) < BUSY_MACHINE_S


def test_a_signal_to_a_child_that_python_did_not_fork_leaves_the_parent_alone(
    start: Start,
) -> None:
    code = """
answer("one")
child = ctypes.PyDLL(None).fork()  # it shares the wakeup fd
if child == 0:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
compute()
wait_for(child)
"""
    assert finish(start(code)).split()[0] == "9"


def test_a_child_forked_within_an_event_loop_can_still_leave_it(start: Start) -> None:
    code = """
answer("one")
reader, writer = os.pipe()
os.set_blocking(writer, False)
ours = signal.set_wakeup_fd(writer)  # as an event loop does
assert ours != -1
child = os.fork()
if child == 0:
    assert signal.set_wakeup_fd(ours) == writer
    os._exit(0)
wait_for(child)
"""
    assert finish(start(code)).split()[0] == "0"


# --- in nobody's way --------------------------------------------------------------------------


def test_a_wakeup_fd_that_is_taken_stays(start: Start) -> None:
    code = """
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
before = os.listdir("/proc/self/fd")
from whence.sdk.delivery import watcher
assert watcher.open_watcher(print) is None
assert os.listdir("/proc/self/fd") == before
assert signal.set_wakeup_fd(-1) == writer
"""
    finish(start(code))


@pytest.mark.parametrize("library", ["trio", "curio"])
def test_a_library_that_warns_of_a_wakeup_fd_finds_none(
    start: Start, tmp_path: Path, library: str
) -> None:
    (tmp_path / f"{library}.py").touch()
    finish(start("answer('one')\nassert signal.set_wakeup_fd(-1) == -1", path=tmp_path))


def test_patched_threads_are_not_blocked(start: Start) -> None:
    code = """
from whence.sdk.delivery import watcher
import _thread
real = _thread.start_new_thread
_thread.start_new_thread = lambda *given: real(*given)  # as gevent does
signal.set_wakeup_fd(-1)
assert watcher.open_watcher(print) is None
"""
    finish(start(code))


def test_a_handler_that_may_not_wait_raises_nothing_into_the_program(
    start: Start, tmp_path: Path
) -> None:
    before = """
import threading
real = threading.Lock
class Lock:  # as gevent's, whose hub is the main thread
    def __init__(self):
        self._lock = real()
        self.release, self.locked = self._lock.release, self._lock.locked
    def acquire(self, blocking=True, timeout=-1):
        if timeout >= 0 and threading.current_thread() is threading.main_thread():
            raise RuntimeError("the hub may not block")
        return self._lock.acquire(blocking, timeout)
    def __enter__(self): self.acquire()
    def __exit__(self, *_): self.release()
threading.Lock = Lock
import whence.sdk.delivery.bell
threading.Lock = real
whence.sdk.delivery.bell.threading = type("threading", (), {"Lock": Lock})
"""
    process = start("answer('one')\nannounce()\ncompute()\nenter_c()", before=before)
    terminate(process)
    assert "the hub may not block" not in process.stderr.read()
    assert process.returncode == -signal.SIGTERM


def test_signals_of_the_program_that_are_none_of_ours_change_nothing(start: Start) -> None:
    code = """
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
answer("one")
for _ in range(1000): os.kill(os.getpid(), signal.SIGUSR1)
compute()
assert len(heard) == 1000
"""
    finish(start(code))
