"""Traces with the bare OpenTelemetry SDK: a batch processor, the OTLP exporter; see `driver.py`.

It captures no arguments: two attributes a span are all that it is asked for. Its queue holds more
than the default 2,048 spans, so that none is dropped.
"""

from __future__ import annotations

import functools
import inspect
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("opentelemetry-sdk")
ATTRIBUTES = "two attributes"

provider = TracerProvider()
tracer = provider.get_tracer("bench")


def setup(url: str) -> None:
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000))
    trace.set_tracer_provider(provider)


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    name = function.__name__

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(messages, temperature=0.5):
            with tracer.start_as_current_span(name) as span:
                span.set_attribute("gen_ai.operation.name", "chat")
                span.set_attribute("gen_ai.request.temperature", temperature)
                return await function(messages, temperature)

        return call_async

    @functools.wraps(function)
    def call(messages, temperature=0.5):
        with tracer.start_as_current_span(name) as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            span.set_attribute("gen_ai.request.temperature", temperature)
            return function(messages, temperature)

    return call


def say(metadata: dict[str, str]) -> None:
    """Say nothing: it has no metadata of traces."""


def finish() -> None:
    if not provider.force_flush(60_000):
        raise SystemExit("not delivered")
