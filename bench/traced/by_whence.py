"""Traces with Whence; see `driver.py`."""

from __future__ import annotations

from importlib.metadata import version

import whence

VERSION = version("whence")
ATTRIBUTES = "inputs and outputs"

decorate = whence.trace


def setup(url: str) -> None:
    whence.configure(url=url)


def say(metadata: dict[str, str]) -> None:
    whence.update_current_trace(metadata=metadata)


def finish() -> None:
    if not whence.flush(60):
        raise SystemExit(f"not delivered: {whence.tracing.stats()}")


def lost() -> int:
    return whence.tracing.stats().dropped


disable = whence.tracing.disable
