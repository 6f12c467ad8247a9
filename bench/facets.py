"""How long facets and the table of versions take over HTTP, as the store grows.

    python -m bench.facets [--quick] [--rounds 15] [--work FOLDER] [--sizes 10000,1000000]

A real `whence server` runs on a store of every size that `bench.corpus` filled, after its hours
have been rolled up once (`hours rolled up` says how long that took). Each question is asked with
another value in every round, and the kinds take turns.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving
from bench.search import Draw, Values, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WARM_UP = 2  # rounds that are not counted
MILLION = 1_000_000
HTTP_OK = 200
FACETS, VERSIONS = (80, 300), (30, 100)  # promised milliseconds at 1 and 10 million traces
ROLL_UP = """
import json, sys, time
from whence.ingest.rollups import Roller
from whence.store.connection import open_store
with open_store(sys.argv[1]) as store:
    started = time.perf_counter()
    with Roller(store) as roller:
        if not roller.settle(600):
            raise SystemExit("the hours were not rolled up within ten minutes")
    print(json.dumps(time.perf_counter() - started))
"""


class Question(msgspec.Struct, frozen=True):
    """Something asked; `at_most` is promised at 1 and 10 million traces."""

    name: str
    path: Draw
    at_most: tuple[float, float] | None = None


def _facets(filter_of: Draw, **options: str) -> Draw:
    def path(draw: random.Random, values: Values) -> str:
        asked = {"filter": filter_of(draw, values), "experiment_id": corpus.EXPERIMENT_ID}
        return "/api/v1/facets?" + urlencode({**asked, **options})

    return path


def _versions(draw: random.Random, _: Values) -> str:
    environment = draw.choice(corpus.ENVIRONMENTS)[0]
    return "/api/v1/versions?" + urlencode(
        {"environment": environment, "experiment_id": corpus.EXPERIMENT_ID}
    )


def _production(draw: random.Random, _: Values) -> str:
    limit = draw.randrange(90, 110)
    asked = {"environment": "production", "experiment_id": corpus.EXPERIMENT_ID}
    return "/api/v1/versions?" + urlencode({**asked, "max_versions": limit})


QUESTIONS = (
    Question("eight facets, no filter", _facets(lambda *_: ""), FACETS),
    Question(
        "eight facets of an environment",
        _facets(lambda draw, _: f"environment = '{draw.choice(corpus.ENVIRONMENTS)[0]}'"),
        FACETS,
    ),
    Question(
        "eight facets of a version in production",
        _facets(
            lambda draw, values: (
                f"environment = 'production' AND app_version = '{values.version(draw)}'"
            )
        ),
        FACETS,
    ),
    Question(
        "eight facets of a tenant",
        _facets(lambda draw, _: f"metadata.tenant = 'tenant-{draw.randrange(400)}'"),
    ),
    Question(
        "one facet of another metadata key",
        _facets(
            lambda draw, values: f"app_version = '{values.version(draw)}'", fields="metadata.tenant"
        ),
    ),
    Question("versions of an environment", _versions, VERSIONS),
    Question("versions of production", _production, VERSIONS),
)


def run(options: Options) -> Iterator[Figure]:
    """Ask everything of a store of each size; yield milliseconds a question."""
    for size in options.sizes:
        directory = corpus.prepared(options.work, size)
        rolled_s = roll_up(directory)
        with serving(directory) as server:
            found, sampled = measure(server.url, size, options.rounds)
        yield Figure(
            name="hours rolled up",
            subject="whence",
            unit="s",
            values=[rolled_s],
            size=size,
            note="the first time, beside nothing else, half of it resting; 0 where it was done",
        )
        bound = {MILLION: 0, 10 * MILLION: 1}.get(size)
        for question in QUESTIONS:
            promised = question.at_most and bound is not None
            yield Figure(
                name=question.name,
                subject="whence",
                unit="ms",
                values=found[question.name],
                at_most=question.at_most[bound] if promised else None,  # type: ignore[index]
                size=size,
                note="some counts are of a marked sample" if question.name in sampled else "",
            )


def roll_up(directory: Path) -> float:
    """Roll up a store's hours in a process of their own; return the seconds."""
    command = [sys.executable, "-c", ROLL_UP, str(directory)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(url: str, traces: int, rounds: int) -> tuple[dict[str, list[float]], set[str]]:
    """Ask every question once a round; return milliseconds by name, and which were sampled."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    draw = random.Random(11)
    values = Values(traces, corpus.version_names(traces))
    times: dict[str, list[float]] = {question.name: [] for question in QUESTIONS}
    sampled: set[str] = set()
    for number in range(rounds + WARM_UP):
        for question in QUESTIONS:
            path = question.path(draw, values)
            started = time.perf_counter()
            status, body = fetch(connection, path)
            elapsed_ms = (time.perf_counter() - started) * 1000
            if status != HTTP_OK:
                raise RuntimeError(f"{path}: {status} {body[:300]!r}")
            if json.loads(body).get("sampled"):
                sampled.add(question.name)
            if number >= WARM_UP:
                times[question.name].append(elapsed_ms)
    return times, sampled


SCENARIO = Scenario(
    name="facets",
    title="Facets and versions as the store grows",
    text=(
        "The ten most frequent values of eight fields (environment, version, commit, branch, "
        "state, name, session, user) with their counts, and the table of versions of one "
        "environment, over HTTP on one connection, from the stores of the searches. Environment, "
        "version, commit, branch, state and name are counted from rollups of whole hours, exactly; "
        "so are sessions and users, but each from a sample that the answer marks where it has more "
        "than 2.5 million rows there."
    ),
    run=run,
)


if __name__ == "__main__":
    run_alone(SCENARIO, rounds=15)
