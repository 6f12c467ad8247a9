"""Times a traced program; runs in the environment of the library that it traces with.

    python driver.py PROGRAM.py --url URL [--modes sync,async] [--traces 2000] [--rate 200]

A program is a module with these names, and needs nothing but its library:

- `setup(url)` starts tracing to this server, as the library's documentation asks for production;
- `decorate(function)` returns the function traced, its arguments and result captured; where a
  store is weighed (`answers.py`), a second argument says what kind of step it is;
- `say(metadata)` adds two metadata keys to the trace around it;
- `finish()` returns once everything is delivered, and raises where it was not;
- `ATTRIBUTES`, if it has any, is what the library puts on a span by hand (for the page);
- `disable()`, if the library has such a switch, makes decorated functions just run;
- `lost()`, if the library can tell, returns how many spans were dropped;
- `VERSION`, a text.

Prints one line of JSON: for each mode its figures, in microseconds a trace.

- `sync`: one trace after the other, as fast as it goes: `cpu_us` of the calling thread, `wall_us`.
- `paced`: `--rate` traces a second, so that the exporter keeps up; `p50_us` and `p99_us` of one.
- `async`: twenty tasks at a time that take turns at every step; `threads`: four threads.
- `disabled`: a decorated call while tracing is off, less the call itself: `call_us`.
- `delivered`: `cpu_us` of the whole process with its threads and children, from the first of
  `--traces` traces until all are acknowledged; `cpu_paced_us` the same at `--rate`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import platform
import resource
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import work

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

TASKS = 20
THREADS = 4
WARM_UP = 50


def load(path: Path) -> ModuleType:
    """Import a program by its path."""
    spec = importlib.util.spec_from_file_location("program", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python program")
    module = importlib.util.module_from_spec(spec)
    sys.modules["program"] = module
    spec.loader.exec_module(module)
    return module


def distribution(times_ns: list[int]) -> dict[str, float]:
    """Return median and 99th percentile in microseconds."""
    cuts = statistics.quantiles(times_ns, n=100)
    return {"p50_us": statistics.median(times_ns) / 1000, "p99_us": cuts[98] / 1000}


def warm_up(program: ModuleType) -> Callable[[], Any]:
    """Return a call of the traced functions, once all that starts with the first has started."""
    call: Callable[[], Any] = work.nest(program.decorate, program.say)
    for _ in range(WARM_UP):
        call()
    program.finish()
    return call


def run_sync(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Trace without a pause."""
    call = warm_up(program)
    times_ns = []
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    for _ in range(options.traces):
        began = time.perf_counter_ns()
        call()
        times_ns.append(time.perf_counter_ns() - began)
    cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    per_trace = {"cpu_us": cpu / options.traces / 1000, "wall_us": wall / options.traces / 1000}
    return per_trace | distribution(times_ns)


def pace(call: Callable[[], Any], traces: int, rate: float) -> list[int]:
    """Call so many times, so often a second; return how long each took."""
    times_ns = []
    due = time.perf_counter()
    for _ in range(traces):
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter_ns()
        call()
        times_ns.append(time.perf_counter_ns() - began)
    return times_ns


def run_paced(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Trace at a rate that leaves the exporter time."""
    call = warm_up(program)
    return distribution(pace(call, options.paced_traces, options.rate))


def run_async(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Trace in tasks that take turns."""
    call = work.nest_async(program.decorate, program.say)

    async def trace(traces: int) -> None:
        for _ in range(traces // TASKS):
            await asyncio.gather(*(call() for _ in range(TASKS)))

    async def measure() -> dict[str, float]:
        await trace(WARM_UP)
        count = options.traces // TASKS * TASKS
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        await trace(count)
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        return {"cpu_us": cpu / count / 1000, "wall_us": wall / count / 1000}

    return asyncio.run(measure())


def run_threads(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Trace in four threads at once."""
    call = work.nest(program.decorate, program.say)
    gate = threading.Barrier(THREADS + 1)
    spent: list[int] = []
    each = options.traces // THREADS

    def trace() -> None:
        for _ in range(WARM_UP):
            call()
        gate.wait()
        cpu = time.thread_time_ns()
        for _ in range(each):
            call()
        spent.append(time.thread_time_ns() - cpu)

    threads = [threading.Thread(target=trace) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    gate.wait()
    wall = time.perf_counter_ns()
    for thread in threads:
        thread.join()
    wall = time.perf_counter_ns() - wall
    count = each * THREADS
    return {"cpu_us": sum(spent) / count / 1000, "wall_us": wall / count / 1000}


def run_disabled(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Call decorated functions while tracing is off. Nothing is traced afterwards."""
    if not hasattr(program, "disable"):
        return {}
    program.disable()
    calls = {
        "traced": work.nest(program.decorate, lambda _: None),
        "plain": work.nest(lambda function: function, lambda _: None),
    }
    best: dict[str, list[int]] = {name: [] for name in calls}
    for _ in range(7):
        for name, call in calls.items():
            began = time.perf_counter_ns()
            for _ in range(options.traces):
                call()
            best[name].append(time.perf_counter_ns() - began)
    traced, plain = (statistics.median(best[name]) for name in ("traced", "plain"))
    return {"call_us": (traced - plain) / options.traces / work.DEPTH / 1000}


def process_cpu_us() -> float:
    """Return the CPU that this process, its threads and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) * 1e6


def run_delivered(program: ModuleType, options: argparse.Namespace) -> dict[str, float]:
    """Count the process's CPU until everything is acknowledged."""
    call = work.nest(program.decorate, program.say)
    began = process_cpu_us()
    for _ in range(WARM_UP):
        call()
    program.finish()
    first = process_cpu_us() - began
    began = process_cpu_us()
    for _ in range(options.traces):
        call()
    program.finish()
    cpu = process_cpu_us() - began
    began = process_cpu_us()
    pace(call, options.paced_traces, options.rate)
    program.finish()
    paced = process_cpu_us() - began
    return {
        "cpu_us": cpu / options.traces,
        "cpu_paced_us": paced / options.paced_traces,
        "first_cpu_ms": first / 1000,
    }


RUNS = {
    "sync": run_sync,
    "paced": run_paced,
    "async": run_async,
    "threads": run_threads,
    "delivered": run_delivered,
    "disabled": run_disabled,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--modes", default="sync,paced,async,threads,disabled")
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--paced-traces", type=int, default=400)
    parser.add_argument("--rate", type=float, default=200)
    options = parser.parse_args()
    program = load(options.program)
    program.setup(options.url)
    found: dict[str, Any] = {}
    for mode in options.modes.split(","):
        found[mode] = RUNS[mode](program, options)
        program.finish()
    print(
        json.dumps(
            {
                "modes": found,
                "python": platform.python_version(),
                "version": program.VERSION,
                "attributes": getattr(program, "ATTRIBUTES", ""),
                "lost": program.lost() if hasattr(program, "lost") else None,
            }
        )
    )


if __name__ == "__main__":
    main()
