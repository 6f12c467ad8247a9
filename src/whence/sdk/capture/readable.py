"""An ended span in the form that OpenTelemetry's processors and exporters read.

They are given `on_end(span)` and read `span.context`, `span.attributes`, `span.resource`, …. Where
MLflow's names mean something else (`status`, `events`, `kind`), OpenTelemetry's meaning holds
here; everything else is the live span's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.trace import SpanKind, Status, StatusCode

from whence import semconv
from whence.sdk.capture import values as capture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

    from whence.sdk.capture.span import LiveSpan

PRIMITIVES = (str, bool, int, float, bytes)


class Scope(NamedTuple):
    """An instrumentation library."""

    name: str
    version: str | None = None
    schema_url: str | None = None
    entries: tuple[tuple[str, Any], ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        """What the library said about itself."""
        return dict(self.entries)


class ProcessResource:
    """The process's context as OpenTelemetry's resource."""

    schema_url = ""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes that Whence's own exporter sends."""
        from whence.sdk.context.process import resource_attributes

        return resource_attributes()

    def to_json(self, indent: int | None = 4) -> str:
        """Return the attributes as JSON."""
        import json

        return json.dumps({"attributes": dict(self.attributes), "schema_url": ""}, indent=indent)


RESOURCE = ProcessResource()
NO_SCOPE = Scope("whence")


class ReadableEvent(NamedTuple):
    """What happened during a span."""

    name: str
    timestamp: int
    attributes: dict[str, Any]
    dropped_attributes: int = 0


class ReadableSpan:
    """An ended span, to read."""

    dropped_attributes = dropped_events = dropped_links = 0
    resource = RESOURCE

    def __init__(self, span: LiveSpan) -> None:
        self._span = span

    def __getattr__(self, name: str) -> Any:
        return getattr(self._span, name)

    @property
    def context(self) -> SpanContext:
        """The span's ids."""
        return self._span.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The parent's ids, or None for a root."""
        parent = self._span.parent_span
        return None if parent is None else parent.get_span_context()

    @property
    def kind(self) -> SpanKind:
        """The kind, an enum."""
        return SpanKind[self._span.kind]

    @property
    def start_time(self) -> int:
        """Nanoseconds since the epoch."""
        return self._span.start_time_ns

    @property
    def end_time(self) -> int | None:
        """Nanoseconds since the epoch."""
        return self._span.end_time_ns

    @property
    def status(self) -> Status:
        """The outcome."""
        status = self._span.status
        code = StatusCode[status.status_code.value]
        return Status(code, status.description or None if code is StatusCode.ERROR else None)

    @property
    def attributes(self) -> dict[str, Any]:
        """What goes over the wire; values that OpenTelemetry can't say as JSON text."""
        return as_primitives(self._span.to_record().attributes)

    @property
    def events(self) -> list[ReadableEvent]:
        """What happened meanwhile."""
        return [
            ReadableEvent(event.name, event.timestamp, as_primitives(event.attributes))
            for event in self._span.events
        ]

    @property
    def links(self) -> list[Any]:
        """Pointers to other spans."""
        from opentelemetry.trace import Link, SpanContext, TraceFlags

        flags = TraceFlags(TraceFlags.SAMPLED)
        return [
            Link(
                SpanContext(int(one.trace_id, 16), int(one.span_id, 16), True, flags),
                as_primitives(one.attributes),
            )
            for one in self._span.to_record().links
        ]

    @property
    def instrumentation_scope(self) -> Scope:
        """The library that made the span."""
        return getattr(self._span, "instrumentation_scope", NO_SCOPE)

    instrumentation_info = instrumentation_scope

    def to_json(self, indent: int | None = 4) -> str:
        """Return the span as JSON text."""
        import json

        return json.dumps(self._span.to_dict(), indent=indent)


def as_primitives(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes whose values OpenTelemetry can say; others become their JSON text."""
    return {
        key: value
        if isinstance(value, PRIMITIVES) or _is_plain_list(value)
        else capture.capture(value)[0].decode()
        for key, value in attributes.items()
        if value is not None and not key.startswith(semconv.PENDING)
    }


def _is_plain_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and {type(value[0])} == set(map(type, value))
        and (isinstance(value[0], PRIMITIVES))
    )
