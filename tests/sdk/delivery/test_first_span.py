"""The first trace of a process costs its caller no import: the exporter's thread does them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from work_trees import make_work_tree

# Notes every module that is looked for, with the thread, and whether a fork would wait for it.
PRELUDE = """
import atexit, json, sys, threading, time
found = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        pipeline = whence.sdk.runtime.running_pipeline()
        is_guarded = pipeline is not None and pipeline._preparing.locked()
        found.append((threading.current_thread().name, name, is_guarded))

import whence, whence.sdk.runtime
"""

TRACES = {
    "a decorated function": """
@whence.trace
def answer(x):
    whence.update_current_trace(metadata={"a": "b"}, tags={"t": 1}, session_id=["s", "t"], user="u")
    return {"x": x}
watch()
answer(1)
""",
    "a coroutine function": """
import asyncio
@whence.trace
async def answer(x):
    with whence.start_span("inner"):
        await asyncio.sleep(0)
    return x
loop = asyncio.new_event_loop()
watch()
loop.run_until_complete(answer(1))
""",
    "generators": """
@whence.trace
def numbers():
    yield 1
@whence.trace
async def later():
    yield 2
import asyncio
async def consume():
    return [x async for x in later()]
loop = asyncio.new_event_loop()
watch()
list(numbers())
loop.run_until_complete(consume())
""",
    "a context, an experiment and a computed value": """
whence.configure(metadata={"flag": lambda: "on"}, environment="test")
watch()
with whence.tracing.context(metadata={"a": "b"}, session_id="s"), whence.start_span("root") as span:
    span.set_inputs({"a": [1.5, None]})
    span.set_attribute("k", object())
    span.add_event("moment", {"a": 1})
""",
    "baggage": """
whence.configure(baggage=["user"])
watch()
with whence.start_span("root"):
    pass
""",
    "an exception": """
@whence.trace
def fail():
    raise ValueError("no")
watch()
try:
    fail()
except ValueError:
    pass
""",
    "a span that is ended by hand": """
watch()
span = whence.start_span_no_context("root", inputs=1, metadata={"a": "b"})
whence.start_span_no_context("child", parent_span=span).end()
span.end()
""",
}


def run(tmp_path: Path, code: str) -> list[tuple[str, str, bool]]:
    """What was imported from `watch()` on: (thread, module, guarded against forks)."""
    root = make_work_tree(tmp_path / "repo")
    program = root / "program.py"
    program.write_text(
        PRELUDE
        + "def watch():\n    sys.meta_path.insert(0, Watch())\n"
        + code
        + "\nmine = [name for thread, name, _ in found if thread == 'MainThread']\n"
        + "assert not mine, mine\n"
        + "whence.flush(60)\nsys.meta_path.pop(0)\nprint(json.dumps(found))\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WHENCE_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, program],
        env={
            **kept,
            "WHENCE_URL": str(tmp_path / "store"),
            "WHENCE_EXPERIMENT": "chatbot",
            "WHENCE_STORE_DIFF": "1",
            "WHENCE_BAGGAGE": "tenant",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(entry) for entry in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.parametrize("code", TRACES.values(), ids=TRACES)
def test_the_first_trace_imports_nothing_in_the_calling_thread(tmp_path: Path, code: str) -> None:
    found = run(tmp_path, code)
    assert "whence.sdk.delivery.exporter" in {name for _, name, _ in found}  # the watch works


def test_what_the_other_threads_import_a_fork_can_not_cut_in_two(tmp_path: Path) -> None:
    found = run(tmp_path, TRACES["a decorated function"])
    unguarded = [(thread, name) for thread, name, is_guarded in found if not is_guarded]
    assert [entry for entry in unguarded if entry[0] != "MainThread"] == []


def test_the_caller_does_not_wait_for_the_exporter(tmp_path: Path) -> None:
    code = """
@whence.trace
def answer(x):
    return x
began_s = time.thread_time()
answer(1)
print(json.dumps((time.thread_time() - began_s) * 1000))
"""
    program = tmp_path / "program.py"
    program.write_text("import json, time, whence\n" + code)
    costs_ms = [
        json.loads(
            subprocess.run(
                [sys.executable, program],
                env={**os.environ, "WHENCE_URL": str(tmp_path / "store")},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout
        )
        for _ in range(5)
    ]
    assert min(costs_ms) < 1  # CPU time of the calling thread: other programs do not count
