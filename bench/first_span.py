"""What the first trace of a process costs its caller, and when the rest of the context is there.

    python bench/first_span.py [--processes 15] [--files 50000] [--json FILE]

Each process imports Whence, traces one kind of call and says how long the first one took in the
calling thread (wall clock, and CPU by `time.thread_time_ns`), and the second. Medians over the
processes are printed, and the highest.

Then a work tree of `--files` files is committed in a temporary folder, one file is changed, and a
program in it traces once: when its first span had ended, and when the trace could leave with the
tree's hash.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PRELUDE = """
import json, sys, time
began_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
import whence
imported = [time.perf_counter_ns() - began_ns, time.process_time_ns() - cpu_ns]
"""
KINDS = {
    "a function": """
@whence.trace
def answer():
    return 1
call = answer
""",
    "a function with update_current_trace": """
@whence.trace
def answer():
    whence.update_current_trace(metadata={"a": "b"}, session_id="s")
call = answer
""",
    "a coroutine function": """
import asyncio
@whence.trace
async def answer():
    return 1
def call():
    loop.run_until_complete(answer())
loop = asyncio.new_event_loop()
loop.run_until_complete(asyncio.sleep(0))
""",
    "a generator": """
@whence.trace
def answer():
    yield 1
def call():
    list(answer())
""",
    "a start_span block": """
def call():
    with whence.start_span("answer"):
        pass
""",
}
MEASURE = """
spent = []
for _ in range(2):
    began_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
    call()
    spent.append([time.perf_counter_ns() - began_ns, time.thread_time_ns() - cpu_ns])
print(json.dumps([imported, *spent]))
"""
LATE = """
@whence.trace
def answer():
    return 1
began_ns = time.perf_counter_ns()
answer()
first_ns = time.perf_counter_ns() - began_ns
assert whence.flush(60)
problems = whence.tracing.stats().problems
print(json.dumps([first_ns, time.perf_counter_ns() - began_ns, problems]))
"""


def run(program: Path, code: str, store: Path) -> Any:
    """Return what a new process prints as JSON."""
    program.write_text(PRELUDE + code)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WHENCE_")}
    done = subprocess.run(
        [sys.executable, program],
        cwd=program.parent,
        env={**kept, "WHENCE_URL": str(store)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout)


def describe(times_ns: list[int]) -> dict[str, float]:
    """Return median and maximum in milliseconds."""
    return {"median_ms": statistics.median(times_ns) / 1e6, "max_ms": max(times_ns) / 1e6}


def measure_kinds(folder: Path, processes: int) -> dict[str, dict[str, dict[str, float]]]:
    """Time the first and the second call of each kind."""
    results = {}
    imports = []
    for name, code in KINDS.items():
        runs = [run(folder / "program.py", code + MEASURE, folder / "s") for _ in range(processes)]
        imports += [one[0][1] for one in runs]
        results[name] = {
            "first, wall": describe([one[1][0] for one in runs]),
            "first, CPU": describe([one[1][1] for one in runs]),
            "second, wall": describe([one[2][0] for one in runs]),
        }
    results["import whence"] = {"CPU": describe(imports)}
    return results


def measure_tree(folder: Path, files: int) -> dict[str, Any]:
    """Time a program in a large work tree with one changed file."""
    tree = folder / "tree"
    for number in range(files):
        path = tree / f"{number % 200}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    git = ["git", "-C", str(tree), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "files"], check=True)
    (tree / "0" / "0.txt").write_text("changed\n")
    rounds = [run(tree / "program.py", LATE, folder / "late") for _ in range(3)]
    return {
        "files": files,
        "first span": describe([one[0] for one in rounds]),
        "dirty hash": describe([one[1] for one in rounds]),
        "problems": [one[2] for one in rounds],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=15)
    parser.add_argument("--files", type=int, default=50_000, help="0: no large work tree")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results: dict[str, Any] = measure_kinds(Path(name), options.processes)
        print(f"Python {platform.python_version()}, {options.processes} processes of each kind")
        for kind, figures in results.items():
            for what, one in figures.items():
                print(f"{kind:38} {what:14} {one['median_ms']:8.3f} ms  max {one['max_ms']:8.3f}")
        if options.files:
            results["tree"] = tree = measure_tree(Path(name), options.files)
            print(f"a work tree of {options.files} files, {tree['problems']}")
            for what in ("first span", "dirty hash"):
                print(f"{what:38} {'':14} {tree[what]['median_ms']:8.1f} ms")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
