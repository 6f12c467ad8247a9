"""What a span costs the traced program: Whence beside the OpenTelemetry SDK, in one run.

    python bench/calling_thread.py [--rounds 15] [--traces 400] [--json FILE]

Each round traces the same five nested functions `--traces` times with either library, the order
changing from round to round, and divides the time by the number of spans. Medians over the rounds
are printed, with the ratio. It is the calling thread that is timed (`time.thread_time_ns`, so
neither the exporter threads nor other processes count), and the wall clock beside it.

Both export for real: Whence with its pipeline, the SDK with a `BatchSpanProcessor` and its
OTLP/HTTP exporter, to a sink on loopback that answers every request with 200. Both record the same:
arguments and result as JSON on every span. OpenTelemetry has no such capture, so its function is
decorated by hand with `json.dumps`, and a row without any payload shows what that costs.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import statistics
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import whence

DEPTH = 5
MESSAGES = [{"role": "user", "content": "Where does this trace come from? " * 4}]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Sink(BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def nest(decorate: Decorator) -> Callable[..., Any]:
    """Return five functions, each decorated, each calling the next."""

    def leaf(messages, temperature=0.5):  # noqa: ARG001 - recorded, not used
        return {"answer": messages[0]["content"]}

    call = decorate(leaf)
    for _ in range(DEPTH - 1):
        call = decorate(calling(call))
    return call


def calling(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function like the leaf that calls `inner`, which is none of its arguments."""

    def step(messages, temperature=0.5):
        return inner(messages, temperature)

    return step


def by_otel(tracer: Any, *, payload: bool) -> Decorator:
    """Return a decorator that records a span with the SDK, with or without arguments and result."""

    def decorate(function):
        @functools.wraps(function)
        def call(messages, temperature=0.5):
            with tracer.start_as_current_span("step") as span:
                if payload:
                    span.set_attribute(
                        "input.value",
                        json.dumps({"messages": messages, "temperature": temperature}),
                    )
                result = function(messages, temperature)
                if payload:
                    span.set_attribute("output.value", json.dumps(result))
                return result

        return call

    return decorate


def by_whence(function: Callable[..., Any]) -> Callable[..., Any]:
    @whence.trace
    def step(messages, temperature=0.5):
        return function(messages, temperature)

    return step


def block_by_whence(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(messages, temperature=0.5):
        with whence.start_span("step"):
            return function(messages, temperature)

    return call


def measure(call: Callable[..., Any], traces: int) -> tuple[float, float]:
    """Return (calling thread's CPU, wall clock) in microseconds a span."""
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    for _ in range(traces):
        call(MESSAGES)
    cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    return cpu / traces / DEPTH / 1000, wall / traces / DEPTH / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--traces", type=int, default=400)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{sink.server_address[1]}"
    whence.configure(url=url)
    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces"), max_queue_size=100_000)
    )
    tracer = provider.get_tracer("bench")

    candidates = {
        "no tracing": nest(
            lambda function: lambda messages, temperature=0.5: function(messages, temperature)
        ),
        "whence @trace, inputs and outputs": nest(by_whence),
        "opentelemetry-sdk, inputs and outputs": nest(by_otel(tracer, payload=True)),
        "whence start_span, no payload": nest(block_by_whence),
        "opentelemetry-sdk, no payload": nest(by_otel(tracer, payload=False)),
    }
    timings: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for call in candidates.values():
        measure(call, 50)
    for number in range(options.rounds):
        order = list(candidates)
        for name in order if number % 2 else reversed(order):
            timings[name].append(measure(candidates[name], options.traces))
            whence.flush()
            provider.force_flush()

    medians = {
        name: {
            "cpu_us": statistics.median(cpu for cpu, _ in rounds),
            "wall_us": statistics.median(wall for _, wall in rounds),
        }
        for name, rounds in timings.items()
    }
    print(f"Python {platform.python_version()}, {options.rounds} rounds of {options.traces} traces")
    for name, one in medians.items():
        print(f"{name:40} {one['cpu_us']:8.2f} us CPU a span {one['wall_us']:8.2f} us wall")
    pairs = ("inputs and outputs", "whence @trace"), ("no payload", "whence start_span")
    ratios = {
        what: medians[f"opentelemetry-sdk, {what}"]["cpu_us"] / medians[f"{ours}, {what}"]["cpu_us"]
        for what, ours in pairs
    }
    for what, ratio in ratios.items():
        print(f"{what}: the SDK takes {ratio:.1f} times as long")
    print(whence.tracing.stats())
    if options.json:
        options.json.write_text(json.dumps({"medians": medians, "ratios": ratios}, indent=2) + "\n")
    provider.shutdown()
    sink.shutdown()


if __name__ == "__main__":
    main()
