"""Traced generators: `send`, `throw`, return values and early `close` pass and are recorded.

The span starts with the first `next` and is current only while the generator's own code runs,
together with whatever that code had made current when it yielded. Each item becomes an event
`mlflow.chunk.item.<i>` (the first `MAX_ITEMS`, together at most `MAX_ITEM_BYTES`), and the list of
items, or what the output reducer makes of it, becomes the outputs. Items are kept as JSON text,
not as objects, unless a reducer asks for them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.otlp import records
from whence.sdk import diagnostics, settings
from whence.sdk.capture import keys
from whence.sdk.capture.scope import activate
from whence.sdk.capture.span import NULL, LiveSpan
from whence.sdk.capture.values import capture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from whence.sdk.capture.recipe import Recipe
    from whence.sdk.capture.start import Unsampled

    StartSteps = Callable[[tuple[Any, ...], dict[str, Any]], "Steps"]

MAX_ITEMS = 10_000
MAX_ITEM_BYTES = 16_000_000


class Steps:
    """A context that is entered for each step of a generator, and left with what it became."""

    def __init__(self, inside: keys.Context | None = None) -> None:
        self.inside = inside
        self.outside = keys.get_current()
        self.token: Any = None

    def enter(self) -> None:
        """Make current what was current when the generator's code last ran."""
        if self.inside is not None:
            self.outside = keys.get_current()
            self.token = keys.attach(self.inside)

    def leave(self) -> None:
        """Remember what the generator's code made current, and restore the consumer's."""
        if self.inside is not None and self.token is not None:
            attached, self.inside = self.inside, keys.get_current()
            keys.restore(self.token, attached, self.outside)
            if keys.get_current() is self.inside is not self.outside:
                keys.attach(self.outside)
            self.token = None

    def add(self, item: Any) -> None:
        """Take note of an item that was yielded."""

    def finish(self, returned: Any = None) -> None:
        """Take note of the end of a generator that is exhausted."""

    def fail(self, error: BaseException) -> None:
        """Take note of the end of a generator that raised; `GeneratorExit` is an early close."""


class Run(Steps):
    """The span of one run of a generator. Its methods never raise."""

    def __init__(self, recipe: Recipe, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.reduce = recipe.output_reducer
        self.items: list[Any] = []
        self.texts: list[bytes] = []
        self.count = 0
        self.room = MAX_ITEM_BYTES
        self.span: LiveSpan | None = None
        try:
            if settings.current.enabled:
                span = recipe.open(self.outside, args, kwargs)
                if span is not None:
                    self._enter_first(span)
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("starting a generator's span", error)

    def _enter_first(self, span: LiveSpan | Unsampled) -> None:
        self.inside, token = activate(span, self.outside)
        keys.restore(token, self.inside, self.outside)
        if isinstance(span, LiveSpan):
            self.span = span

    def add(self, item: Any) -> None:
        """Record an item that was yielded."""
        try:
            if self.span is None:
                return
            if self.reduce is not None:
                self.items.append(item)
            position, self.count = self.count, self.count + 1
            if position >= MAX_ITEMS or self.room <= 0:
                return
            text, problem = capture(item)
            self.room -= len(text)
            self.texts.append(text)
            self.span.note(f"item {position}", problem)
            if self.span.event_records is None:
                self.span.event_records = []
            self.span.event_records.append(
                records.Event(
                    f"{semconv.CHUNK_EVENT_PREFIX}{position}",
                    self.span.active_trace.now_ns(),
                    {semconv.CHUNK_VALUE: text.decode()},
                )
            )
        except Exception as error:  # noqa: BLE001
            diagnostics.caught("recording an item of a generator", error)

    def finish(self, returned: Any = None) -> None:
        """End the span of a generator that is exhausted."""
        self._end(None, returned)

    def fail(self, error: BaseException) -> None:
        """End the span of a generator that raised; `GeneratorExit` is an early close."""
        self._end(error, None)

    def _end(self, error: BaseException | None, returned: Any) -> None:
        span = self.span
        if span is None:
            return
        try:
            self.span = None
            end_time_ns = span.active_trace.now_ns()
            if span.is_recording():
                self._describe(span, error, returned)
            span.finish(end_time_ns)
        except Exception as problem:  # noqa: BLE001
            diagnostics.caught("ending a generator's span", problem)

    def _describe(self, span: LiveSpan, error: BaseException | None, returned: Any) -> None:
        if span.outputs_json is None or span.outputs_json == NULL:
            self._set_outputs(span)
        if self.count > len(self.texts):
            span.note("outputs", f"{self.count - len(self.texts):,} further items")
        if returned is not None:
            text, problem = capture(returned)
            span.set_attribute(semconv.GENERATOR_RETURN, text.decode())
            span.note("return value", problem)
        if isinstance(error, GeneratorExit):
            span.set_attribute(semconv.GENERATOR_CLOSED, True)
        elif error is not None:
            span.fail(error)

    def _set_outputs(self, span: LiveSpan) -> None:
        if self.reduce is not None:
            try:
                with keys.muted():
                    outputs = self.reduce(self.items)
            except Exception as error:  # noqa: BLE001 - the user's function
                diagnostics.caught("output_reducer", error)
            else:
                span.set_outputs(outputs)
                return
        span.outputs_json = b"[" + b",".join(self.texts) + b"]"


def wrap_generator(function: Callable[..., Generator[Any, Any, Any]], recipe: Recipe) -> Any:
    """Return a generator function that records a span for every run of `function`."""
    return drive(function, partial(Run, recipe))


def drive(function: Callable[..., Generator[Any, Any, Any]], start: StartSteps) -> Any:
    """Return a generator function that runs `function`'s generator within what `start` makes."""

    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        run = start(args, kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            run.enter()
            try:
                if thrown is not None:
                    item = generator.throw(thrown)
                    thrown = None
                elif sent is None:
                    item = next(generator)
                else:
                    item = generator.send(sent)
            except StopIteration as stop:
                run.leave()
                run.finish(stop.value)
                return stop.value
            except BaseException as error:
                run.leave()
                run.fail(error)
                thrown = None  # the frame lives on in the traceback
                raise
            run.leave()
            run.add(item)
            try:
                sent = yield item
            except GeneratorExit as closing:
                close(generator, run, closing)
                raise
            except BaseException as error:  # noqa: BLE001 - goes on into the generator
                thrown = error

    return wrapper


def close(generator: Generator[Any, Any, Any], run: Steps, closing: GeneratorExit) -> None:
    """Close a generator whose consumer stopped early."""
    run.enter()
    try:
        generator.close()
    except BaseException as error:
        run.leave()
        run.fail(error)
        raise
    run.leave()
    run.fail(closing)


def wrap_async_generator(function: Callable[..., AsyncGenerator[Any, Any]], recipe: Recipe) -> Any:
    """Return an async generator function that records a span for every run of `function`."""
    return drive_async(function, partial(Run, recipe))


def drive_async(function: Callable[..., AsyncGenerator[Any, Any]], start: StartSteps) -> Any:
    """Return the same for an async generator function."""

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        run = start(args, kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            run.enter()
            try:
                if thrown is not None:
                    item = await generator.athrow(thrown)
                    thrown = None
                else:
                    item = await generator.asend(sent)
            except StopAsyncIteration:
                run.leave()
                run.finish()
                return
            except BaseException as error:
                run.leave()
                run.fail(error)
                thrown = None  # the frame lives on in the traceback
                raise
            run.leave()
            run.add(item)
            try:
                sent = yield item
            except GeneratorExit as closing:
                await close_async(generator, run, closing)
                raise
            except BaseException as error:  # noqa: BLE001 - goes on into the generator
                thrown = error

    return wrapper


async def close_async(
    generator: AsyncGenerator[Any, Any], run: Steps, closing: GeneratorExit
) -> None:
    """Close an async generator whose consumer stopped early."""
    run.enter()
    try:
        await generator.aclose()
    except BaseException as error:
        run.leave()
        run.fail(error)
        raise
    run.leave()
    run.fail(closing)
