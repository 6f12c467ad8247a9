"""What happened during a span, and what a span points to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SpanEvent:
    """A named moment. `timestamp` is nanoseconds since the epoch."""

    name: str
    timestamp: int = field(default_factory=time.time_ns)
    attributes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_exception(cls, exception: BaseException) -> SpanEvent:
        """Build OpenTelemetry's `exception` event. An exception that can't be printed is named."""
        return cls(name="exception", attributes=describe_exception(exception))

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        return {
            "name": self.name,
            "time_unix_nano": self.timestamp,
            "attributes": dict(self.attributes),
        }


def describe_exception(exception: BaseException) -> dict[str, str]:
    """Return the attributes `exception.type`, `.message` and `.stacktrace`; never raise."""
    import traceback

    kind = type(exception)
    module = kind.__module__
    name = kind.__qualname__
    try:
        message = str(exception)
    except Exception as problem:  # noqa: BLE001 - a user's __str__ may raise anything
        message = f"<{name} whose __str__ raised {type(problem).__name__}>"
    try:
        stack = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    except Exception:  # noqa: BLE001 - formatting calls the user's __str__ too
        stack = "".join(traceback.format_tb(exception.__traceback__))
    return {
        "exception.type": name if module == "builtins" else f"{module}.{name}",
        "exception.message": message,
        "exception.stacktrace": stack,
    }


@dataclass
class Link:
    """A pointer to a span of this or another trace."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        return {"trace_id": self.trace_id, "span_id": self.span_id, "attributes": self.attributes}
