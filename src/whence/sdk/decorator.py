"""`@whence.trace`: a span for every call of a function, whatever kind of function it is.

The wrapper is of the function's own kind (coroutine function, generator function, …), calls it
exactly once, returns its very result and raises its very exception. For generators and coroutines
an argument that does not fit is reported when the code starts, not at the call.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from whence import entities, semconv
from whence.errors import InvalidInputError
from whence.sdk import diagnostics, fastapi_hook, keys, settings
from whence.sdk.arguments import Arguments
from whence.sdk.capture import capture
from whence.sdk.generators import wrap_async_generator, wrap_generator
from whence.sdk.scope import DEFAULT_TYPE
from whence.sdk.span import NULL, LiveSpan, store_value
from whence.sdk.start import NO_OPTIONS, RootOptions, experiment_of, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.sdk.start import Unsampled

F = TypeVar("F", bound="Callable[..., Any]")

Frame = tuple["LiveSpan | Unsampled", Any, keys.Context, keys.Context]


@dataclass(frozen=True)
class Recipe:
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
        span = start(context, self.name, self.stored.copy(), self.options)
        if isinstance(span, LiveSpan):
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
            if isinstance(span, LiveSpan):
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
        if isinstance(span, LiveSpan):
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


@overload
def trace(func: F) -> F: ...


@overload
def trace(
    func: None = None,
    name: str | None = None,
    span_type: str = DEFAULT_TYPE,
    attributes: dict[str, Any] | None = None,
    output_reducer: Callable[[list[Any]], Any] | None = None,
    trace_destination: Any = None,
    sampling_ratio_override: float | None = None,
    log_level: Any = None,
    links: Sequence[Any] | None = None,
    description: str | None = None,
) -> Callable[[F], F]: ...


@overload
def trace(
    func: F,
    name: str | None = None,
    span_type: str = DEFAULT_TYPE,
    attributes: dict[str, Any] | None = None,
    output_reducer: Callable[[list[Any]], Any] | None = None,
    trace_destination: Any = None,
    sampling_ratio_override: float | None = None,
    log_level: Any = None,
    links: Sequence[Any] | None = None,
    description: str | None = None,
) -> F: ...


def trace(
    func: Any = None,
    name: str | None = None,
    span_type: str = DEFAULT_TYPE,
    attributes: dict[str, Any] | None = None,
    output_reducer: Callable[[list[Any]], Any] | None = None,
    trace_destination: Any = None,
    sampling_ratio_override: float | None = None,
    log_level: Any = None,
    links: Sequence[Any] | None = None,
    description: str | None = None,
) -> Any:
    """Record a span for every call of a function, with its arguments and its result.

    Use it as `@trace`, `@trace(name=..., ...)` or `trace(func, ...)`. It works on functions,
    coroutine functions, (async) generator functions, methods, class and static methods, lambdas
    and `functools.partial` objects. `output_reducer` turns the list of items that a generator
    yielded into its outputs; `trace_destination` and `sampling_ratio_override` count where the
    call starts a trace.

    >>> import whence
    >>> @whence.trace
    ... def add(x, y=1):
    ...     return x + y
    >>> add(1)
    2
    """
    if sampling_ratio_override is not None:
        settings.check_ratio(sampling_ratio_override, "sampling_ratio_override")
    level = None if log_level is None else int(entities.SpanLogLevel(log_level))

    def decorate(function: Any) -> Any:
        if isinstance(function, (classmethod, staticmethod)):
            return type(function)(decorate(function.__func__))
        kind = _kind_of(function)
        if (
            output_reducer is not None
            and kind is not wrap_generator
            and kind is not wrap_async_generator
        ):
            raise InvalidInputError(
                "The output_reducer argument is only supported for generator functions."
            )
        options = NO_OPTIONS
        if trace_destination is not None or sampling_ratio_override is not None:
            options = RootOptions(experiment_of(trace_destination), sampling_ratio_override)
        own_name = _name_of(function)
        stored: dict[str, Any] = {semconv.SPAN_TYPE: span_type}
        if kind is _wrap_function or kind is _wrap_coroutine_function:
            stored[semconv.SPAN_FUNCTION_NAME] = own_name
        if description is not None:
            stored[semconv.SPAN_DESCRIPTION] = description
        problems = _store(attributes, stored)
        recipe = Recipe(
            name or own_name,
            stored,
            Arguments(function),
            options,
            level,
            tuple(links or ()),
            problems,
            output_reducer,
        )
        wrapper = kind(function, recipe)
        functools.update_wrapper(wrapper, function)
        wrapper.__name__ = own_name
        wrapper.__mlflow_traced__ = True
        fastapi_hook.mark(function, wrapper)
        return wrapper

    return decorate if func is None else decorate(func)


def _store(attributes: dict[str, Any] | None, stored: dict[str, Any]) -> tuple[str, ...]:
    problems = []
    for key, value in (attributes or {}).items():
        stored[str(key)], problem = store_value(value)
        if problem is not None:
            problems.append(f"attribute {key}: {problem}")
    return tuple(problems)


def _kind_of(function: Any) -> Callable[[Any, Recipe], Any]:
    candidates = [function]
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        candidates.append(getattr(type(function), "__call__", None))  # noqa: B004  # an object that can be called
    for candidate in candidates:
        if inspect.iscoroutinefunction(candidate):
            return _wrap_coroutine_function
        if inspect.isasyncgenfunction(candidate):
            return wrap_async_generator
        if inspect.isgeneratorfunction(candidate):
            return wrap_generator
    return _wrap_function


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _wrap_function(function: Callable[..., Any], recipe: Recipe) -> Any:
    begin = recipe.begin
    current = settings.current

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = begin(args, kwargs) if current.enabled else None
        if frame is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail(frame, error)
            raise
        succeed(frame, result)
        return result

    return wrapper


def _wrap_coroutine_function(function: Callable[..., Any], recipe: Recipe) -> Any:
    begin = recipe.begin
    current = settings.current

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = begin(args, kwargs) if current.enabled else None
        if frame is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            fail(frame, error)
            raise
        succeed(frame, result)
        return result

    return wrapper
