"""What `whence.tracing.context(...)` returns: a `with` block, or a decorator, that gives metadata.

As a decorator it takes functions, coroutine functions, generator and async generator functions.
A decorated generator runs within the block at each of its steps, wherever it is consumed, and its
consumer does not. A plain `with` in the body of a generator is, as with any context variable, also
seen by the consumer while the generator is suspended inside.

A block may be entered again, also within itself; two threads need one each.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from whence.sdk.capture import keys
from whence.sdk.capture.trace_metadata import Scope, merge_scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.sdk.capture.generators import Steps

Function = TypeVar("Function", bound="Callable[..., Any]")


class ContextBlock:
    """Gives a scope to the traces that start inside; `enabled` switches recording off or on."""

    __slots__ = ("_enabled", "_entered", "_scope")

    def __init__(self, scope: Scope, enabled: bool | None = None) -> None:
        self._scope = scope
        self._enabled = enabled
        self._entered: list[tuple[Any, keys.Context, keys.Context]] = []

    def __enter__(self) -> None:
        before = keys.get_current()
        inside = self._derive(before)
        self._entered.append((keys.attach(inside), inside, before))

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
        keys.restore(*self._entered.pop())

    def _derive(self, before: keys.Context) -> keys.Context:
        changes: dict[str, object] = {keys.SCOPE: merge_scopes(before.get(keys.SCOPE), self._scope)}
        if self._enabled is False:
            changes[keys.NEAREST] = keys.MUTED
        elif self._enabled and before.get(keys.NEAREST) is keys.MUTED:
            changes[keys.NEAREST] = None
        return keys.derive(before, changes)

    def __call__(self, function: Function) -> Function:
        """Run every call of the function within a block of its own."""
        return self._decorate(function)  # type: ignore[return-value]  # it takes the same arguments

    def _decorate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        scope, enabled = self._scope, self._enabled
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            return self._decorate_generator(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with ContextBlock(scope, enabled):
                    return await function(*args, **kwargs)

            return call_async

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with ContextBlock(scope, enabled):
                return function(*args, **kwargs)

        return call

    def _decorate_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from whence.sdk.capture import generators

        def start(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> Steps:
            return generators.Steps(self._derive(keys.get_current()))

        is_async = inspect.isasyncgenfunction(function)
        drive = generators.drive_async if is_async else generators.drive
        decorated: Callable[..., Any] = functools.wraps(function)(drive(function, start))
        return decorated
