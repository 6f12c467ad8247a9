"""Durable ingest beside the peers that have a server: the very same OTLP requests to each.

    python -m bench --only ingest_peers [--peers phoenix,mlflow] [--quick]

What counts is what the server's store holds, not what it has acknowledged: Phoenix answers before
it writes, and gives up what still waits when it stops. Whence and MLflow answer afterwards.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.environments import EnvironmentFailedError
from bench.harness import Figure, Options, Scenario, alternate
from bench.ingest import send_to, serving
from bench.payloads import OPENTELEMETRY, PROTOBUF
from bench.peers.serving import SERVERS, count_spans, serving_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEERS = ("phoenix", "mlflow")
BY_PHOENIX = 50.0
MAX_ROUNDS = 3  # a round of three servers takes two minutes
# Spans of a request and connections: what each takes best. Phoenix, flooded as Whence is, refuses
# and decodes and stores 6 spans a second.
LOADS = {"whence": (200, 12), "phoenix": (50, 4), "mlflow": (50, 4)}
WARM_UP_S, SECONDS, AFTERWARDS_S = 4.0, 16.0, 6.0
QUICK_S = 1.0


class Round(msgspec.Struct, frozen=True):
    """What one server did under one sender, in spans a second."""

    acknowledged: float
    stored: float
    stored_afterwards: float  # of what waited, once the sender had left it the whole machine
    p50_ms: float
    refused: int


def run(options: Options) -> Iterator[Figure]:
    """Send to each in turn; yield the figures of all."""
    subjects = ["whence", *(name for name in PEERS if name in options.peers)]
    rounds: dict[str, list[Round]] = {name: [] for name in subjects}
    failures: dict[str, str] = {}
    for number, subject in alternate(subjects, min(options.rounds, MAX_ROUNDS)):
        if subject in failures or number == 0:
            continue  # every server is fresh and every sender warms up: no round to warm up with
        try:
            rounds[subject].append(_measure(subject, options))
        except (EnvironmentFailedError, RuntimeError, OSError, sqlite3.Error) as error:
            failures[subject] = f"failed: {error}"
    for subject in subjects:
        yield from _describe(subject, rounds[subject], failures.get(subject, ""))
    theirs = [max(one.stored, one.stored_afterwards) for one in rounds.get("phoenix", ())]
    ours = [one.stored for one in rounds["whence"]]
    if theirs and all(theirs):
        yield Figure(
            name="spans in the store / Phoenix's, the better of its two",
            subject="whence",
            unit="",
            values=[a / b for a, b in zip(ours, theirs, strict=False)],
            at_least=BY_PHOENIX,
        )


def _describe(subject: str, rounds: list[Round], note: str) -> Iterator[Figure]:
    """Yield the figures of one server."""
    columns = (
        ("spans in the store", "spans/s", [one.stored for one in rounds]),
        (
            "stored of what waits, once the sender is gone",
            "spans/s",
            [one.stored_afterwards for one in rounds],
        ),
        ("spans acknowledged", "spans/s", [one.acknowledged for one in rounds]),
        ("request, median", "ms", [one.p50_ms for one in rounds]),
        ("requests refused", "requests", [float(one.refused) for one in rounds]),
    )
    for name, unit, values in columns:
        if name.startswith("stored of") and subject != "phoenix":
            continue  # nothing waits: it was stored before it was acknowledged
        yield Figure(name=name, subject=subject, unit=unit, values=values, note=note)


def _measure(subject: str, options: Options) -> Round:
    """Start a server on an empty store, send to it, and look what it holds."""
    seconds = QUICK_S if options.quick else SECONDS
    warm_up_s = QUICK_S if options.quick else WARM_UP_S
    with (
        tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        spans, connections = LOADS[subject]
        load: list[object] = ["--encoding", PROTOBUF, "--dialect", OPENTELEMETRY, "--spans", spans]
        load += ["--connections", connections, "--seconds", seconds, "--warm-up", warm_up_s]
        if subject == "whence":
            sent = send_to(stack.enter_context(serving(folder)).url, *load)
            return Round(sent.spans_a_second, sent.spans_a_second, 0, sent.p50_ms, sent.refused)
        url = stack.enter_context(serving_peer(subject, folder, options.work))
        headers = [word for one in SERVERS[subject].headers for word in ("--header", one)]
        with _counting(subject, folder, warm_up_s) as rate:
            sent = send_to(url, *load, *headers)
            stored = rate()
        with _counting(subject, folder, 0) as rate:
            time.sleep(QUICK_S if options.quick else AFTERWARDS_S)
            afterwards = rate()
        return Round(sent.spans_a_second, stored, afterwards, sent.p50_ms, sent.refused)


@contextlib.contextmanager
def _counting(subject: str, folder: Path, after_s: float) -> Iterator[Callable[[], float]]:
    """Count the spans in a store after so many seconds; yield what tells the rate since then."""
    first: list[tuple[float, int]] = []

    def count() -> tuple[float, int]:
        spans = count_spans(subject, folder)
        return time.perf_counter(), spans

    def rate() -> float:
        timer.join()
        (began, before), (ended, after) = first[0], count()
        return (after - before) / (ended - began)

    timer = threading.Timer(after_s, lambda: first.append(count()))
    timer.start()
    yield rate


SCENARIO = Scenario(
    name="ingest_peers",
    title="Durable ingest, beside the peers' servers",
    text=(
        "The same OTLP/protobuf spans, as a plain OpenTelemetry program sends them, go to `whence "
        "server`, to `phoenix serve` and to the OTLP endpoint of `mlflow server`, each on an empty "
        "store and sharing the machine with the sender. Both peers keep their default store, "
        "SQLite. Each gets the load that it takes best: Whence requests of 200 spans over 12 "
        "connections, the peers 50 spans over 4. What counts is the spans that the store gained a "
        "second. Phoenix acknowledges more than it writes, and drops what waits when it is "
        "stopped, so what it stores of that afterwards, undisturbed, is measured as well."
    ),
    run=run,
    subjects=("whence", "phoenix", "mlflow"),
)
