"""How long a comparison of two versions of some 100,000 traces takes over HTTP.

    python -m bench.compare [--quick] [--rounds 15] [--work FOLDER] [--sizes 10000,1000000]

A real `whence server` runs on a store that `bench.corpus` filled. An arm is a filter of five
versions in production, so that at a million traces it has more than 100,000; every round draws
others. The server's memory is its highest (VmHWM), the engine and its caches included.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM_UP = 2
VERSIONS_AN_ARM = 5
MILLION = 1_000_000
HTTP_OK = 200
VERDICTS = "verdicts of all metrics"
EXPLAINED = "verdicts and explanation"
AT_MOST_MS = {VERDICTS: 500.0, EXPLAINED: 3000.0}
AT_MOST_MIB = 1024.0


def run(options: Options) -> Iterator[Figure]:
    """Compare in a store of each size; yield milliseconds a comparison, and memory."""
    for size in options.sizes:
        directory = corpus.prepared(options.work, size)
        with serving(directory) as server:
            times, traces = measure(server.url, size, options.rounds)
            memory_mib = read_peak_mib(server.pid)
        promised = size == MILLION
        note = f"{min(traces):,} to {max(traces):,} traces a version"
        for name, values in times.items():
            yield Figure(
                name=name,
                subject="whence",
                unit="ms",
                values=values,
                at_most=AT_MOST_MS[name] if promised else None,
                size=size,
                note=note,
            )
        yield Figure(
            name="memory of the server",
            subject="whence",
            unit="MiB",
            values=[memory_mib],
            at_most=AT_MOST_MIB if promised else None,
            size=size,
            note="at its highest",
        )


def measure(url: str, size: int, rounds: int) -> tuple[dict[str, list[float]], list[int]]:
    """Return milliseconds by name, and how many traces the arms had."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    draw = random.Random(13)
    versions = corpus.version_names(size)[1:]
    times: dict[str, list[float]] = {VERDICTS: [], EXPLAINED: []}
    traces: list[int] = []
    for number in range(rounds + WARM_UP):
        chosen = draw.sample(versions, 2 * VERSIONS_AN_ARM)
        arms = [name_arm(chosen[start::2]) for start in (0, 1)]
        for name, values in times.items():
            question = {
                "baseline": arms[0],
                "candidate": arms[1],
                "environment": "production",
                "experiment_ids": [corpus.EXPERIMENT_ID],
                "explain": name == EXPLAINED,
            }
            started = time.perf_counter()
            found = ask(connection, question)
            elapsed_ms = (time.perf_counter() - started) * 1000
            traces += [found["baseline"]["traces"], found["candidate"]["traces"]]
            if number >= WARM_UP:
                values.append(elapsed_ms)
    return times, traces


def name_arm(versions: list[str]) -> str:
    """Return the filter of these versions."""
    return f"app_version IN ({', '.join(repr(one) for one in versions)})"


def ask(connection: http.client.HTTPConnection, question: dict[str, object]) -> dict[str, dict]:
    """Return the answer to a comparison."""
    headers = {"content-type": "application/json"}
    connection.request("POST", "/api/v1/compare", json.dumps(question), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != HTTP_OK:
        raise RuntimeError(f"{question}: {answer.status} {body[:300]!r}")
    found: dict[str, dict] = json.loads(body)
    return found


def read_peak_mib(pid: int) -> float:
    """Return the most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    line = next(one for one in lines if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


SCENARIO = Scenario(
    name="compare",
    title="Comparing two versions",
    text=(
        "`POST /api/v1/compare` of two groups of five versions in production, on one connection: "
        "eleven metrics with intervals and verdicts, errors by signature; then the same with "
        "the explanation (spans on the critical path, shapes, values in common, pairs). Strata are "
        "environment, name and size of the request, units sessions and users."
    ),
    run=run,
)

if __name__ == "__main__":
    run_alone(SCENARIO, rounds=15)
