"""Real programs in real work trees: what every trace carries, however the process ends.

A trace carries the hash of its dirty work tree, or `stats()` says how many went without it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from whence import semconv
from whence.otlp.json import decode_request
from whence.otlp.segments import read_segments
from work_trees import make_work_tree, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="scripts with a shebang, signals")

PRELUDE = """
import atexit, json, os, signal, sys, time
from program_stays import stay

def tell():  # registered before ours, so called after it
    print(json.dumps(whence.tracing.stats().problems), flush=True)

atexit.register(tell)
import whence

@whence.trace
def root():
    with whence.start_span("child"):
        pass
"""
LATE = "late_context"

Run = Callable[..., subprocess.Popen[str]]


class Tree:
    """A dirty work tree with a program in it, the git that it finds, and where its spans land."""

    def __init__(self, folder: Path) -> None:
        self.root = make_work_tree(folder / "repo")
        write(self.root, {"app.py": "print('edited')\n", "new.txt": "untracked\n"})
        self.store = folder / "store"
        self.bin = folder / "bin"
        self.bin.mkdir()

    def slow_down(self, delay_s: float, *, once: bool = False) -> None:
        """Make the git program take so much longer, at each call or at the first."""
        marker = self.bin / "called"
        script = self.bin / "git"
        skip = f'[ -e "{marker}" ] && exec "{shutil.which("git")}" "$@"\n' if once else ""
        script.write_text(
            f'#!/bin/sh\n{skip}: > "{marker}"\nsleep {delay_s}\nexec "{shutil.which("git")}" "$@"\n'
        )
        script.chmod(0o755)

    def groups(self) -> list[Any]:
        return [
            group
            for chunk in read_segments(self.store / "spool")
            for line in chunk.lines
            for group in decode_request(line)
        ]

    def roots(self, *, pending: bool = False) -> list[str | None]:
        """The dirty hash of each root (of one that was still open: if `pending`)."""
        return [
            group.resource.attributes.get(semconv.METADATA_PREFIX + semconv.GIT_DIRTY_HASH)
            or group.resource.attributes.get(semconv.GIT_DIRTY_HASH)
            for group in self.groups()
            for span in group.spans
            if span.name == "root" and bool(span.end_time_ns) is not pending
        ]

    def children(self) -> int:
        return sum(span.name == "child" for group in self.groups() for span in group.spans)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def run(tree: Tree) -> Iterator[Run]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        (tree.root / "program.py").write_text(PRELUDE + code)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WHENCE_", "MLFLOW_"))}
        process = subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=tree.root,
            env={
                **kept,
                "PATH": f"{tree.bin}{os.pathsep}{os.environ['PATH']}",
                "WHENCE_URL": str(tree.store),
                "PYTHONPATH": str(Path(__file__).parents[2]),
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


def finish(process: subprocess.Popen[str]) -> dict[str, int]:
    """Wait for the end; return the problems that the program counted."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_the_first_and_the_last_trace_carry_the_hash(tree: Tree, run: Run) -> None:
    problems = finish(run("root()\nroot()\nassert whence.flush(60)\nroot()\n"))
    first, second, third = tree.roots()
    assert first is not None
    assert first == second == third
    assert problems == {}
    assert tree.children() == 3


def test_the_hash_reaches_traces_that_ended_long_before_it(tree: Tree, run: Run) -> None:
    tree.slow_down(0.7, once=True)
    problems = finish(run("root()\nassert whence.flush(60)\n"))
    assert [len(found or "") for found in tree.roots()] == [40]
    assert problems == {}


def test_a_program_that_ends_at_once_waits_a_moment(tree: Tree, run: Run) -> None:
    problems = finish(run("root()\nroot()\n"))
    roots = tree.roots()
    assert len(roots) == 2
    assert roots.count(None) == problems.get(LATE, 0)


def test_a_git_that_hangs_delays_the_end_by_little_and_loses_nothing(tree: Tree, run: Run) -> None:
    tree.slow_down(20)
    process = run("root()\nprint('end', time.time(), flush=True)\n")
    ended_s = float(process.stdout.readline().split()[1])
    problems = finish(process)
    assert time.time() - ended_s < 8  # 1.5 s, and what the machine adds
    assert tree.roots() == [None]
    assert tree.children() == 1
    assert problems == {LATE: 1}


def test_sigterm_waits_a_moment_and_loses_nothing(tree: Tree, run: Run) -> None:
    tree.slow_down(20)
    process = run("root()\nstay()\n")
    assert process.stdout.readline() == "up\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert tree.roots() == [None]
    assert tree.children() == 1


def test_a_kill_leaves_the_trace_in_progress_with_its_context(tree: Tree, run: Run) -> None:
    tree.slow_down(20)
    process = run("with whence.tracing.context(metadata={'a': 'b'}): root()\nstay()\n")
    assert process.stdout.readline() == "up\n"
    deadline_s = time.monotonic() + 30
    while not tree.roots(pending=True):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert tree.roots() == []
    assert tree.children() == 1
    [attributes] = [
        span.attributes for group in tree.groups() for span in group.spans if span.name == "root"
    ]
    assert attributes["whence.metadata.a"] == "b"


def test_a_kill_of_a_trace_still_open_leaves_it_with_its_hash(tree: Tree, run: Run) -> None:
    tree.slow_down(0.5, once=True)
    process = run("with whence.start_span('root'):\n    stay()\n")
    assert process.stdout.readline() == "up\n"
    deadline_s = time.monotonic() + 30
    while not any(tree.roots(pending=True)):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert len(tree.roots(pending=True)) <= 2  # without the hash, and with it


def test_a_forked_child_and_its_parent_both_wait(tree: Tree, run: Run) -> None:
    tree.slow_down(0.5, once=True)
    code = """
root()
pid = os.fork()
root()
assert whence.flush(60)
if pid == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
    problems = finish(run(code))
    roots = tree.roots()
    assert len(roots) == 3
    assert None not in roots
    assert len(set(roots)) == 1
    assert problems == {}


def test_forks_while_the_tree_is_measured_neither_hang_nor_lose(tree: Tree, run: Run) -> None:
    code = """
root()
pids = []
for number in range(12):
    pid = os.fork()
    if pid == 0:
        root()
        import subprocess
        os._exit(0 if whence.flush(60) else 1)
    pids.append(pid)
    time.sleep(0.005)
assert all(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 for pid in pids)
assert whence.flush(60)
"""
    finish(run(code))
    roots = tree.roots()
    assert len(roots) == 13
    assert None not in roots


def test_the_late_part_imports_nothing_that_a_fork_could_cut_in_two(tree: Tree, run: Run) -> None:
    code = """
whence.configure(store_diff=True)
from whence.sdk import runtime
from whence.sdk.context import process
assert not runtime._is_settled()
process.resolve()
before = set(sys.modules)
runtime._resolve_late()
assert process.is_settled()
new = set(sys.modules) - before
assert not new, new
"""
    finish(run(code))


def test_outside_of_a_work_tree_nothing_waits(tmp_path: Path, tree: Tree, run: Run) -> None:
    shutil.rmtree(tree.root / ".git")
    tree.slow_down(20)
    problems = finish(run("root()\nassert whence.flush(10)\n"))
    assert tree.roots() == [None]
    assert problems == {}


def test_a_large_work_tree_is_measured_beside_the_program(tree: Tree, run: Run) -> None:
    write(tree.root, {f"pack/{n % 40}/{n}.py": f"x = {n}\n" for n in range(4000)})
    code = """
began_s = time.thread_time()
root()
assert time.thread_time() - began_s < 0.01
assert whence.flush(60)
"""
    problems = finish(run(code))
    assert tree.roots().count(None) == problems.get(LATE, 0)
    assert len(tree.roots()) == 1
