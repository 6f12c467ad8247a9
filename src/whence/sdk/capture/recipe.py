"""How a call becomes a span: what is known of a traced function before it is called.

`begin`, `succeed` and `fail` bracket a call; none of them raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.capture import keys
from whence.sdk.capture.record import SharedValues
from whence.sdk.capture.span import NULL, LiveSpan
from whence.sdk.capture.start import start
from whence.sdk.capture.values import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.sdk.capture.arguments import Arguments
    from whence.sdk.capture.start import RootOptions, Unsampled

Frame = tuple["LiveSpan | Unsampled", Any, keys.Context, keys.Context]


class Recipe(msgspec.Struct, frozen=True):
    """What is known about a traced function before it is called."""

    name: str
    stored: dict[str, Any]
    arguments: Arguments
    options: RootOptions
    level: int | None
    links: tuple[Any, ...]
    problems: tuple[str, ...]
    output_reducer: Callable[[list[Any]], Any] | None

    def open(
        self, context: keys.Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> LiveSpan | Unsampled | None:
        """Start the span of one call, with its inputs."""
        stored = self.stored
        if type(stored) is not SharedValues:
            stored = stored.copy()
        span = start(context, self.name, stored, self.options)
        if type(span) is LiveSpan:
            inputs = self.arguments.bind(args, kwargs)
            if inputs is None:
                diagnostics.warn(
                    "unbound_arguments",
                    "The arguments of a call of %s do not fit it; its inputs are not recorded.",
                    self.name,
                )
            else:
                span.inputs_json, problem = capture(inputs)
                if problem is not None:
                    span.note("inputs", problem)
            if self.level is not None:
                span.set_log_level(self.level)
            if self.problems:
                span.problems += self.problems
            for link in self.links:
                span.add_link(link)
        return span

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
        """Start the span of one call and make it current. Never raises."""
        try:
            before = keys.get_current()
            span = self.open(before, args, kwargs)
            if span is None:
                return None
            if type(span) is LiveSpan:
                context = keys.Context({**before, keys.SPAN: span, keys.NEAREST: span})
            else:
                context = keys.Context({**before, keys.NEAREST: keys.MUTED})
            return span, keys.attach(context), context, before
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("starting a span", error)
            return None


def succeed(frame: Frame, result: Any) -> None:
    """End the span of a call that returned. Never raises."""
    try:
        span, token, context, before = frame
        keys.restore(token, context, before)
        if type(span) is LiveSpan:
            end_time_ns = span.active_trace.now_ns()
            if span.outputs_json is None or span.outputs_json == NULL:
                span.set_outputs(result)
            span.finish(end_time_ns)
    except Exception as error:  # noqa: BLE001
        diagnostics.caught("ending a span", error)


def fail(frame: Frame, error: BaseException) -> None:
    """End the span of a call that raised. Never raises."""
    try:
        span, token, context, before = frame
        keys.restore(token, context, before)
        if isinstance(span, LiveSpan):
            if isinstance(error, GeneratorExit):  # a coroutine that was closed before its end
                span.set_attribute(semconv.GENERATOR_CLOSED, True)
            else:
                span.fail(error)
            span.finish()
    except Exception as problem:  # noqa: BLE001
        diagnostics.caught("ending a span", problem)
