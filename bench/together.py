"""What ingest and search take from each other, on one server and two cores.

    python -m bench.together [--quick]
    python -m bench --only together --sizes 1000000

The users search a copy of the store of `bench.search`; the sender is the one of `bench.ingest`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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
    # Every server is fresh, and everybody warms up; a quick run takes one server for all.
    with _served(size, options) if options.quick else contextlib.nullcontext() as shared:
        for number, (load, users) in alternate(runs, rounds, warm_up=False):
            with contextlib.nullcontext(shared) if shared else _served(size, options) as url:
                found[load, users].append(_run(url, load, users, size, number, options.quick))
    yield from _report_ingest(found, size)
    yield from _report_searches(found, size)


def corpus_size(options: Options) -> int:
    """Return the traces in the store where nobody asks for a size."""
    return 2_000 if options.quick else DEFAULT_SIZE


@contextlib.contextmanager
def _served(size: int, options: Options) -> Iterator[str]:
    """Run a server on a copy of the store; yield its URL."""
    with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name:
        store = Path(name) / "store"
        shutil.copytree(corpus.prepared(options.work, size), store, symlinks=True)
        with serving(store) as server:
            yield server.url


def _run(url: str, load: str, users: str, size: int, seed: int, quick: bool) -> Seen:
    for seconds, warm_up_s in QUICK_TIMES if quick else TIMES:
        given = ("--seconds", seconds, "--warm-up", warm_up_s)
        asking = ("--rate", SEARCH_RATES.get(users, 0), "--traces", size, "--seed", seed)
        with ThreadPoolExecutor() as threads:
            sent = asked = None
            if load in RATES:
                sent = threads.submit(send_to, url, *given, "--rate", RATES[load])
            if users in SEARCH_RATES:
                asked = threads.submit(_ask, url, *given, *asking)
        seen = Seen(sent and sent.result(), asked and asked.result())
        if seen.is_whole:
            return seen
    raise RuntimeError(
        f"within {seconds} s of {load} beside {users} nothing was acknowledged, or no search was "
        f"answered: {seen}"
    )


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
