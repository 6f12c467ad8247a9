"""A store of realistic shape, written through the store's own insert path.

    python -m bench.corpus DIRECTORY [--traces 1000000]

Thirty days of an application up to now: 3 environments (85 % production), 40 versions that follow
each other in time (400 above 5 million traces), two commits a version, ten metadata keys, a fifth
of the traces in sessions of about six, users drawn by a power law, durations log-normal, 2 %
errors, previews of a sentence with the number of an order in it (one of 100,000).

It is not cleaner than a store that programs fill: 5 % of the rows are delivered once more later,
1 % are superseded by a row that differs (an error that was noticed late), 0.2 % have moved to an
earlier time and left a tombstone, and of the newest, one in 500 (5,000 at most) has not ended.
Every tenth trace has its five spans, 1 % a tag and 1 % a judgement that were written afterwards.

The same seed gives the same traces, apart from the time they end at.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.store.connection import Store, open_store
from whence.store.rows import AssessmentRow, SpanRow, TagRow, TraceRow

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM = 3  # of what is written; a store of another form is filled anew
EXPERIMENT_ID = "1"
BATCH = 50_000  # few parts, so that less is merged
SPANS_EVERY = 10
DAYS_MS = 30 * 86_400_000
ENVIRONMENTS = (("production", 85), ("staging", 10), ("development", 5))
MODELS = ("small-2026-05", "small-2026-09", "large-2026-03", "large-2026-10")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-south-1")
NAMES = ("answer", "summarise", "route", "retrieve_and_answer", "classify", "extract")
_TOPICS = """
    refund order delivery invoice password account shipping address cancel subscription price
    discount return warranty broken late missing exchange payment card error login reset help
"""
WORDS = _TOPICS.split()
ORDERS = 100_000
SPAN_NAMES = ("answer", "retrieve", "embed", "rank", "generate")


def version_names(traces: int) -> list[str]:
    """Return the versions in the order they were deployed."""
    count = 400 if traces > 5_000_000 else 40
    return [f"2.{number // 10}.{number % 10}" for number in range(count)]


def make_traces(traces: int, seed: int = 7) -> Iterator[TraceRow]:
    """Yield the rows of `traces`, oldest first, ending now."""
    draw = random.Random(seed)
    chance, choice = draw.random, draw.choice
    versions = version_names(traces)
    users = max(traces // 100, 10)
    environments = [name for name, _ in ENVIRONMENTS]
    weights = [weight for _, weight in ENVIRONMENTS]
    # Sentences are put together from parts, which costs a third of drawing every word.
    parts = [" ".join(draw.choices(WORDS, k=4)) for _ in range(20_000)]
    start_ms = time.time_ns() // 1_000_000 - DAYS_MS
    for number in range(traces):
        at = number / traces
        newest = at * len(versions)
        # A new version reaches development first, and production a version later.
        environment = draw.choices(environments, weights)[0]
        version = versions[max(0, int(newest - environments.index(environment) % 2 - 1))]
        error = chance() < 0.02
        tokens = 200 + int(chance() * 3800), 20 + int(chance() * 780)
        request_time_ms = start_ms + int(at * DAYS_MS)
        yield TraceRow(
            experiment_id=EXPERIMENT_ID,
            trace_id=trace_id(number),
            request_time_ms=request_time_ms,
            duration_ns=int(draw.lognormvariate(20.5, 0.8)),
            state="ERROR" if error else "OK",
            trace_name=choice(NAMES),
            environment=environment,
            metadata_environment=environment,
            app_version=version,
            commit=f"{hash_of(version, int(chance() * 2)):040x}",
            branch="main" if environment != "development" else f"feature-{number % 37}",
            session=f"session-{number // 30}" if chance() < 0.2 else None,
            user=f"user-{int(users * chance() ** 3)}",
            metadata={
                semconv.SOURCE_NAME: "shop.main:app",
                semconv.SOURCE_TYPE: "LOCAL",
                semconv.GIT_REPO_URL: "https://git.example.org/shop.git",
                semconv.USER: "app",
                semconv.REGION: choice(REGIONS),
                semconv.DEPLOYMENT_ID: f"deploy-{version}-{environment}",
                "host.name": f"node-{int(chance() * 24)}",
                "tenant": f"tenant-{int(400 * chance() ** 2)}",
                "flag_new_ranker": str(chance() < 0.5),
                "request_size": str(100 + int(chance() * 99_900)),
            },
            request_preview=f"{choice(parts)} {choice(parts)} order {int(chance() * ORDERS)} "
            f"{choice(parts)}",
            response_preview=" ".join([choice(parts) for _ in range(5)]),
            span_count=len(SPAN_NAMES),
            error_count=int(error),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            total_tokens=sum(tokens),
            cost_usd=(tokens[0] + 4 * tokens[1]) / 1e6,
            size_bytes=4000,
            models=[choice(MODELS)],
            version=request_time_ms * 1000 + number % 1000,
        )


def make_spans(trace: TraceRow) -> list[SpanRow]:
    """Return the five spans of a trace."""
    start_ns = trace.request_time_ms * 1_000_000
    length_ns = trace.duration_ns or 0
    root_id = trace.trace_id[-16:]
    return [
        SpanRow(
            experiment_id=trace.experiment_id,
            trace_id=trace.trace_id,
            span_id=root_id if index == 0 else f"{int(root_id, 16) ^ index:016x}",
            parent_id="" if index == 0 else root_id,
            name=name,
            span_type="LLM" if name == "generate" else "CHAIN",
            kind="INTERNAL",
            start_time_ns=start_ns + index * length_ns // 5,
            end_time_ns=start_ns + (length_ns if index == 0 else (index + 1) * length_ns // 5),
            status="ERROR" if trace.state == "ERROR" and index in (0, 4) else "OK",
            inputs=f'{{"question":"{trace.request_preview}"}}',
            outputs=f'"{trace.response_preview}"',
            resource_json=f'{{"service.version":"{trace.app_version}"}}',
            model=trace.models[0] if name == "generate" else "",
            size_bytes=800,
            received_at_us=trace.request_time_ms * 1000,
            version=trace.version,
        )
        for index, name in enumerate(SPAN_NAMES)
    ]


@lru_cache(maxsize=4096)
def hash_of(*parts: object) -> int:
    """Return a number of 160 bits that looks random and is not."""
    return random.Random(repr(parts)).getrandbits(160)


def trace_id(number: int) -> str:
    """Return the id of the trace with this number."""
    return f"tr-{(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


class _Batch:
    """Rows by table, inserted together; what happens to a trace later waits for the next batch."""

    def __init__(self, store: Store, traces: int) -> None:
        self._store = store
        self._draw = random.Random(traces)
        self._open_from = traces - min(traces // 500, 5000) * 20
        self._rows: dict[str, list[msgspec.Struct]] = {}
        self._later: dict[str, list[msgspec.Struct]] = {}

    def add(self, number: int, trace: TraceRow) -> None:
        if number % SPANS_EVERY == 0:
            self._put("spans", *make_spans(trace))
        if number >= self._open_from and number % 20 == 1:
            running = msgspec.structs.replace(trace, state="IN_PROGRESS", duration_ns=None)
            self._put("open_traces", running)
            return
        self._put("traces", trace)
        if number % 100 == 3:
            self._put("tags", TagRow(trace_id=trace.trace_id, key="reviewed", value="yes"))
        if number % 100 == 4:
            judged = AssessmentRow(
                trace_id=trace.trace_id,
                assessment_id=f"a-{number:x}",
                name="correct",
                kind="feedback",
                value="true",
                source_type="HUMAN",
                create_time_ms=trace.request_time_ms + 60_000,
                last_update_time_ms=trace.request_time_ms + 60_000,
            )
            self._put("assessments", judged)
        chance = self._draw.random()
        if chance < 0.062:
            self._later.setdefault("traces", []).extend(_later_rows(trace, chance))

    def _put(self, table: str, *rows: msgspec.Struct) -> None:
        self._rows.setdefault(table, []).extend(rows)

    def insert(self) -> None:
        for table, rows in self._rows.items():
            self._store.insert(table, rows)
        self._rows, self._later = self._later, {}


def _later_rows(trace: TraceRow, chance: float) -> list[TraceRow]:
    version = trace.version + 30_000_000
    if chance < 0.05:
        return [msgspec.structs.replace(trace, version=version)]
    if chance < 0.06:
        return [msgspec.structs.replace(trace, version=version, state="ERROR", error_count=1)]
    earlier = trace.request_time_ms - 40
    return [
        msgspec.structs.replace(trace, version=version, deleted=1),
        msgspec.structs.replace(trace, version=version + 1, request_time_ms=earlier),
    ]


def fill(store: Store, traces: int) -> None:
    """Insert the corpus."""
    batch = _Batch(store, traces)
    for number, trace in enumerate(make_traces(traces)):
        batch.add(number, trace)
        if number % BATCH == BATCH - 1:
            batch.insert()
    batch.insert()
    batch.insert()


def prepared(work: Path, traces: int) -> Path:
    """Return the directory of a store with this many traces; it is filled once, and then reused.

    Whoever writes into it works on a copy.
    """
    directory = work / f"corpus-{traces}"
    stamp = directory / "corpus.json"
    wanted = {"form": FORM, "traces": traces}
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    command = [sys.executable, "-m", "bench.corpus", str(directory), "--traces", str(traces)]
    subprocess.run(command, check=True, stdout=sys.stderr)  # an engine takes one store a process
    stamp.write_text(json.dumps(wanted))
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--traces", type=int, default=1_000_000)
    options = parser.parse_args()
    started = time.perf_counter()
    with open_store(str(options.directory)) as store:
        fill(store, options.traces)
    elapsed_s = time.perf_counter() - started
    print(f"{options.traces} traces in {elapsed_s:.0f} s")


if __name__ == "__main__":
    main()
