"""How long searches take over HTTP, in a store that `bench.corpus` filled.

    python -m bench.search DIRECTORY [--rounds 30] [--json FILE]

Starts a real `whence server` on the directory, and asks each kind of search with another value in
every round (so that no cache answers), interleaved. Prints medians and the 90th percentile in
milliseconds, as the client sees them.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench import corpus

DEADLINE_S = 120
Search = Callable[[random.Random], str]


def searches(traces: int) -> dict[str, Search]:
    """Return what is asked, by its name: a function from chance to a path."""
    versions = corpus.version_names(traces)

    def find(filter_string: str) -> str:
        arguments = {"filter": filter_string, "max_results": 100, "experiment_id": "1"}
        return "/api/v1/traces?" + urlencode(arguments)

    return {
        "environment and version": lambda draw: find(
            "metadata.environment = 'production' "
            f"AND metadata.app_version = '{draw.choice(versions)}'"
        ),
        "version": lambda draw: find(f"metadata.app_version = '{draw.choice(versions)}'"),
        "session": lambda draw: find(
            f"metadata.`mlflow.trace.session` = 'session-{draw.randrange(traces // 30)}'"
        ),
        "user": lambda draw: find(
            f"metadata.`mlflow.trace.user` = 'user-{int(traces / 100 * draw.random() ** 3)}'"
        ),
        "commit": lambda draw: find(
            "metadata.`mlflow.source.git.commit` = "
            f"'{corpus.hash_of(draw.choice(versions), draw.randrange(2)):040x}'"
        ),
        "another metadata key": lambda draw: find(
            f"metadata.tenant = 'tenant-{draw.randrange(400)}'"
        ),
        "another key, one in a thousand": lambda draw: find(
            f"metadata.request_size = '{draw.randrange(100, 100_000)}'"
        ),
        "text in spans": lambda draw: find(
            f"trace.text LIKE '%{draw.choice(corpus.WORDS)} {draw.choice(corpus.WORDS)}%'"
        ),
        "one trace": lambda draw: (
            f"/api/v1/traces/{corpus.trace_id(draw.randrange(traces // 50) * 50)}"
        ),
        "newest": lambda draw: find(f"execution_time_ms > {draw.randrange(100)}"),
    }


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[tuple[str, float]]:
    """Run a server on the directory; yield its URL and the seconds until it was healthy."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "whence", "server", "--store", str(directory), "--port", "0"]
    with subprocess.Popen(command) as server:
        try:
            url = _wait_until_healthy(directory / "server.json", server, started)
            yield url, time.perf_counter() - started
        finally:
            server.send_signal(signal.SIGTERM)


def _wait_until_healthy(note: Path, server: subprocess.Popen[bytes], started: float) -> str:
    while time.perf_counter() - started < DEADLINE_S and server.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(note.read_text())
            if known.get("pid") == server.pid:
                url = str(known["url"])
                if fetch(http.client.HTTPConnection(urlsplit(url).netloc), "/health")[0] == 200:
                    return url
        time.sleep(0.01)
    raise SystemExit(f"the server did not get healthy within {DEADLINE_S} s")


def fetch(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Return status and body."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def measure(url: str, traces: int, rounds: int) -> dict[str, dict[str, float]]:
    """Ask everything `rounds` times; return milliseconds by name."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    draw = random.Random(11)
    kinds = searches(traces)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 2):
        for name, search in kinds.items():
            path = search(draw)
            started = time.perf_counter()
            status, body = fetch(connection, path)
            elapsed_ms = (time.perf_counter() - started) * 1000
            if status != 200:
                raise SystemExit(f"{path}: {status} {body[:300]!r}")
            if number >= 2:  # the first rounds warm up
                times[name].append(elapsed_ms)
    return {
        name: {
            "median_ms": statistics.median(found),
            "p90_ms": statistics.quantiles(found, n=10)[-1],
        }
        for name, found in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with serving(options.directory) as (url, start_s):
        found = measure(url, options.traces, options.rounds)
    print(f"server healthy after {start_s:.1f} s")
    for name, one in found.items():
        print(f"{name:32} {one['median_ms']:8.1f} ms {one['p90_ms']:8.1f} ms (p90)")
    if options.json:
        options.json.write_text(json.dumps({"start_s": start_s, "searches": found}, indent=2))


if __name__ == "__main__":
    main()
