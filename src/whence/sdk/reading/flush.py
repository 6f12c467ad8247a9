"""Waiting for delivery, and what has been counted."""

from __future__ import annotations

from whence.sdk import diagnostics, runtime
from whence.sdk.delivery.stats import Stats as DeliveryStats

FLUSH_TIMEOUT_S = 30.0


class Stats(DeliveryStats):
    """The counts of delivery, and under `problems` those of capture, by kind.

    Kinds are `internal_errors` (exceptions in Whence itself or in a span processor), `late_writes`
    (to a span or trace that had ended), `unsampled`, `unbound_arguments`, `non_string_metadata`, ….
    """

    problems: dict[str, int] = {}  # noqa: RUF012 - msgspec copies it


def stats() -> Stats:
    """Return what this process has recorded, delivered, kept for later and lost."""
    pipeline = runtime.running_pipeline()
    merged = Stats(problems=diagnostics.counts.copy(), drop_reasons={})
    if pipeline is not None:
        counted = pipeline.stats()
        for name in counted.__struct_fields__:
            setattr(merged, name, getattr(counted, name))
    return merged


def flush(timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
    """Wait until everything that ended has been delivered; return whether it has."""
    pipeline = runtime.running_pipeline()
    return True if pipeline is None else pipeline.flush(timeout_s)


def flush_trace_async_logging(terminate: bool = False) -> None:
    """Wait until everything that ended has been delivered; `terminate` stops the exporter too."""
    flush()
    if terminate:
        runtime.shut_down()


def flush_async_logging() -> None:
    """Wait until everything that ended has been delivered."""
    flush()
