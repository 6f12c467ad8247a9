"""What `import whence` and the first trace of a process cost, and when its context is there.

    python -m bench.first_span [--quick] [--rounds 7]

Each process imports Whence, traces one kind of call and says how long the first one took in the
calling thread, and the second. `import whence` is measured beside an empty program, too.

Then a work tree of `FILES` files is committed in a temporary folder, one file is changed, and a
program in it traces once: when its first span had ended, and when the trace could leave with the
tree's hash.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario

FILES = 50_000
IMPORT_AT_MOST_MS = 120.0
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


def measure_kinds(folder: Path, rounds: int) -> list[Figure]:
    """Time the import, and the first and the second call of each kind; kinds take turns."""
    found: dict[str, list[Any]] = {name: [] for name in KINDS}
    program = folder / "program.py"
    run(program, KINDS["a function"] + MEASURE, folder / "s")  # writes bytecode, warms the disk
    for _ in range(rounds):
        for name, code in KINDS.items():
            found[name].append(run(program, code + MEASURE, folder / "s"))
    imports = [one[0] for runs in found.values() for one in runs]
    figures = [
        _figure(
            "import whence, wall clock", [one[0] for one in imports], at_most=IMPORT_AT_MOST_MS
        ),
        _figure("import whence, CPU", [one[1] for one in imports]),
    ]
    for name, runs in found.items():
        figures += [
            _figure(f"first: {name}", [one[1][0] for one in runs]),
            _figure(f"first, CPU: {name}", [one[1][1] for one in runs]),
            _figure(f"second: {name}", [one[2][0] for one in runs]),
        ]
    return figures


def _figure(name: str, times_ns: list[int], **more: Any) -> Figure:
    values = [one / 1e6 for one in times_ns]
    return Figure(name=name, subject="whence", unit="ms", values=values, **more)


def measure_tree(folder: Path, files: int, rounds: int) -> list[Figure]:
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
    runs = [run(tree / "program.py", LATE, folder / "late") for _ in range(rounds)]
    return [
        _figure("the first trace in a large work tree", [one[0] for one in runs], size=files),
        _figure("until its hash is known and sent", [one[1] for one in runs], size=files),
    ]


def measure(options: Options) -> list[Figure]:
    """Return what starting costs."""
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        figures = measure_kinds(Path(name), options.rounds)
        files = FILES // 100 if options.quick else FILES
        return figures + measure_tree(Path(name), files, min(options.rounds, 3))


SCENARIO = Scenario(
    name="first_span",
    title="Importing Whence, and the first trace of a process",
    text=(
        "New processes, one after the other: what `import whence` takes, and what the first and "
        "the second traced call take in the calling thread. Then the first trace in a git work "
        "tree of 50,000 files of which one is changed, and when that trace has left with the "
        "tree's hash; the traced program waits for none of it."
    ),
    run=measure,
)


if __name__ == "__main__":
    run_alone(SCENARIO)
