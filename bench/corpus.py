"""A store of realistic shape, written through the store's own insert path.

    python -m bench.corpus DIRECTORY [--traces 1000000] [--spans-every 50]

Thirty days of an application up to now: 3 environments (85 % production), 40 versions that follow
each other in time (400 above 5 million traces), two commits a version, ten metadata keys, a fifth
of the traces in sessions of about six, users drawn by a power law, durations log-normal, 2 %
errors, previews of a sentence. Every `--spans-every`-th trace has its five spans.
The same seed gives the same traces, apart from the time they end at.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from whence import semconv
from whence.store.connection import Store, open_store
from whence.store.rows import SpanRow, TraceRow

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPERIMENT_ID = "1"
BATCH = 20_000
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
SPAN_NAMES = ("answer", "retrieve", "embed", "rank", "generate")


def version_names(traces: int) -> list[str]:
    """Return the versions in the order they were deployed."""
    count = 400 if traces > 5_000_000 else 40
    return [f"2.{number // 10}.{number % 10}" for number in range(count)]


def make_traces(traces: int, seed: int = 7) -> Iterator[TraceRow]:
    """Yield the rows of `traces`, oldest first, ending now."""
    draw = random.Random(seed)
    versions = version_names(traces)
    users = max(traces // 100, 10)
    environments = [name for name, _ in ENVIRONMENTS]
    weights = [weight for _, weight in ENVIRONMENTS]
    start_ms = time.time_ns() // 1_000_000 - DAYS_MS
    for number in range(traces):
        at = number / traces
        newest = at * len(versions)
        # A new version reaches development first, and production a version later.
        environment = draw.choices(environments, weights)[0]
        version = versions[max(0, int(newest - environments.index(environment) % 2 - 1))]
        commit = f"{hash_of(version, draw.randrange(2)):040x}"
        user = f"user-{int(users * draw.random() ** 3)}"
        error = draw.random() < 0.02
        tokens = draw.randrange(200, 4000), draw.randrange(20, 800)
        yield TraceRow(
            experiment_id=EXPERIMENT_ID,
            trace_id=trace_id(number),
            request_time_ms=start_ms + int(at * DAYS_MS),
            duration_ns=int(draw.lognormvariate(20.5, 0.8)),
            state="ERROR" if error else "OK",
            trace_name=draw.choice(NAMES),
            environment=environment,
            metadata_environment=environment,
            app_version=version,
            commit=commit,
            branch="main" if environment != "development" else f"feature-{number % 37}",
            session=f"session-{number // 30}" if draw.random() < 0.2 else None,
            user=user,
            metadata={
                semconv.SOURCE_NAME: "shop.main:app",
                semconv.SOURCE_TYPE: "LOCAL",
                semconv.GIT_REPO_URL: "https://git.example.org/shop.git",
                semconv.USER: "app",
                semconv.REGION: draw.choice(REGIONS),
                semconv.DEPLOYMENT_ID: f"deploy-{version}-{environment}",
                "host.name": f"node-{draw.randrange(24)}",
                "tenant": f"tenant-{int(400 * draw.random() ** 2)}",
                "flag_new_ranker": str(draw.random() < 0.5),
                "request_size": str(draw.randrange(100, 100_000)),
            },
            request_preview=" ".join(draw.choices(WORDS, k=12)),
            response_preview=" ".join(draw.choices(WORDS, k=20)),
            span_count=len(SPAN_NAMES),
            error_count=int(error),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            total_tokens=sum(tokens),
            cost_usd=(tokens[0] + 4 * tokens[1]) / 1e6,
            size_bytes=4000,
            models=[draw.choice(MODELS)],
            version=1,
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
            resource={"service.version": f'"{trace.app_version}"'},
            model=trace.models[0] if name == "generate" else "",
            size_bytes=800,
            received_at_us=trace.request_time_ms * 1000,
            version=1,
        )
        for index, name in enumerate(SPAN_NAMES)
    ]


def hash_of(*parts: object) -> int:
    """Return a number of 160 bits that looks random and is not."""
    return random.Random(repr(parts)).getrandbits(160)


def trace_id(number: int) -> str:
    """Return the id of the trace with this number."""
    return f"tr-{(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def fill(store: Store, traces: int, spans_every: int = 50) -> None:
    """Insert the corpus."""
    rows: list[TraceRow] = []
    spans: list[SpanRow] = []
    for number, trace in enumerate(make_traces(traces)):
        rows.append(trace)
        if number % spans_every == 0:
            spans += make_spans(trace)
        if len(rows) == BATCH:
            store.insert("traces", rows)
            store.insert("spans", spans)
            rows, spans = [], []
    store.insert("traces", rows)
    store.insert("spans", spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--spans-every", type=int, default=50)
    options = parser.parse_args()
    started = time.perf_counter()
    with open_store(str(options.directory)) as store:
        fill(store, options.traces, options.spans_every)
    elapsed_s = time.perf_counter() - started
    print(f"{options.traces} traces in {elapsed_s:.0f} s")


if __name__ == "__main__":
    main()
