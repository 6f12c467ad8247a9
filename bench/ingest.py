"""Durable ingest: spans a second that one server acknowledges, sharing the machine with the sender.

    python -m bench.ingest [--quick]

`send_to` and `serving` are for other scenarios: a sender aimed at any server, and ours.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.payloads import JSON, OPENTELEMETRY, PROTOBUF, SDK
from bench.sender import Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = " is ready at "
# Encoding, dialect, spans a second that are promised.
LOADS = (
    (JSON, SDK, 20_000),
    (PROTOBUF, OPENTELEMETRY, 15_000),
    (JSON, OPENTELEMETRY, 20_000),
    (PROTOBUF, SDK, 15_000),
)
SHAPE = ("--spans", 500, "--connections", 16)  # OpenTelemetry's batches are of 512 spans
HALF = {JSON: 10_000, PROTOBUF: 7_500}  # spans a second
PROBE_P99_MS = 60
PATIENCE_S = 30


class Server(msgspec.Struct, frozen=True):
    """A server that runs."""

    url: str
    pid: int


@contextlib.contextmanager
def serving(store: Path, **variables: str) -> Iterator[Server]:
    """Run `whence server` on a store; it is told to end afterwards."""
    command = [sys.executable, "-m", "whence", "server", "--store", str(store), "--port", "0"]
    environment = {**os.environ, **variables}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            if READY not in line:
                raise RuntimeError(f"the server did not start: {line!r}")
            yield Server(line.partition(READY)[2].partition(",")[0], process.pid)
        finally:
            process.terminate()


def send_to(url: str, *options: object) -> Sent:
    """Run a sender against any server; what it prints."""
    command = [sys.executable, "-m", "bench.sender", url, *map(str, options)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    return msgspec.json.decode(done.stdout, type=Sent)


def send_something(url: str, *options: object) -> Sent:
    """Send, and once more for half a minute where nothing was acknowledged in the measured time."""
    sent = send_to(url, *options)
    if not sent.spans:
        sent = send_to(url, *options, "--seconds", PATIENCE_S)  # the last one counts
    check_sent(url, sent)
    return sent


def check_sent(url: str, sent: Sent) -> None:
    """Raise RuntimeError where nothing was acknowledged: a rate of 0 is no figure."""
    if not sent.spans:
        raise RuntimeError(
            f"{url} acknowledged nothing within {sent.seconds:g} s ({sent.refused} requests were "
            f"refused, {sent.failed} failed); SIGUSR1 makes the server say what it is doing"
        )


def read_cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its children that run, user and system."""
    ticks = 0
    for one in list_family(pid):
        with contextlib.suppress(OSError):  # a child that ended meanwhile
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def read_rss_bytes(pid: int, which: str = "VmRSS") -> int:
    """Return the memory of a process and its children that is resident; `VmHWM` is the most ever.

    What they share, such as libraries, counts for each.
    """
    found = _read_memory(pid, which)
    for child in list_family(pid)[1:]:
        with contextlib.suppress(OSError, LookupError):  # it ended meanwhile
            found += _read_memory(child, which)
    return found


def list_family(pid: int) -> list[int]:
    """Return a process and its children."""
    family = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                family.append(int(stat.parent.name))
    return family


def _read_memory(pid: int, which: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(which)


def run(options: Options) -> list[Figure]:
    """Measure each load, full and half, on a fresh store each."""
    rounds = 1 if options.quick else options.rounds
    seconds = ("--seconds", 0.5, "--warm-up", 0.5) if options.quick else ("--seconds", 8)
    loads = LOADS[:2] if options.quick else LOADS
    figures: list[Figure] = []
    for encoding, dialect, promised in loads:
        how = ("--encoding", encoding, "--dialect", dialect, *SHAPE)
        full: list[Sent] = []
        half: list[Sent] = []
        cpu_us: list[float] = []
        for _ in range(rounds):
            with (
                tempfile.TemporaryDirectory(dir=options.work) as store,
                serving(Path(store)) as server,
            ):
                before_s = read_cpu_s(server.pid)
                full.append(send_to(server.url, *how, *seconds))
                taken_s = read_cpu_s(server.pid) - before_s
                measured = full[-1]
                share = measured.seconds / (measured.seconds + 2)
                cpu_us.append(taken_s * share / max(measured.spans, 1) * 1e6)
                rate = ("--rate", HALF[encoding], "--probe")
                half.append(send_to(server.url, *how, *seconds, *rate))
        figures += _figures(f"{encoding}, {dialect}", promised, HALF[encoding], full, half, cpu_us)
    return figures


def _figures(
    what: str,
    promised: int,
    half_rate: int,
    full: list[Sent],
    half: list[Sent],
    cpu_us: list[float],
) -> list[Figure]:
    # A run too short to send one small request keeps no promise about it.
    probes = [one.probe_p99_ms or PROBE_P99_MS * 1000.0 for one in half]

    def figure(name: str, unit: str, values: list[float], **bound: float) -> Figure:
        return Figure(name=f"{name} ({what})", subject="whence", unit=unit, values=values, **bound)  # type: ignore[arg-type]

    return [
        figure(
            "durable ingest", "spans/s", [one.spans_a_second for one in full], at_least=promised
        ),
        figure("server CPU", "µs/span", cpu_us),
        figure("request of 500 spans, full load, p50", "ms", [one.p50_ms for one in full]),
        figure("request of 500 spans, full load, p99", "ms", [one.p99_ms for one in full]),
        figure("refused or failed", "requests", [float(one.refused + one.failed) for one in full]),
        figure(
            "half load", "spans/s", [one.spans_a_second for one in half], at_least=half_rate * 0.97
        ),
        figure("request of one trace, half load, p50", "ms", [one.probe_p50_ms for one in half]),
        figure(
            "request of one trace, half load, p99",
            "ms",
            probes,
            at_most=PROBE_P99_MS,
        ),
    ]


SCENARIO = Scenario(
    name="ingest",
    title="Durable ingest",
    text=(
        "One server process and one sender share the machine. The sender posts prebuilt requests "
        "of 500 spans (100 traces of five spans with inputs and outputs) over 16 kept connections, "
        "each with trace ids of its own; a span counts once its request was answered with 200, "
        "after its rows were synced to the disk. Half load is half of the promised rate; meanwhile "
        "a request of one trace is sent every 100 ms on a connection of its own."
    ),
    run=run,
)


if __name__ == "__main__":
    run_alone(SCENARIO, rounds=3)
