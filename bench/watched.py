"""What the watch of new versions costs ingest: the same load with it and without.

    python -m bench.watched [--quick] [--rounds 5]

docs/findings.md quotes it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario, alternate
from bench.ingest import SHAPE, check_sent, read_cpu_s, send_to, serving
from bench.payloads import CONTENT_TYPES, JSON, OPENTELEMETRY, SPANS_A_TRACE, make_templates
from bench.sender import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.sender import Sent

NEW, OLD = b"2.3.1", b"2.3.0"  # what the load's traces name, and the version before
BASELINE_TRACES = 20_000
HOW = ("--encoding", JSON, "--dialect", OPENTELEMETRY, *SHAPE)
HALF = 10_000  # spans a second
SUBJECTS = ("off", "on")


class Measured(msgspec.Struct):
    """A round: what was sent at full speed and at half of it, and the server's CPU time."""

    full: Sent
    half: Sent
    cpu_s: float


def send_baseline(url: str, traces: int) -> None:
    """Record traces of the version before."""
    connection = Connection(url, "/v1/traces", CONTENT_TYPES[JSON], [])
    templates = make_templates(OPENTELEMETRY, JSON, spans=500)
    for number in range(max(1, traces * SPANS_A_TRACE // 500)):
        body = templates[number % len(templates)].body(number)
        status, _ = connection.post(body.replace(NEW, OLD))
        if status != 200:
            raise RuntimeError(f"{url} answered {status} to the version before")


def measure(options: Options, watch: str) -> Measured:
    """Send a new version's traces to a fresh server that has those of the one before."""
    seconds = ("--seconds", 0.5, "--warm-up", 0.5) if options.quick else ("--seconds", 8)
    rate = ("--rate", HALF, "--probe")
    with (
        tempfile.TemporaryDirectory(dir=options.work) as store,
        serving(Path(store), WHENCE_WATCH=watch) as server,
    ):
        send_baseline(server.url, 500 if options.quick else BASELINE_TRACES)
        before_s = read_cpu_s(server.pid)
        full = send_to(server.url, *HOW, *seconds)
        half = send_to(server.url, *HOW, *seconds, *rate)
        check_sent(server.url, full)
        return Measured(full, half, read_cpu_s(server.pid) - before_s)


def run(options: Options) -> Iterator[Figure]:
    """Measure with the watch and without, in turn."""
    rounds = 1 if options.quick else options.rounds
    found: dict[str, list[Measured]] = {one: [] for one in SUBJECTS}
    for _, subject in alternate(SUBJECTS, rounds, warm_up=False):
        found[subject].append(measure(options, subject))

    def figure(name: str, unit: str, values: list[float]) -> Figure:
        return Figure(name=name, subject="whence", unit=unit, values=values)

    for subject in SUBJECTS:
        seen, what = found[subject], f"(watch {subject})"
        yield figure(f"ingest {what}", "spans/s", [one.full.spans_a_second for one in seen])
        yield figure(f"request of 500 spans, p99 {what}", "ms", [one.full.p99_ms for one in seen])
        yield figure(
            f"one trace, half load, p99 {what}", "ms", [one.half.probe_p99_ms for one in seen]
        )
        yield figure(f"server CPU of both {what}", "s", [one.cpu_s for one in seen])
    pairs = zip(found["on"], found["off"], strict=True)
    ratios = [on.full.spans_a_second / off.full.spans_a_second for on, off in pairs]
    yield figure("ingest with the watch, of that without", "", ratios)


SCENARIO = Scenario(
    name="watched",
    title="Ingest beside the watch of new versions",
    text=(
        "A server that has 20,000 traces of one version takes in the traces of the next one, at "
        "full speed and at half of what is promised, with the watch and without in turn, each on "
        "a store of its own. With it, the new version is compared as its traffic arrives."
    ),
    run=run,
)


if __name__ == "__main__":
    run_alone(SCENARIO, rounds=5)
