"""Our tracer provider, for OpenTelemetry instrumentations: global on request.

Its spans are ours: they nest with `@whence.trace` in both directions, go the same way, and
OpenTelemetry span processors added to the provider see all of them, whichever API made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace as otel
from opentelemetry.trace import INVALID_SPAN, SpanKind, Tracer, TracerProvider
from opentelemetry.trace import Span as OtelSpan

from whence.sdk import diagnostics, runtime, settings
from whence.sdk.capture import keys, processors
from whence.sdk.capture.readable import RESOURCE, Scope
from whence.sdk.capture.scope import activate
from whence.sdk.capture.span import LiveSpan, TracerSpan
from whence.sdk.capture.start import NO_OPTIONS, start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class WhenceTracer(Tracer):
    """Makes spans for one instrumentation library."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def start_span(
        self,
        name: str,
        context: keys.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[otel.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> OtelSpan:
        """Start a span under the current one, or under that of `context`."""
        if not settings.current.enabled:
            return _parent(context)
        try:
            inside = keys.get_current() if context is None else context
            span = start(inside, name, {}, NO_OPTIONS, TracerSpan, start_time)
            if not isinstance(span, TracerSpan):
                return _parent(context)
            span.come_from(self._scope, kind.name)
            span.records_exceptions = record_exception
            span.fails_on_exceptions = set_status_on_exception
            if attributes:
                span.set_attributes(attributes)
            for link in links or ():
                span.add_link(link.context, link.attributes)
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("starting a span", error)
            return _parent(context)
        return span

    def start_as_current_span(  # type: ignore[override]  # the API's type is that of a generator context manager
        self,
        name: str,
        context: keys.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[otel.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Start a span and make it current for a `with` block, or for a decorated function."""

        def open_span() -> OtelSpan:
            return self.start_span(
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
            )

        return CurrentSpan(open_span, end_on_exit=end_on_exit)


def _parent(context: keys.Context | None) -> OtelSpan:
    """Return what stands for a span that is not recorded: its parent's ids go on."""
    span = otel.get_current_span(context)
    valid = span.get_span_context()
    return otel.NonRecordingSpan(valid) if valid.is_valid else INVALID_SPAN


class CurrentSpan:
    """A tracer's span, current from `__enter__` to `__exit__`."""

    def __init__(self, open_span: Callable[[], OtelSpan], *, end_on_exit: bool) -> None:
        self._open = open_span
        self._ends = end_on_exit

    def __enter__(self) -> OtelSpan:
        self._span = self._open()
        self._before = keys.get_current()
        if isinstance(self._span, LiveSpan):
            self._attached, self._token = activate(self._span, self._before)
        else:
            self._attached = keys.derive(self._before, {keys.SPAN: self._span})
            self._token = keys.attach(self._attached)
        return self._span

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
        keys.restore(self._token, self._attached, self._before)
        span = self._span
        if isinstance(span, TracerSpan):
            span.note_exception(error)
            if self._ends:
                span.finish()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Use it as a decorator: a span for every call."""
        import functools
        import inspect

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with CurrentSpan(self._open, end_on_exit=self._ends):
                    return await function(*args, **kwargs)

            return call_async

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with CurrentSpan(self._open, end_on_exit=self._ends):
                return function(*args, **kwargs)

        return call


class WhenceTracerProvider(TracerProvider):
    """Gives out tracers whose spans Whence records."""

    resource = RESOURCE

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Tracer:
        """Return a tracer for an instrumentation library."""
        return WhenceTracer(
            Scope(
                instrumenting_module_name or "",
                instrumenting_library_version,
                schema_url,
                tuple(sorted((attributes or {}).items())),
            )
        )

    def add_span_processor(self, span_processor: Any) -> None:
        """Let an OpenTelemetry span processor see all spans that start from now on."""
        processors.add_otel_processor(span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver everything that has ended, processors of OpenTelemetry's first."""
        flushed = all(one.force_flush(timeout_millis) for one in processors.otel_processors)
        pipeline = runtime.running_pipeline()
        return flushed and (pipeline is None or pipeline.flush(timeout_millis / 1000))

    def shutdown(self) -> None:
        """Deliver, and let OpenTelemetry's processors go."""
        for processor in processors.otel_processors:
            processor.shutdown()
        processors.reset()
        pipeline = runtime.running_pipeline()
        if pipeline is not None:
            pipeline.flush(30.0)


provider = WhenceTracerProvider()


def become_global() -> bool:
    """Make ours the global tracer provider; false where another has been set before."""
    if otel.get_tracer_provider() is provider:
        return True
    if not isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider):
        diagnostics.warn_once(
            "foreign_provider",
            "OpenTelemetry's global tracer provider is already set (%s) and can be set only once. "
            "Its spans stay its own; Whence records beside it, as local roots under its spans.",
            type(otel.get_tracer_provider()).__name__,
        )
        return False
    otel.set_tracer_provider(provider)
    return otel.get_tracer_provider() is provider
