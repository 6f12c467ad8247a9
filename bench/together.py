"""What ingest and search take from each other, on one server and two cores.

    python -m bench.together [--quick]
    python -m bench --only together --sizes 1000000

The users search a copy of the store of `bench.search`; the sender is the one of `bench.ingest`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario, alternate
from bench.ingest import send_to, serving
from bench.searcher import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.sender import Sent

DEFAULT_SIZE = 100_000
HALF = 10_000  # spans a second
# Measured seconds and those before; the next are tried where nothing happened in the ones before.
TIMES = ((10, 2), (30, 2))
QUICK_TIMES = ((1, 1), (5, 5), (30, 30))
PAUSES = ("no users", "4 searches/s", "4 users without a pause")
LOADS = ("no ingest", "half load", "full load")
RATES = {"half load": HALF, "full load": 0}
SEARCH_RATES = {"4 searches/s": 4, "4 users without a pause": 0}
SLOWED_AT_MOST = 1.2


class Seen(msgspec.Struct, frozen=True):
    """One run: what the sender and the users saw."""

    sent: Sent | None
    asked: Asked | None

    @property
    def is_whole(self) -> bool:
        """Whether everybody who was there saw something."""
        return (self.sent is None or self.sent.spans > 0) and (
            self.asked is None or self.asked.p50_ms > 0
        )


def measure(options: Options) -> Iterator[Figure]:
    """Run every load with every kind of user, in turn."""
    size = max(options.sizes, default=corpus_size(options))
    runs = [
        (load, users)
        for load in LOADS
        for users in PAUSES
        if (load, users) != (LOADS[0], PAUSES[0])
    ]
    found: dict[tuple[str, str], list[Seen]] = {one: [] for one in runs}
    rounds = max(1, min(options.rounds, 3))
    for number, (load, users) in alternate(runs, rounds, warm_up=not options.quick):
        if number:  # every server is fresh, and everybody warms up
            found[load, users].append(_run(load, users, size, number, options))
    yield from _report_ingest(found, size)
    yield from _report_searches(found, size)


def corpus_size(options: Options) -> int:
    """Return the traces in the store where nobody asks for a size."""
    return 2_000 if options.quick else DEFAULT_SIZE


def _run(load: str, users: str, size: int, seed: int, options: Options) -> Seen:
    for seconds, warm_up_s in QUICK_TIMES if options.quick else TIMES:
        seen = _run_for(load, users, size, seed, options, (seconds, warm_up_s))
        if seen.is_whole:
            return seen
    raise RuntimeError(
        f"within {seconds} s of {load} beside {users} nothing was acknowledged, or no search was "
        f"answered: {seen}"
    )


def _run_for(
    load: str, users: str, size: int, seed: int, options: Options, times: tuple[int, int]
) -> Seen:
    seconds, warm_up_s = times
    given = ("--seconds", seconds, "--warm-up", warm_up_s)
    with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name:
        store = Path(name) / "store"
        shutil.copytree(corpus.prepared(options.work, size), store, symlinks=True)
        with serving(store) as server:
            seen: dict[str, Sent] = {}

            def send() -> None:
                seen["sent"] = send_to(server.url, *given, "--rate", RATES[load])

            sender = threading.Thread(target=send)
            if load in RATES:
                sender.start()
            asked = None
            if users in SEARCH_RATES:
                rate = SEARCH_RATES[users]
                asked = _ask(server.url, *given, "--rate", rate, "--traces", size, "--seed", seed)
            if load in RATES:
                sender.join()
            return Seen(seen.get("sent"), asked)


def _ask(url: str, *options: object) -> Asked:
    command = [sys.executable, "-m", "bench.searcher", url, *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Asked)


def _report_ingest(found: dict[tuple[str, str], list[Seen]], size: int) -> Iterator[Figure]:
    for load in RATES:
        rates = {
            users: [one.sent.spans_a_second for one in found[load, users] if one.sent]
            for users in PAUSES
        }
        for users, values in rates.items():
            yield _figure(f"ingest at {load}, {users}", "spans/s", values, size)
        for users in SEARCH_RATES:
            ratios = [
                beside / alone for beside, alone in zip(rates[users], rates[PAUSES[0]], strict=True)
            ]
            yield Figure(
                name=f"ingest at {load}, {users}: / without",
                subject="whence",
                unit="",
                values=ratios,
                at_least=1 / SLOWED_AT_MOST if users == "4 searches/s" else None,
                size=size,
            )


def _report_searches(found: dict[tuple[str, str], list[Seen]], size: int) -> Iterator[Figure]:
    for users in SEARCH_RATES:
        times = {load: [one.asked for one in found[load, users] if one.asked] for load in LOADS}
        for load, asked in times.items():
            yield _figure(f"{users}, {load}, median", "ms", [one.p50_ms for one in asked], size)
            yield _figure(f"{users}, {load}, p95", "ms", [one.p95_ms for one in asked], size)
        for load in RATES:
            pairs = zip(times[load], times[LOADS[0]], strict=True)
            yield Figure(
                name=f"{users}, {load}: / without, median",
                subject="whence",
                unit="",
                values=[beside.p50_ms / alone.p50_ms for beside, alone in pairs],
                at_most=SLOWED_AT_MOST if users == "4 searches/s" else None,
                size=size,
            )


def _figure(name: str, unit: str, values: list[float], size: int) -> Figure:
    return Figure(name=name, subject="whence", unit=unit, values=values, size=size)


SCENARIO = Scenario(
    name="together",
    title="Ingest and search beside each other",
    text=(
        "A server on a copy of the searched store; the sender of the scenario on durable ingest "
        "at 10,000 spans/s (half load) or as fast as it goes (full load), and four users who ask "
        "all kinds of searches in turn: together four a second, or without a pause. Sender, users "
        "and server share the machine's cores."
    ),
    run=measure,
)

if __name__ == "__main__":
    run_alone(SCENARIO)
