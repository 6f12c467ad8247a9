"""What a span knows of itself while it is recorded, in MLflow's words and OpenTelemetry's.

`RecordedSpan` is the reading half of a span; `whence.sdk.capture.span` adds the writing half.
Values are kept as scalars or as JSON text (`msgspec.Raw`), and decoded when they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanContext, TraceFlags

from whence import entities, semconv
from whence.entities.span import Span
from whence.otlp.records import STATUS_NAMES, STATUS_UNSET
from whence.sdk.capture import active, ids
from whence.sdk.capture.record import PendingRoot, describe_span, load_value
from whence.sdk.capture.values import decode, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.otlp import records
    from whence.sdk.capture.active import ActiveTrace

SAMPLED = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
BARE_BYTES = 1_000


class RecordedSpan(OtelSpan, Span):
    """What is known of a span so far. The fields without a property are the SDK's own."""

    # Class-level defaults keep the constructor, which is on the hot path, short.
    _scope = ""
    _kind = "INTERNAL"
    _end_time_ns: int | None = None
    code = STATUS_UNSET
    code_message = ""
    inputs_json: bytes | None = None
    outputs_json: bytes | None = None
    level: int | None = None
    parent_span: OtelSpan | None = None
    parent_number = 0
    problems: tuple[str, ...] = ()
    _otel_context: SpanContext | None = None
    event_records: list[records.Event] | None = None
    link_records: list[records.Link] | None = None
    is_from_tracer = False
    size_bytes = BARE_BYTES

    def __init__(
        self,
        trace: ActiveTrace,
        name: str,
        parent: OtelSpan | None,
        parent_number: int,
        stored: dict[str, Any],
        start_time_ns: int | None = None,
    ) -> None:
        self.active_trace = trace
        self._name = name if type(name) is str else text_of(name)
        self.number = ids.sources.draw(64) or 1
        self.parent_span = parent
        self.parent_number = parent_number
        self.stored = stored
        self.generation = active.generation
        if start_time_ns is None:
            start_time_ns = ids.sources.monotonic_ns() + trace.clock_offset_ns
        self._start_time_ns = start_time_ns

    # --- reading ------------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """`tr-` and 32 hex digits."""
        return ids.format_trace_id(self.active_trace.trace_id)

    @property
    def request_id(self) -> str:
        """MLflow's older word for `trace_id`."""
        return self.trace_id

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return f"{self.number:016x}"

    @property
    def parent_id(self) -> str | None:
        """16 hex digits, or None for the root."""
        return f"{self.parent_number:016x}" if self.parent_number else None

    @property
    def status(self) -> entities.SpanStatus:
        """The outcome so far."""
        code = entities.SpanStatusCode(STATUS_NAMES[self.code])
        return entities.SpanStatus(code, self.code_message)

    @property
    def inputs(self) -> Any:
        """What went in, decoded from what was captured."""
        return None if self.inputs_json is None else decode(self.inputs_json)

    @property
    def outputs(self) -> Any:
        """What came out, decoded from what was captured."""
        return None if self.outputs_json is None else decode(self.outputs_json)

    @property
    def attributes(self) -> dict[str, Any]:
        """All decoded values, with inputs and outputs under MLflow's reserved keys."""
        values = {key: load_value(value) for key, value in self.stored.copy().items()}
        if self.inputs_json is not None:
            values[semconv.MLFLOW_INPUTS] = self.inputs
        if self.outputs_json is not None:
            values[semconv.MLFLOW_OUTPUTS] = self.outputs
        if self.level is not None:
            values[semconv.SPAN_LOG_LEVEL] = self.level
        values[semconv.TRACE_REQUEST_ID] = self.trace_id
        return values

    @property
    def _attributes(self) -> dict[str, Any]:  # type: ignore[override]  # read by the properties of entities.Span
        return self.attributes

    def get_attribute(self, key: str) -> Any:
        """Return one decoded value, or None."""
        if key in self.stored:
            return load_value(self.stored[key])
        return self.attributes.get(key)

    @property
    def events(self) -> list[entities.SpanEvent]:
        """What happened so far, in order."""
        return [
            entities.SpanEvent(
                event.name,
                event.time_ns,
                {key: load_value(value) for key, value in event.attributes.items()},
            )
            for event in self.event_records or ()
        ]

    @property
    def links(self) -> list[entities.Link]:
        """Pointers to other spans."""
        return [
            entities.Link(
                ids.TRACE_ID_PREFIX + link.trace_id,
                link.span_id,
                {key: load_value(value) for key, value in link.attributes.items()} or None,
            )
            for link in self.link_records or ()
        ]

    @property
    def trace_metadata(self) -> dict[str, str]:
        """The metadata of the trace as it stands; write with `set_trace_metadata`."""
        return self.active_trace.metadata.copy()

    def get_span_context(self) -> SpanContext:
        """Return OpenTelemetry's form of the ids."""
        if self._otel_context is None:
            trace = self.active_trace
            self._otel_context = SpanContext(
                trace.trace_id,
                self.number,
                is_remote=False,
                trace_flags=SAMPLED,
                trace_state=trace.trace_state,
            )
        return self._otel_context

    def is_recording(self) -> bool:
        """Return whether writes still count."""
        return self._end_time_ns is None

    @property
    def experiment_id(self) -> str:
        """The experiment that the trace goes to."""
        return self.active_trace.experiment[0]

    @property
    def experiment_name(self) -> str:
        """The experiment's name, or "" where only its id is known."""
        return self.active_trace.experiment[1]

    def estimate_bytes(self) -> int:
        """Return about how much memory waits with this span."""
        size = BARE_BYTES
        if self.inputs_json is not None:
            size += len(self.inputs_json)
        if self.outputs_json is not None:
            size += len(self.outputs_json)
        if self.event_records is not None:
            size += BARE_BYTES * len(self.event_records)
        return size

    @property
    def carries_context(self) -> bool:
        """Whether what is said about the trace travels on this span."""
        return self.active_trace.root is self

    def to_record(self) -> records.SpanRecord:
        """Return what goes over the wire."""
        return describe_span(self)

    @staticmethod
    def wire_encoder() -> Callable[[RecordedSpan], tuple[str, bytes]]:
        """Return what makes a span's scope and its text in a request; for the exporter's thread."""
        from whence.sdk.capture.wire import encode_recorded

        return encode_recorded

    def as_pending(self) -> PendingRoot:
        """Return the topmost span as if it were still open."""
        return PendingRoot(self)

    def copy_into(self, twin: RecordedSpan) -> None:
        """Make a span that was made without `__init__` a copy of this one, to be changed apart."""
        twin.__dict__.update(self.__dict__)
        twin._name, twin._start_time_ns = self._name, self._start_time_ns
        twin.stored = self.stored.copy()
        twin.event_records = list(self.event_records or ())
        twin.link_records = list(self.link_records or ())

    def to_immutable_span(self) -> entities.Span:
        """Return a copy that does not change any more."""
        return entities.Span(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_id=self.parent_id,
            name=self._name,
            kind=self._kind,
            start_time_ns=self._start_time_ns,
            end_time_ns=self._end_time_ns,
            status=self.status,
            attributes=self.attributes,
            events=self.events,
            links=self.links,
            scope=self._scope,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON shape of the span as it stands."""
        return self.to_immutable_span().to_dict()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A LiveSpan can't be copied or pickled; use span.to_immutable_span().")

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return (
            f"LiveSpan(name={self._name!r}, trace_id={self.trace_id!r}, "
            f"span_id={self.span_id!r}, parent_id={self.parent_id!r})"
        )
