"""Traces with Logfire, exporting over OTLP to another backend; see `bench/traced/driver.py`.

As its guide to alternative backends says: nothing to Logfire's own servers, a `BatchSpanProcessor`
with the OTLP exporter among `additional_span_processors`. `@logfire.instrument` captures the
arguments by itself, and the result with `record_return=True`. Metadata are two span attributes.
The queue holds more than the default 2,048 spans, so that none is dropped.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import logfire
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("logfire")
ATTRIBUTES = "inputs and outputs"


def setup(url: str) -> None:
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name="bench",
        metrics=False,
        additional_span_processors=[BatchSpanProcessor(exporter, max_queue_size=100_000)],
    )


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    traced: Callable[..., Any] = logfire.instrument(function.__name__, record_return=True)(function)
    return traced


def say(metadata: dict[str, str]) -> None:
    trace.get_current_span().set_attributes(metadata)


def finish() -> None:
    if not logfire.force_flush(60_000):
        raise SystemExit("not delivered")
