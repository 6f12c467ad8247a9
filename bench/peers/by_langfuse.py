"""Traces with Langfuse's SDK, aimed at a stand-in for its server; see `bench/traced/driver.py`.

Langfuse's server is not installable from a package registry, so another OTLP endpoint takes the
spans: what is measured is the SDK alone. It exports through its own batch processor over OTLP, as
it does by default, only to another path; the keys are made up, nobody checks them. `@observe`
captures arguments and result by itself; the metadata is set on the current span, the root's.
The queue holds more than the default 2,048 spans, so that none is dropped.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = "100000"
os.environ["LANGFUSE_OTEL_TRACES_EXPORT_PATH"] = "v1/traces"

from langfuse import Langfuse, observe

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("langfuse")
ATTRIBUTES = "inputs and outputs"

clients: list[Langfuse] = []


def setup(url: str) -> None:
    clients.append(Langfuse(public_key="pk-bench", secret_key="sk-bench", base_url=url))


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    traced: Callable[..., Any] = observe()(function)
    return traced


def say(metadata: dict[str, str]) -> None:
    clients[0].update_current_span(metadata=metadata)


def finish() -> None:
    clients[0].flush()
