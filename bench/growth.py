"""What the ingest of a trace costs as the store grows; and why each line has its slope.

    python -m bench --only growth --sizes 10000,1000000

The searches of the same picture are measured by `bench/search.py` and `bench/facets.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import corpus
from bench.harness import Figure, Options, Scenario, alternate
from bench.ingest import send_to, serving
from bench.payloads import JSON, SDK, SPANS_A_TRACE

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROUNDS = 3  # each copies every store
NAME = "durable ingest"
# By the name of the figure: why its line slopes as it does.
REASONS: dict[str, str] = {
    NAME: (
        "a row goes into a new part, whatever lies beside it; only the merges in the background "
        "know how large the store is"
    ),
}


def run(options: Options) -> Iterator[Figure]:
    """Send to a copy of each store, as fast as it goes; yield microseconds a trace."""
    found: dict[int, list[float]] = {size: [] for size in options.sizes}
    for number, size in alternate(options.sizes, min(options.rounds, MAX_ROUNDS)):
        if number:  # every server is fresh and every sender warms up
            found[size].append(_measure(size, options))
    for size, values in found.items():
        yield Figure(name=NAME, subject="whence", unit="µs a trace", values=values, size=size)


def _measure(size: int, options: Options) -> float:
    seconds = 1 if options.quick else 8
    with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name:
        store = Path(name) / "store"
        shutil.copytree(corpus.prepared(options.work, size), store, symlinks=True)
        with serving(store) as server:
            load = ("--encoding", JSON, "--dialect", SDK, "--seconds", seconds, "--warm-up", 2)
            sent = send_to(server.url, *load)
    return 1e6 * SPANS_A_TRACE / sent.spans_a_second


SCENARIO = Scenario(
    name="growth",
    title="Ingest into a growing store",
    text=(
        "The sender of the scenario on durable ingest (OTLP/JSON, as Whence's SDK sends) sends "
        "for some seconds to a copy of a store that already holds so many traces."
    ),
    run=run,
)
