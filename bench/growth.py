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
from bench.ingest import send_something, serving
from bench.payloads import JSON, SDK, SPANS_A_TRACE

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROUNDS = 3  # each copies every store
NAME = "durable ingest"
_LISTED = "read newest first, and ended with the page: "
_INDEXED = "an inverted index names the granules, "
# By the name of the figure: why its line slopes as it does.
REASONS: dict[str, str] = {
    NAME: (
        "a row goes into a new part, whatever lies beside it; only the merges in the background "
        "know how large the store is"
    ),
    "newest": _LISTED + "the first granules hold it",
    "environment and version": (
        _INDEXED + "and of those the newest are read; a larger store has the same share of them"
    ),
    "version": _INDEXED + "and of those the newest are read",
    "commit": _INDEXED + "and of those the newest are read",
    "branch": _INDEXED + "and of those the newest are read",
    "session": _INDEXED + "of a few traces at every size; each part has an index to look into",
    "user": _INDEXED + "more of them for a user who has more traces in a larger store",
    "name and environment": _LISTED + "what is sought is frequent, so it lies near",
    "state and version": _INDEXED + "and 2 % of those have failed, so more of them are read",
    "version and user": _INDEXED + "of the user, whose versions are then compared one by one",
    "another metadata key, frequent": _INDEXED + "and of those the newest are read",
    "another metadata key, rare": _INDEXED + "of ten traces in a million: they grow with the store",
    "text in previews, frequent": (
        _INDEXED + "of all words, and the previews there are compared, newest first"
    ),
    "text in previews, rare": _INDEXED + "of all words; what is left is compared",
    "text in spans": (
        "spans have no such index: their texts are read, newest traces first, until the page is "
        "full; pairs of words are frequent"
    ),
    "one trace": "a Bloom filter per part and eight granules finds the row, the sort key its spans",
    "eight facets, no filter": (
        "the hours of thirty days are as many at every size, but users have nearly as many "
        "rows as traces: up to 2.5 million of them are counted, then a sample"
    ),
    "eight facets of an environment": "as without a filter",
    "eight facets of a version in production": "as without a filter",
    "eight facets of a tenant": (
        "no rollup knows the key: all traces of the tenant are counted, which grow with the store"
    ),
    "one facet of another metadata key": (
        "no rollup knows the key: it is read of all traces of the version, which grow with the "
        "store until a sample takes over"
    ),
    "versions of an environment": (
        "from rollups: as many rows as hours, versions and names, however many traces they count; "
        "ten million traces have ten times the versions"
    ),
    "versions of production": "as of any environment",
}


def run(options: Options) -> Iterator[Figure]:
    """Send to a copy of each store, as fast as it goes; yield microseconds a trace."""
    found: dict[int, list[float]] = {size: [] for size in options.sizes}
    rounds = min(options.rounds, MAX_ROUNDS)
    for number, size in alternate(options.sizes, rounds, warm_up=not options.quick):
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
            sent = send_something(server.url, *load)
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
