"""Overload: a sender that outruns the server, and a `kill -9` at the end.

    python -m bench.overload [--quick]

Is memory bounded, is too much refused with 503 and `Retry-After`, and is everything there that was
acknowledged?
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections import Counter
from pathlib import Path

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import read_rss_bytes, send_to, serving
from bench.payloads import JSON, SDK, make_templates
from whence.otlp.json import decode_request
from whence.store.connection import open_store

MIB = 1 << 20
SPANS = 500
CONNECTIONS = 64
SECONDS = 40
LIMITS = {
    "WHENCE_MAX_INFLIGHT_BYTES": str(24 * MIB),
    "WHENCE_MAX_QUEUE_BYTES": str(24 * MIB),
    "WHENCE_MEMORY_BYTES": str(1024 * MIB),
}
_STORED = """\
SELECT substring(trace_id, 4, 8) AS number, uniqExact(trace_id, span_id) AS spans
FROM spans
GROUP BY number
"""


def run(options: Options) -> list[Figure]:
    """Overload a server of small limits for a while, kill it, and look for what it acknowledged."""
    seconds = 4 if options.quick else SECONDS
    load = ("--encoding", JSON, "--dialect", SDK, "--spans", SPANS, "--connections", CONNECTIONS)
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        store, log = Path(work, "store"), Path(work, "acknowledged")
        with serving(store, **LIMITS) as server:
            idle = read_rss_bytes(server.pid)
            watch = Watch(server.pid)
            send_to(server.url, *load, "--seconds", seconds / 4, "--warm-up", 0, "--log", log)
            first = watch.highest_bytes
            sent = send_to(server.url, *load, "--seconds", seconds, "--warm-up", 0, "--log", log)
            last = watch.close()
            os.kill(server.pid, signal.SIGKILL)
        lost = count_lost(store, log)

    def figure(name: str, unit: str, value: float, **bound: float) -> Figure:
        return Figure(name=name, subject="whence", unit=unit, values=[value], **bound)  # type: ignore[arg-type]

    return [
        figure("overload: acknowledged", "spans/s", sent.spans_a_second),
        figure("overload: told to come back", "requests", float(sent.refused)),
        figure(
            "overload: answered otherwise, or not at all", "requests", float(sent.failed), at_most=0
        ),
        figure(
            "overload: acknowledged spans that are not there after kill -9",
            "spans",
            lost,
            at_most=0,
        ),
        figure("overload: memory before", "MiB", idle / MIB),
        figure("overload: most memory in the first quarter", "MiB", first / MIB),
        figure("overload: most memory", "MiB", last / MIB),
    ]


class Watch:
    """Notes the most memory that a process takes."""

    def __init__(self, pid: int) -> None:
        self.highest_bytes = 0
        self._pid = pid
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> int:
        self._closing.set()
        self._thread.join()
        return self.highest_bytes

    def _run(self) -> None:
        while not self._closing.wait(0.2):
            self.highest_bytes = max(self.highest_bytes, read_rss_bytes(self._pid))


def count_lost(store: Path, log: Path) -> int:
    """Return how many spans of the acknowledged requests in the log are not in the store."""
    expected: dict[int, int] = {}
    for which, template in enumerate(make_templates(SDK, JSON, spans=SPANS)):
        (group,) = decode_request(template.body(1))
        expected[which] = len({(span.trace_id, span.span_id) for span in group.spans})
    acknowledged = Counter[str]()
    for line in log.read_text().splitlines():
        which, number = line.split()
        acknowledged[number] += expected[int(which)]
    with open_store(str(store)) as opened:
        stored = dict(opened.query(_STORED).rows)
    return sum(max(0, count - stored.get(number, 0)) for number, count in acknowledged.items())


SCENARIO = Scenario(
    name="overload",
    title="Overload",
    text=(
        "64 connections send requests of 500 spans as fast as they are answered to a server that "
        "may hold 24 MiB of bodies and 24 MiB of decoded spans. What is too much is refused with "
        "503 and Retry-After, and sent again. In the end the server is killed with SIGKILL, and "
        "the store is searched for every span that was acknowledged. The memory is what is "
        "resident in the server's processes, the engine's caches and its 1 GiB included."
    ),
    run=run,
)


if __name__ == "__main__":
    run_alone(SCENARIO)
