"""`start_span`: a span for the length of a block, as a context manager or a decorator.

And the spans that the caller ends: `start_span_no_context`. Neither raises for reasons of
tracing: where nothing is recorded they give a `NoOpSpan`.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from whence import entities, semconv
from whence.sdk import diagnostics, settings
from whence.sdk.capture import keys
from whence.sdk.capture.noop import NO_OP_SPAN, NoOpSpan
from whence.sdk.capture.record import share
from whence.sdk.capture.span import LiveSpan
from whence.sdk.capture.start import (
    NO_OPTIONS,
    RootOptions,
    Unsampled,
    experiment_of,
    run_metadata,
    start,
)
from whence.sdk.capture.trace_metadata import check_mapping
from whence.sdk.capture.values import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Span as OtelSpan

DEFAULT_TYPE = entities.SpanType.UNKNOWN
MAX_TYPES = 256  # a program may make them up


class SpanScope:
    """A span that is current from `__enter__` to `__exit__`. Make a new one for each block."""

    __slots__ = ("_attached", "_before", "_open", "_span", "_token")

    def __init__(self, open_span: Callable[[keys.Context], LiveSpan | Unsampled | None]) -> None:
        self._open = open_span
        self._token: Any = None

    def __enter__(self) -> LiveSpan:
        span: LiveSpan | Unsampled | None = None
        if settings.current.enabled:
            try:
                before = keys.get_current()
                span = self._open(before)
                if span is not None:
                    self._before = before
                    self._attached, self._token = activate(span, before)
            except Exception as error:  # noqa: BLE001 - tracing never breaks the program
                diagnostics.caught("starting a span", error)
        self._span = span if isinstance(span, LiveSpan) else None
        return self._span or NO_OP_SPAN  # type: ignore[return-value]  # it has the same methods

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
        try:
            if self._token is not None:
                keys.restore(self._token, self._attached, self._before)
                self._token = None
            if self._span is not None:
                if error is not None and self._span.is_recording():
                    self._span.fail(error)
                self._span.finish()
        except Exception as problem:  # noqa: BLE001
            diagnostics.caught("ending a span", problem)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Use the scope as a decorator: a span for every call."""
        open_span = self._open
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with SpanScope(open_span):
                    return await function(*args, **kwargs)

            return call_async

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with SpanScope(open_span):
                return function(*args, **kwargs)

        return call


def activate(span: LiveSpan | Unsampled, before: keys.Context) -> tuple[keys.Context, Any]:
    """Make a span current (or nothing recorded, for `UNSAMPLED`); return what `restore` needs."""
    if isinstance(span, LiveSpan):
        context = keys.Context({**before, keys.SPAN: span, keys.NEAREST: span})
    else:
        context = keys.Context({**before, keys.NEAREST: keys.MUTED})
    return context, keys.attach(context)


def type_text(span_type: Any) -> str:
    """Return a span type as a string; UNKNOWN for None."""
    if span_type is None:
        return DEFAULT_TYPE
    return str.__str__(span_type) if isinstance(span_type, str) else text_of(span_type)


_typed: dict[str, dict[str, Any]] = {}


def typed(span_type: str) -> dict[str, Any]:
    """Return the attributes of a span of which nothing but its type is known."""
    found = _typed.get(span_type)
    if found is None:
        found = share({semconv.SPAN_TYPE: span_type})
        if len(_typed) < MAX_TYPES:
            _typed[span_type] = found
    return found


def start_span(
    name: str = "span",
    span_type: str | None = DEFAULT_TYPE,
    attributes: dict[str, Any] | None = None,
    trace_destination: Any = None,
    log_level: Any = None,
    run_id: str | None = None,
    links: Sequence[Any] | None = None,
    description: str | None = None,
) -> SpanScope:
    """Open a span for a `with` block; it is current inside, and ends with the block.

    An exception that leaves the block is recorded and raised again, unchanged. `run_id` and
    `trace_destination` count only where the span starts a trace.

    >>> import whence
    >>> with whence.start_span("plan", span_type="CHAIN") as span:
    ...     span.set_inputs({"question": "why?"})
    """
    level = None if log_level is None else int(entities.SpanLogLevel(log_level))
    options = NO_OPTIONS
    if trace_destination is not None or run_id is not None:
        options = RootOptions(
            experiment=experiment_of(trace_destination), metadata=run_metadata(run_id)
        )

    span_type = type_text(span_type)

    def open_span(context: keys.Context) -> LiveSpan | Unsampled | None:
        span = start(context, name, typed(span_type), options)
        if isinstance(span, LiveSpan):
            describe(span, attributes, level, links, description)
        return span

    return SpanScope(open_span)


def describe(
    span: LiveSpan,
    attributes: dict[str, Any] | None,
    level: int | None,
    links: Sequence[Any] | None,
    description: str | None,
) -> None:
    """Set what the caller gave beside the name."""
    if attributes:
        span.set_attributes(attributes)
    if level is not None:
        span.set_log_level(level)
    if description is not None:
        span.set_description(description)
    for link in links or ():
        span.add_link(link)


def start_span_no_context(
    name: str,
    span_type: str | None = DEFAULT_TYPE,
    parent_span: OtelSpan | entities.Span | None = None,
    inputs: Any = None,
    attributes: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    experiment_id: str | None = None,
    start_time_ns: int | None = None,
    log_level: Any = None,
    links: Sequence[Any] | None = None,
    description: str | None = None,
) -> LiveSpan:
    """Start a span without making it current; the caller ends it with `span.end()`.

    Without `parent_span` it starts a trace, and `tags`, `metadata` and `experiment_id` count.
    """
    level = None if log_level is None else int(entities.SpanLogLevel(log_level))
    check_mapping(tags, "tags")
    check_mapping(metadata, "metadata")
    if not settings.current.enabled or isinstance(parent_span, NoOpSpan):
        return NO_OP_SPAN  # type: ignore[return-value]  # it has the same methods
    try:
        context = keys.derive(keys.get_current(), {keys.SPAN: parent_span})
        options = RootOptions(
            experiment=None
            if experiment_id is None
            else settings.experiment_key(None, experiment_id),
            metadata=metadata,
            tags=tags,
        )
        span = start(
            context,
            name,
            typed(type_text(span_type)),
            options,
            LiveSpan,
            start_time_ns,
        )
        if isinstance(span, LiveSpan):
            describe(span, attributes, level, links, description)
            if inputs is not None:
                span.set_inputs(inputs)
            return span
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("starting a span", error)
    return NO_OP_SPAN  # type: ignore[return-value]
