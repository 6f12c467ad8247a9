"""The span that is being recorded: OpenTelemetry's interface and MLflow's in one object.

`LiveSpan` is what `start_span` and `@trace` make, `TracerSpan` what an OpenTelemetry tracer makes
(its `end` takes a time, its status stays UNSET unless set). Values are turned into JSON text when
they are set, so later changes by the program do not show. Nothing here raises for a *value*; a
write after the end is ignored and counted. Wrong arguments (a status that does not exist) raise.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry.trace import SpanContext

from whence import entities, semconv
from whence.entities.span_event import describe_exception
from whence.otlp import records
from whence.otlp.records import STATUS_ERROR, STATUS_NAMES, STATUS_OK, STATUS_UNSET
from whence.sdk import diagnostics, runtime, settings
from whence.sdk.capture import active, ids, processors
from whence.sdk.capture.record import SharedValues
from whence.sdk.capture.recorded import RecordedSpan
from whence.sdk.capture.trace_metadata import replace_surrogates
from whence.sdk.capture.values import capture, finite, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.sdk.capture.readable import Scope

MAX_MESSAGE_CHARS = 8_000
MAX_STACKTRACE_CHARS = 64_000
NULL = b"null"


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


class LiveSpan(RecordedSpan):
    """A span that can still be written to, until `end()`."""

    def _is_over(self) -> bool:
        if self._end_time_ns is not None:
            diagnostics.warn(
                "late_writes", "The span %s has ended; a write to it is ignored.", self._name
            )
            return True
        return False

    def note(self, where: str, problem: str | None) -> None:
        """Remember what could not be captured (None: nothing)."""
        if problem is not None:
            self.problems = (*self.problems, f"{where}: {problem}")

    def set_inputs(self, inputs: Any) -> None:
        """Say what went in; any value."""
        if not self._is_over():
            self.inputs_json, problem = capture(inputs)
            self.note("inputs", problem)

    def set_outputs(self, outputs: Any) -> None:
        """Say what came out; any value."""
        if self._end_time_ns is None or not self._is_over():
            self.outputs_json, problem = capture(outputs)
            if problem is not None:
                self.note("outputs", problem)

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
            if type(self.stored) is SharedValues:
                self.stored = self.stored.copy()
            self.stored[key], problem = store_value(value)
            self.note(f"attribute {key}", problem)

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
            self.level = checked

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set the outcome from MLflow's or OpenTelemetry's status, its code or its name."""
        code, message = read_status(status)
        if not self._is_over():
            self.code = code
            text = description if description is not None else message
            self.code_message = _tidy(text, MAX_MESSAGE_CHARS) if code == STATUS_ERROR else ""

    def set_trace_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Merge metadata into this span's trace; what span processors use for redaction."""
        self.active_trace.add_metadata(metadata)

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
            self.active_trace.now_ns() if timestamp is None else timestamp,
            self._store_values(attributes, "event"),
        )
        if self.event_records is None:
            self.event_records = []
        self.event_records.append(event)

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
        if self.link_records is None:
            self.link_records = []
        self.link_records.append(
            records.Link(trace_id, span_id, self._store_values(attributes, "link"))
        )

    def _store_values(self, attributes: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
        stored = {}
        for key, value in list((attributes or {}).items()):
            name = key if type(key) is str else text_of(key)
            stored[name], problem = store_value(value)
            self.note(f"{where} {name}", problem)
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
            self.code = STATUS_ERROR
            self.code_message = self.code_message or describe_error(exception)
            level = entities.SpanLogLevel.ERROR
            self.level = int(max(self.level or level, level))

    def copy_outcome(self, kind: str, status: entities.SpanStatus) -> None:
        """Take over what another span was and how it ended."""
        self._kind = kind
        self.set_status(status)

    def withhold(self, problem: str) -> None:
        """Drop inputs and outputs, and say why."""
        self.inputs_json = self.outputs_json = None
        self.note("inputs and outputs", problem)

    def fail(self, error: BaseException) -> None:
        """Record the exception that leaves the span's code."""
        self.record_exception(error)
        self.code = STATUS_ERROR
        self.code_message = describe_error(error)

    # --- ending -------------------------------------------------------------------------------

    def end(  # type: ignore[override]  # MLflow's signature; TracerSpan has OpenTelemetry's
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
            trace = self.active_trace
            if end_time_ns is None:
                end_time_ns = trace.now_ns()
            if settings.current.span_processors:
                processors.run_before_end(self)
            if self.code == STATUS_UNSET and not self.is_from_tracer:
                self.code = STATUS_OK
            self._end_time_ns = end_time_ns
            self.size_bytes = self.estimate_bytes()
            waits = trace.root is self
            if waits:
                trace.close()
                waits = settings.current.synchronous
            if self.generation == active.generation:
                if processors.otel_processors:
                    processors.run_after_end(self)
                runtime.submit(self)
                if waits:
                    runtime.wait_for_delivery()
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("ending a span", error)

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
        if error is not None and self.is_recording():
            self.fail(error)
        self.finish()


class TracerSpan(LiveSpan):
    """A span made through OpenTelemetry's API."""

    is_from_tracer = True
    instrumentation_scope: Any = None
    records_exceptions = True
    fails_on_exceptions = True

    def come_from(self, scope: Scope, kind: str) -> None:
        """Say which library made the span, and of which kind it is."""
        self.instrumentation_scope = scope
        self._scope = scope.name
        self._kind = kind

    def note_exception(self, error: BaseException | None) -> None:
        """Record what leaves the span's block, as far as the tracer was asked to."""
        if error is None or isinstance(error, GeneratorExit) or not self.is_recording():
            return
        if self.records_exceptions:
            self.record_exception(error)
        if self.fails_on_exceptions and self.code != STATUS_OK:
            self.code = STATUS_ERROR
            self.code_message = describe_error(error)

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
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
