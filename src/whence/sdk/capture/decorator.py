"""`@whence.trace`: a span for every call of a function, whatever kind of function it is.

The wrapper is of the function's own kind (coroutine function, generator function, …), calls it
exactly once, returns its very result and raises its very exception. For generators and coroutines
an argument that does not fit is reported when the code starts, not at the call.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from whence import entities, semconv
from whence.errors import InvalidInputError
from whence.sdk import settings
from whence.sdk.capture import fastapi_hook
from whence.sdk.capture.arguments import Arguments
from whence.sdk.capture.generators import wrap_async_generator, wrap_generator
from whence.sdk.capture.recipe import Recipe, fail, succeed
from whence.sdk.capture.record import share
from whence.sdk.capture.scope import DEFAULT_TYPE, type_text
from whence.sdk.capture.span import store_value
from whence.sdk.capture.start import NO_OPTIONS, RootOptions, experiment_of
from whence.sdk.delivery.signals import watch_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


class Wish(msgspec.Struct, frozen=True):
    """What `trace` was asked for, beside the function."""

    name: str | None
    span_type: str
    attributes: dict[str, Any] | None
    output_reducer: Callable[[list[Any]], Any] | None
    options: RootOptions
    level: int | None
    links: tuple[Any, ...]
    description: str | None


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
    options = NO_OPTIONS
    if trace_destination is not None or sampling_ratio_override is not None:
        options = RootOptions(experiment_of(trace_destination), sampling_ratio_override)
    level = None if log_level is None else int(entities.SpanLogLevel(log_level))
    wish = Wish(
        name, span_type, attributes, output_reducer, options, level, tuple(links or ()), description
    )
    return functools.partial(_decorate, wish) if func is None else _decorate(wish, func)


def _decorate(wish: Wish, function: Any) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_decorate(wish, function.__func__))
    # Only the main thread may do it, and a server may call the function from workers alone.
    watch_sigterm()
    wrap = _kind_of(function)
    is_generator = wrap in (wrap_generator, wrap_async_generator)
    if wish.output_reducer is not None and not is_generator:
        raise InvalidInputError(
            "The output_reducer argument is only supported for generator functions."
        )
    own_name = _name_of(function)
    stored: dict[str, Any] = {semconv.SPAN_TYPE: type_text(wish.span_type)}
    if not is_generator:
        stored[semconv.SPAN_FUNCTION_NAME] = own_name
    if wish.description is not None:
        stored[semconv.SPAN_DESCRIPTION] = wish.description
    problems = _store(wish.attributes, stored)
    recipe = Recipe(
        name=wish.name or own_name,
        stored=share(stored),
        arguments=Arguments(function),
        options=wish.options,
        level=wish.level,
        links=wish.links,
        problems=problems,
        output_reducer=wish.output_reducer,
    )
    wrapper = wrap(function, recipe)
    functools.update_wrapper(wrapper, function)
    wrapper.__name__ = own_name
    wrapper.__mlflow_traced__ = True
    fastapi_hook.mark(function, wrapper)
    return wrapper


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
