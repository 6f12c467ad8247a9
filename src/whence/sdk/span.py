"""The span that is being recorded: OpenTelemetry's interface and MLflow's in one object.

`LiveSpan` is what `start_span` and `@trace` make, `TracerSpan` what an OpenTelemetry tracer makes
(its `end` takes a time, its status stays UNSET unless set). Values are turned into JSON text when
they are set, so later changes by the program do not show. Nothing here raises for a *value*; a
write after the end is ignored and counted. Wrong arguments (a status that does not exist) raise.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanContext, TraceFlags

from whence import entities, semconv
from whence.entities.span_event import describe_exception
from whence.otlp import records
from whence.otlp.records import STATUS_ERROR, STATUS_NAMES, STATUS_OK, STATUS_UNSET
from whence.sdk import active, diagnostics, ids, processors, runtime
from whence.sdk.capture import capture, decode, finite, text_of
from whence.sdk.record import describe_span
from whence.sdk.trace_context import replace_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.sdk.active import ActiveTrace

SAMPLED = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
MAX_MESSAGE_CHARS = 8_000
MAX_STACKTRACE_CHARS = 64_000
NULL = b"null"
BARE_BYTES = 1_000


def store_value(value: Any) -> tuple[Any, str | None]:
    """Return an attribute value as it is kept (a scalar or JSON text), and what was lost."""
    kind = type(value)
    if kind is str:
        return (value if value.isascii() else replace_surrogates(value)), None
    if kind is int or kind is bool or value is None:
        return value, None
    if kind is float:
        return (value if isfinite(value) else finite(value)), None
    text, problem = capture(value)
    return msgspec.Raw(text), problem


def load_value(value: Any) -> Any:
    """Return the decoded value of a stored attribute."""
    return decode(bytes(value)) if type(value) is msgspec.Raw else value


class LiveSpan(OtelSpan, entities.Span):
    """A span that can still be written to, until `end()`."""

    # Class-level defaults keep the constructor, which is on the hot path, short.
    _scope = ""
    _kind = "INTERNAL"
    _end_time_ns: int | None = None
    _status_code = STATUS_UNSET
    _status_message = ""
    _inputs: bytes | None = None
    _outputs: bytes | None = None
    _level: int | None = None
    _parent: OtelSpan | None = None
    _parent_number = 0
    _problems: tuple[str, ...] = ()
    _otel_context: SpanContext | None = None
    _record_events: list[records.Event] | None = None
    _record_links: list[records.Link] | None = None
    is_from_tracer = False

    def __init__(  # noqa: PLR0917 - internal, and keyword calls cost on the hot path
        self,
        trace: ActiveTrace,
        name: str,
        parent: OtelSpan | None,
        parent_number: int,
        stored: dict[str, Any],
        start_time_ns: int | None = None,
    ) -> None:
        self._trace = trace
        self._name = name
        self._number = ids.sources.draw(64) or 1
        self._parent = parent
        self._parent_number = parent_number
        self._stored = stored
        self._generation = active.generation
        self._start_time_ns = trace.now_ns() if start_time_ns is None else start_time_ns

    # --- reading ------------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """`tr-` and 32 hex digits."""
        return ids.format_trace_id(self._trace.trace_id)

    @property
    def request_id(self) -> str:
        """MLflow's older word for `trace_id`."""
        return self.trace_id

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return f"{self._number:016x}"

    @property
    def parent_id(self) -> str | None:
        """16 hex digits, or None for the root."""
        return f"{self._parent_number:016x}" if self._parent_number else None

    @property
    def status(self) -> entities.SpanStatus:
        """The outcome so far."""
        code = entities.SpanStatusCode(STATUS_NAMES[self._status_code])
        return entities.SpanStatus(code, self._status_message)

    @property
    def inputs(self) -> Any:
        """What went in, decoded from what was captured."""
        return None if self._inputs is None else decode(self._inputs)

    @property
    def outputs(self) -> Any:
        """What came out, decoded from what was captured."""
        return None if self._outputs is None else decode(self._outputs)

    @property
    def attributes(self) -> dict[str, Any]:
        """All decoded values, with inputs and outputs under MLflow's reserved keys."""
        values = {key: load_value(value) for key, value in self._stored.copy().items()}
        if self._inputs is not None:
            values[semconv.MLFLOW_INPUTS] = self.inputs
        if self._outputs is not None:
            values[semconv.MLFLOW_OUTPUTS] = self.outputs
        if self._level is not None:
            values[semconv.SPAN_LOG_LEVEL] = self._level
        values[semconv.TRACE_REQUEST_ID] = self.trace_id
        return values

    @property
    def _attributes(self) -> dict[str, Any]:  # type: ignore[override]  # read by the properties of entities.Span
        return self.attributes

    def get_attribute(self, key: str) -> Any:
        """Return one decoded value, or None."""
        if key in self._stored:
            return load_value(self._stored[key])
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
            for event in self._record_events or ()
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
            for link in self._record_links or ()
        ]

    @property
    def trace_metadata(self) -> dict[str, str]:
        """The metadata of the trace as it stands; write with `set_trace_metadata`."""
        return self._trace.metadata.copy()

    def get_span_context(self) -> SpanContext:
        """Return OpenTelemetry's form of the ids."""
        if self._otel_context is None:
            trace = self._trace
            self._otel_context = SpanContext(
                trace.trace_id,
                self._number,
                is_remote=False,
                trace_flags=SAMPLED,
                trace_state=trace.trace_state,
            )
        return self._otel_context

    def is_recording(self) -> bool:
        """Return whether writes still count."""
        return self._end_time_ns is None

    # --- writing ------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        if self._end_time_ns is not None:
            diagnostics.warn(
                "late_writes", "The span %s has ended; a write to it is ignored.", self._name
            )
            return True
        return False

    def _note(self, where: str, problem: str | None) -> None:
        if problem is not None:
            self._problems = (*self._problems, f"{where}: {problem}")

    def set_inputs(self, inputs: Any) -> None:
        """Say what went in; any value."""
        if not self._is_over():
            self._inputs, problem = capture(inputs)
            self._note("inputs", problem)

    def set_outputs(self, outputs: Any) -> None:
        """Say what came out; any value."""
        if not self._is_over():
            self._outputs, problem = capture(outputs)
            self._note("outputs", problem)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute; any value. MLflow's keys for inputs and outputs set those."""
        if self._is_over():
            return
        if type(key) is not str:
            key = text_of(key)
        if key == semconv.MLFLOW_INPUTS:
            self.set_inputs(value)
        elif key == semconv.MLFLOW_OUTPUTS:
            self.set_outputs(value)
        elif key == semconv.SPAN_LOG_LEVEL:
            self.set_log_level(value)
        else:
            self._stored[key], problem = store_value(value)
            self._note(f"attribute {key}", problem)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes; what is not a dict is ignored with a warning."""
        if not hasattr(attributes, "items"):
            diagnostics.warn(
                "ignored_attributes",
                "Span attributes must be a dict, but got %s; they are ignored.",
                type(attributes).__name__,
            )
            return
        for key, value in list(attributes.items()):
            self.set_attribute(key, value)

    def set_span_type(self, span_type: str) -> None:
        """Say what kind of step this is."""
        self.set_attribute(semconv.SPAN_TYPE, span_type)

    def set_description(self, description: str) -> None:
        """Say what the step is for."""
        self.set_attribute(semconv.SPAN_DESCRIPTION, description)

    def set_log_level(self, level: Any) -> None:
        """Say how important the step is: a `SpanLogLevel`, its number or its name."""
        checked = int(entities.SpanLogLevel(level))
        if not self._is_over():
            self._level = checked

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set the outcome from MLflow's or OpenTelemetry's status, its code or its name."""
        code, message = read_status(status)
        if not self._is_over():
            self._status_code = code
            text = description if description is not None else message
            self._status_message = _tidy(text, MAX_MESSAGE_CHARS) if code == STATUS_ERROR else ""

    def set_trace_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Merge metadata into this span's trace; what span processors use for redaction."""
        self._trace.add_metadata(metadata)

    def update_name(self, name: str) -> None:
        """Rename the span."""
        if not self._is_over():
            self._name = name if type(name) is str else text_of(name)

    def add_event(
        self, name: Any, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Add a `SpanEvent`, or an event by name as in OpenTelemetry."""
        if self._is_over():
            return
        if isinstance(name, entities.SpanEvent):
            name, attributes, timestamp = name.name, name.attributes, name.timestamp
        event = records.Event(
            name if type(name) is str else text_of(name),
            self._trace.now_ns() if timestamp is None else timestamp,
            self._store_values(attributes, "event"),
        )
        if self._record_events is None:
            self._record_events = []
        self._record_events.append(event)

    def add_link(self, context: Any, attributes: Mapping[str, Any] | None = None) -> None:
        """Add a `Link`, or a link to an OpenTelemetry span context."""
        if self._is_over():
            return
        if isinstance(context, SpanContext):
            trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        else:
            attributes = attributes or context.attributes
            trace_id = str(context.trace_id).removeprefix(ids.TRACE_ID_PREFIX)
            span_id = str(context.span_id)
        if self._record_links is None:
            self._record_links = []
        self._record_links.append(
            records.Link(trace_id, span_id, self._store_values(attributes, "link"))
        )

    def _store_values(self, attributes: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
        stored = {}
        for key, value in list((attributes or {}).items()):
            name = key if type(key) is str else text_of(key)
            stored[name], problem = store_value(value)
            self._note(f"{where} {name}", problem)
        return stored

    def record_exception(
        self,
        exception: Any,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an `exception` event (from an exception or a text); the status becomes ERROR."""
        if self._is_over():
            return
        if not isinstance(exception, BaseException):
            exception = Exception(exception)
        described = describe_exception(exception)
        described["exception.message"] = _tidy(described["exception.message"], MAX_MESSAGE_CHARS)
        stack = described["exception.stacktrace"]
        described["exception.stacktrace"] = _tidy(stack[-MAX_STACKTRACE_CHARS:], len(stack))
        if escaped:
            described["exception.escaped"] = "True"
        self.add_event("exception", {**described, **(attributes or {})}, timestamp)
        if not self.is_from_tracer:
            self._status_code = STATUS_ERROR
            level = entities.SpanLogLevel.ERROR
            self._level = int(max(self._level or level, level))

    def withhold(self, problem: str) -> None:
        """Drop inputs and outputs, and say why."""
        self._inputs = self._outputs = None
        self._note("inputs and outputs", problem)

    def fail(self, error: BaseException) -> None:
        """Record the exception that leaves the span's code."""
        self.record_exception(error)
        self._status_code = STATUS_ERROR
        self._status_message = describe_error(error)

    # --- ending -------------------------------------------------------------------------------

    def end(
        self,
        outputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        status: Any = None,
        end_time_ns: int | None = None,
        *,
        end_time: int | None = None,
    ) -> None:
        """End the span and hand it over for delivery. Only the first call counts."""
        if self._is_over():
            return
        if outputs is not None:
            self.set_outputs(outputs)
        if attributes:
            self.set_attributes(attributes)
        if status is not None:
            self.set_status(status)
        self.finish(end_time if end_time_ns is None else end_time_ns)

    def finish(self, end_time_ns: int | None = None) -> None:
        """End the span now. Never raises."""
        try:
            if self._end_time_ns is not None:
                return
            trace = self._trace
            if end_time_ns is None:
                end_time_ns = trace.now_ns()
            processors.run_before_end(self)
            if self._status_code == STATUS_UNSET and not self.is_from_tracer:
                self._status_code = STATUS_OK
            self._end_time_ns = end_time_ns
            if trace.root is self:
                trace.close()
            if self._generation == active.generation:
                processors.run_after_end(self)
                runtime.submit(self)
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("ending a span", error)

    def __exit__(self, kind: Any, error: BaseException | None, stack: Any) -> None:
        if error is not None and self.is_recording():
            self.fail(error)
        self.finish()

    # --- leaving ------------------------------------------------------------------------------

    @property
    def experiment_id(self) -> str:
        """The experiment that the trace goes to."""
        return self._trace.experiment[0]

    @property
    def experiment_name(self) -> str:
        """The experiment's name, or "" where only its id is known."""
        return self._trace.experiment[1]

    @property
    def size_bytes(self) -> int:
        """Return about how much memory waits with this span."""
        size = BARE_BYTES + len(self._inputs or b"") + len(self._outputs or b"")
        if self._record_events is not None:
            size += BARE_BYTES * len(self._record_events)
        return size

    def to_record(self) -> records.SpanRecord:
        """Return what goes over the wire."""
        return describe_span(self)

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


class TracerSpan(LiveSpan):
    """A span made through OpenTelemetry's API."""

    is_from_tracer = True
    instrumentation_scope: Any = None
    records_exceptions = True
    fails_on_exceptions = True

    def note_exception(self, error: BaseException | None) -> None:
        """Record what leaves the span's block, as far as the tracer was asked to."""
        if error is None or isinstance(error, GeneratorExit) or not self.is_recording():
            return
        if self.records_exceptions:
            self.record_exception(error)
        if self.fails_on_exceptions and self._status_code != STATUS_OK:
            self._status_code = STATUS_ERROR
            self._status_message = describe_error(error)

    def __exit__(self, kind: Any, error: BaseException | None, stack: Any) -> None:
        self.note_exception(error)
        self.finish()

    def end(self, end_time: int | None = None, **more: Any) -> None:  # type: ignore[override]  # OpenTelemetry's signature
        """End the span, at this time if given."""
        super().end(end_time=end_time, **more)


def describe_error(error: BaseException) -> str:
    """Return "<Type>: <message>"."""
    return _tidy(f"{type(error).__name__}: {text_of(error)}", MAX_MESSAGE_CHARS)


def read_status(status: Any) -> tuple[int, str]:
    """Return (code, message) from any of the forms of a status."""
    code = getattr(status, "status_code", status)
    message = getattr(status, "description", None) or ""
    name = code if isinstance(code, str) else getattr(code, "name", code)
    return STATUS_NAMES.index(entities.SpanStatusCode(name).value), message


def _tidy(text: Any, limit: int) -> str:
    cut = (text if type(text) is str else text_of(text))[:limit]
    return cut if cut.isascii() else replace_surrogates(cut)
