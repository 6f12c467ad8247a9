"""Traces with Whence; see `driver.py`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import whence

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = version("whence")
ATTRIBUTES = "inputs and outputs"


def setup(url: str) -> None:
    whence.configure(url=url)


def decorate(function: Callable[..., Any], kind: str = "") -> Callable[..., Any]:
    return whence.trace(function, span_type=kind) if kind else whence.trace(function)


def say(metadata: dict[str, str]) -> None:
    whence.update_current_trace(metadata=metadata)


def finish() -> None:
    if not whence.flush(60):
        raise SystemExit(f"not delivered: {whence.tracing.stats()}")


def lost() -> int:
    return whence.tracing.stats().dropped


disable = whence.tracing.disable
