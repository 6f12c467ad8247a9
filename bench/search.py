"""How long searches take over HTTP, as the store grows.

    python -m bench.search [--quick] [--rounds 15] [--work FOLDER] [--sizes 10000,1000000]

A real `whence server` runs on a store of every size that `bench.corpus` filled. Each kind of search
is asked with another value in every round, so that no cache answers, and the kinds take turns. The
engine's own cache of query conditions is off: the server switches it off for every search.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 100
WARM_UP = 2  # rounds that are not counted
MILLION = 1_000_000
HTTP_OK = 200

Draw = Callable[[random.Random, "Values"], str]


class Values(msgspec.Struct, frozen=True):
    """What a store of this size holds, to draw searches from."""

    traces: int
    versions: list[str]

    def version(self, draw: random.Random) -> str:
        return draw.choice(self.versions)

    def user(self, draw: random.Random) -> str:
        return f"user-{int(max(self.traces // 100, 10) * draw.random() ** 3)}"

    def session(self, draw: random.Random) -> str:
        return f"session-{draw.randrange(max(self.traces // 30, 1))}"

    def commit(self, draw: random.Random) -> str:
        return f"{corpus.hash_of(self.version(draw), draw.randrange(2)):040x}"


class Search(msgspec.Struct, frozen=True):
    """One kind of search, and the milliseconds that are promised at 1 and 10 million traces."""

    name: str
    path: Draw
    at_most: tuple[float, float] | None = None


def _found(filter_of: Draw) -> Draw:
    def path(draw: random.Random, values: Values) -> str:
        asked = {"filter": filter_of(draw, values), "max_results": PAGE}
        return "/api/v1/traces?" + urlencode({**asked, "experiment_id": corpus.EXPERIMENT_ID})

    return path


def _trace(draw: random.Random, values: Values) -> str:
    number = draw.randrange(max(values.traces // corpus.SPANS_EVERY, 1)) * corpus.SPANS_EVERY
    return f"/api/v1/traces/{corpus.trace_id(number)}"


MISSION, KEY, TEXT, ONE = (20, 60), (80, 400), (50, 150), (15, 40)
SEARCHES = (
    Search("newest", _found(lambda draw, _: f"execution_time_ms > {draw.randrange(100)}"), MISSION),
    Search(
        "environment and version",
        _found(
            lambda draw, values: (
                "metadata.environment = 'production' "
                f"AND metadata.app_version = '{values.version(draw)}'"
            )
        ),
        MISSION,
    ),
    Search(
        "version", _found(lambda draw, values: f"app_version = '{values.version(draw)}'"), MISSION
    ),
    Search("commit", _found(lambda draw, values: f"commit = '{values.commit(draw)}'"), MISSION),
    Search("branch", _found(lambda draw, _: f"branch = 'feature-{draw.randrange(37)}'"), MISSION),
    Search(
        "session",
        _found(lambda draw, values: f"metadata.`mlflow.trace.session` = '{values.session(draw)}'"),
        MISSION,
    ),
    Search(
        "user",
        _found(lambda draw, values: f"metadata.`mlflow.trace.user` = '{values.user(draw)}'"),
        MISSION,
    ),
    Search(
        "name and environment",
        _found(
            lambda draw, _: (
                f"name = '{draw.choice(corpus.NAMES)}' "
                f"AND environment = '{draw.choice(corpus.ENVIRONMENTS)[0]}' "
                f"AND execution_time_ms > {draw.randrange(1000)}"
            )
        ),
        MISSION,
    ),
    Search(
        "state and version",
        _found(lambda draw, values: f"state = 'ERROR' AND app_version = '{values.version(draw)}'"),
        MISSION,
    ),
    Search(
        "version and user",
        _found(
            lambda draw, values: (
                f"app_version >= '{values.version(draw)}' AND user = '{values.user(draw)}'"
            )
        ),
        MISSION,
    ),
    Search(
        "another metadata key, frequent",
        _found(lambda draw, _: f"metadata.tenant = 'tenant-{draw.randrange(400)}'"),
        KEY,
    ),
    Search(
        "another metadata key, rare",
        _found(lambda draw, _: f"metadata.request_size = '{draw.randrange(100, 100_000)}'"),
        KEY,
    ),
    Search(
        "text in previews, frequent",
        _found(
            lambda draw, _: (
                f"request_preview LIKE '%{draw.choice(corpus.WORDS)} {draw.choice(corpus.WORDS)}%'"
            )
        ),
        TEXT,
    ),
    Search(
        "text in previews, rare",
        _found(lambda draw, _: f"request_preview ILIKE '%Order {draw.randrange(corpus.ORDERS)} %'"),
        TEXT,
    ),
    Search(
        "text in spans",
        _found(
            lambda draw, _: (
                f"trace.text LIKE '%{draw.choice(corpus.WORDS)} {draw.choice(corpus.WORDS)}%'"
            )
        ),
    ),
    Search("one trace", _trace, ONE),
)


def run(options: Options) -> Iterator[Figure]:
    """Ask everything of a store of each size; yield milliseconds a search."""
    for size in options.sizes:
        directory = corpus.prepared(options.work, size)
        with serving(directory) as server:
            found = measure(server.url, size, options.rounds)
        for search in SEARCHES:
            bound = {MILLION: 0, 10 * MILLION: 1}.get(size)
            promised = search.at_most and bound is not None
            yield Figure(
                name=search.name,
                subject="whence",
                unit="ms",
                values=found[search.name],
                at_most=search.at_most[bound] if promised else None,  # type: ignore[index]
                size=size,
            )


def measure(url: str, traces: int, rounds: int) -> dict[str, list[float]]:
    """Ask every kind of search once a round; return milliseconds by name."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    draw = random.Random(11)
    values = Values(traces, corpus.version_names(traces))
    times: dict[str, list[float]] = {search.name: [] for search in SEARCHES}
    for number in range(rounds + WARM_UP):
        for search in SEARCHES:
            path = search.path(draw, values)
            started = time.perf_counter()
            status, body = fetch(connection, path)
            elapsed_ms = (time.perf_counter() - started) * 1000
            if status != HTTP_OK:
                raise RuntimeError(f"{path}: {status} {body[:300]!r}")
            if number >= WARM_UP:
                times[search.name].append(elapsed_ms)
    return times


def fetch(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Return status and body."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


SCENARIO = Scenario(
    name="search",
    title="Search as the store grows",
    text=(
        "The newest 100 traces of a filter, and one whole trace, over HTTP on one connection, from "
        "a store of realistic shape: ten metadata keys, 40 versions (400 at ten million), 3 "
        "environments, a fifth of the traces in sessions, skewed users; 5 % of the rows delivered "
        "twice, 1 % superseded, some still running. Every tenth trace has its five spans, and only "
        "these are asked for whole. Another value each time, the kinds of search take turns, the "
        "engine's cache of query conditions is off."
    ),
    run=run,
)


if __name__ == "__main__":
    run_alone(SCENARIO, rounds=15)
