"""Functions that see every span before it leaves: MLflow's span processors and OpenTelemetry's.

A span processor (`whence.configure(span_processors=[...])`) gets each span just before it ends
and may change it: redaction. One that raises is skipped, and because the span may then hold what
it should have removed, the inputs and outputs of that span are withheld and the span says so.
OpenTelemetry's processors (`add_span_processor`) see spans when they start and after they ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.capture import keys

if TYPE_CHECKING:
    from whence.sdk.capture.span import LiveSpan

otel_processors: tuple[Any, ...] = ()


def check_processors(given: Any) -> tuple[Any, ...]:
    """Return the processors as a tuple, or raise `InvalidInputError` at once."""
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        raise InvalidInputError(
            f"span_processors must be a list of functions, but got {type(given).__name__}."
        )
    for processor in given:
        if not callable(processor):
            raise InvalidInputError(
                "A span processor must be a function that takes a span, "
                f"but got {type(processor).__name__}."
            )
    return tuple(given)


def run_before_end(span: LiveSpan) -> bool:
    """Run the span processors; return whether all of them succeeded."""
    functions = settings.current.span_processors
    if not functions:
        return True
    succeeded = True
    with keys.muted():
        for function in functions:
            try:
                result = function(span)
            except Exception as error:  # noqa: BLE001, PERF203 - the user's function
                succeeded = False
                name = getattr(function, "__name__", type(function).__name__)
                diagnostics.caught(f"span processor {name}", error)
                span.withhold(f"withheld, because the span processor {name} raised")
            else:
                if result is not None:
                    diagnostics.warn(
                        "processor_results",
                        "A span processor must return nothing, but one returned %s.",
                        type(result).__name__,
                    )
    return succeeded


def run_at_start(span: LiveSpan, context: keys.Context) -> None:
    """Tell OpenTelemetry's processors that a span started."""
    for processor in otel_processors:
        try:
            processor.on_start(span, parent_context=context)
        except Exception as error:  # noqa: BLE001, PERF203
            diagnostics.caught("on_start of a span processor", error)


def run_after_end(span: LiveSpan) -> None:
    """Tell OpenTelemetry's processors that a span ended."""
    if not otel_processors:
        return
    from whence.sdk.capture.readable import ReadableSpan

    readable = ReadableSpan(span)
    for processor in otel_processors:
        try:
            processor.on_end(readable)
        except Exception as error:  # noqa: BLE001, PERF203
            diagnostics.caught("on_end of a span processor", error)


def add_otel_processor(processor: Any) -> None:
    """Add a processor for all spans that start from now on."""
    global otel_processors  # noqa: PLW0603 - process-wide by nature
    otel_processors = (*otel_processors, processor)


def reset() -> None:
    """Drop OpenTelemetry's processors."""
    global otel_processors  # noqa: PLW0603
    otel_processors = ()
