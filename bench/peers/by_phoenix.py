"""Traces with Phoenix's set-up of OpenTelemetry, to its own server; see `bench/traced/driver.py`.

`register(batch=True)` is what its documentation says for production; `tracer.chain` captures
arguments and result, and knows no other kind of step for any function; `metadata` is
OpenInference's attribute for it.
The queue holds more than the default 2,048 spans, so that none is dropped.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = "100000"

from opentelemetry import trace
from phoenix.otel import register

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("arize-phoenix")
ATTRIBUTES = "inputs and outputs"

tracers: list[Any] = []
providers: list[Any] = []


def setup(url: str) -> None:
    provider = register(
        endpoint=f"{url}/v1/traces",
        protocol="http/protobuf",
        project_name="bench",
        batch=True,
        verbose=False,
    )
    providers.append(provider)
    tracers.append(provider.get_tracer("bench"))


def decorate(function: Callable[..., Any], kind: str = "") -> Callable[..., Any]:  # noqa: ARG001
    traced: Callable[..., Any] = tracers[0].chain(function)
    return traced


def say(metadata: dict[str, str]) -> None:
    trace.get_current_span().set_attribute("metadata", json.dumps(metadata))


def finish() -> None:
    if not providers[0].force_flush(60_000):
        raise SystemExit("not delivered")
