"""Traces with MLflow, to its own tracking server; see `bench/traced/driver.py`.

Asynchronous trace logging with a batch processor is its default, and what its page on tracing in
production says; so are ten workers. Its queue of traces holds more than the default 1,000, so that
none is dropped. Its batch processor's queue cannot be set: 2,048 spans, so a round is short.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true"
os.environ["MLFLOW_ASYNC_TRACE_LOGGING_MAX_QUEUE_SIZE"] = "100000"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("mlflow")
ATTRIBUTES = "inputs and outputs"


def setup(url: str) -> None:
    mlflow.set_tracking_uri(url)
    mlflow.set_experiment("bench")


def decorate(function: Callable[..., Any], kind: str = "") -> Callable[..., Any]:
    traced: Callable[..., Any] = (
        mlflow.trace(function, span_type=kind) if kind else mlflow.trace(function)
    )
    return traced


def say(metadata: dict[str, str]) -> None:
    mlflow.update_current_trace(metadata=metadata)


def finish() -> None:
    mlflow.flush_trace_async_logging()


disable = mlflow.tracing.disable
