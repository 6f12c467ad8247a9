"""`whence.tracing.context` holds for every trace that starts inside, whatever starts it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError

context = whence.tracing.context


def record(name: str = "trace") -> None:
    with whence.start_span(name):
        pass


def session(spans, name):
    return spans.metadata(name).get(semconv.SESSION)


def provenance(spans, name=None):
    text = spans.one(name).attributes.get(semconv.PROVENANCE)
    return None if text is None else json.loads(text)


def test_a_thread_takes_the_block_along_in_a_copy_of_the_context(spans):
    with context(session_id="s-1"):
        copied = contextvars.copy_context()
        thread = threading.Thread(target=copied.run, args=(record, "copied"))
        bare = threading.Thread(target=record, args=("bare",))
        thread.start()
        bare.start()
        thread.join()
        bare.join()
    assert session(spans, "copied") == "s-1"
    assert session(spans, "bare") is None


def test_a_pool_takes_it_along_where_each_call_is_given_a_copy(spans):
    with ThreadPoolExecutor(1) as pool:
        for number in range(3):
            with context(session_id=f"s-{number}"):
                pool.submit(contextvars.copy_context().run, record, f"copied {number}").result(10)
        with context(session_id="s-9"):
            pool.submit(record, "bare").result(10)
    assert [session(spans, f"copied {number}") for number in range(3)] == ["s-0", "s-1", "s-2"]
    assert session(spans, "bare") is None


async def test_tasks_and_to_thread_inherit_it_and_outlive_it(spans):
    leave = asyncio.Event()

    async def work(name):
        await leave.wait()
        record(name)

    with context(session_id="s-1", user="u-1"):
        task = asyncio.create_task(work("task"))
        await asyncio.to_thread(record, "thread")
    leave.set()
    await task
    record("after")
    assert session(spans, "task") == session(spans, "thread") == "s-1"
    assert spans.metadata("after") == {}


async def test_interleaved_tasks_do_not_mix(spans):
    turn = asyncio.Barrier(20) if hasattr(asyncio, "Barrier") else None

    async def work(number):
        with context(session_id=f"s-{number}"):
            await (turn.wait() if turn else asyncio.sleep(0))
            record(f"t-{number}")
            await (turn.wait() if turn else asyncio.sleep(0))
            await asyncio.to_thread(record, f"u-{number}")

    await asyncio.gather(*(work(number) for number in range(20)))
    for number in range(20):
        assert session(spans, f"t-{number}") == session(spans, f"u-{number}") == f"s-{number}"


def test_a_generator_consumed_inside_the_block_is_within_it(spans):
    def produce():
        for number in range(2):
            record(f"item {number}")
            yield number

    with context(session_id="s-1"):
        assert list(produce()) == [0, 1]
    assert session(spans, "item 0") == session(spans, "item 1") == "s-1"


def test_a_decorated_generator_is_within_its_block_wherever_it_is_consumed(spans):
    @context(session_id="generator's")
    def produce():
        with whence.start_span("around"):
            received = yield 1
            record_child(received)
            with context(session_id="nested"):
                yield 2
        record("own trace")
        return "returned"

    def record_child(received):
        with whence.start_span("child"):
            whence.update_current_trace(metadata={"received": received})

    assert inspect.isgeneratorfunction(produce)
    generator = produce()
    with context(session_id="consumer's"):
        assert next(generator) == 1
        record("consumer 1")
        assert generator.send("sent") == 2
        record("consumer 2")
    with pytest.raises(StopIteration, match="returned"):
        next(generator)
    assert session(spans, "around") == session(spans, "own trace") == "generator's"
    assert session(spans, "consumer 1") == session(spans, "consumer 2") == "consumer's"
    assert spans.one("child").parent_id == spans.one("around").span_id
    assert spans.metadata("around")["received"] == "sent"


def test_a_decorated_generator_that_is_closed_early_cleans_up_within_its_block(spans):
    @context(session_id="generator's")
    def produce():
        try:
            yield 1
        finally:
            record("clean-up")

    generator = produce()
    next(generator)
    generator.close()
    assert session(spans, "clean-up") == "generator's"
    record("after")
    assert session(spans, "after") is None


async def test_a_decorated_async_generator_is_within_its_block(spans):
    @context(session_id="generator's")
    async def produce():
        for number in range(2):
            await asyncio.sleep(0)
            record(f"item {number}")
            yield number

    with context(session_id="consumer's"):
        async for number in produce():
            record(f"consumer {number}")
    assert session(spans, "item 0") == session(spans, "item 1") == "generator's"
    assert session(spans, "consumer 0") == session(spans, "consumer 1") == "consumer's"


async def test_it_decorates_functions_and_coroutine_functions(spans):
    @context(session_id="s-1")
    def call(name):
        """Says something."""
        record(name)
        if name == "outer":
            call("inner")
        return name

    @context(user="u-1")
    @whence.trace(name="traced")
    async def call_async(name):
        await asyncio.sleep(0)
        return name

    assert call("outer") == "outer"
    assert await call_async("result") == "result"
    assert (call.__name__, call.__doc__) == ("call", "Says something.")
    assert inspect.iscoroutinefunction(call_async)
    assert session(spans, "outer") == session(spans, "inner") == "s-1"
    assert spans.metadata("traced") == {semconv.TRACE_USER: "u-1"}
    record("after")
    assert spans.metadata("after") == {}


def test_a_block_may_be_entered_again_and_within_itself(spans):
    block = context(session_id="s-1")
    with block, context(session_id="between"), block:
        record("within")
    record("after")
    with block:
        record("again")
    assert session(spans, "within") == session(spans, "again") == "s-1"
    assert session(spans, "after") is None


def test_what_is_wrong_with_a_decorator_shows_when_it_is_written(spans):
    with pytest.raises(InvalidInputError, match="`metadata` must be a dict"):
        context(metadata="abc")


def test_an_exception_leaves_the_block_unchanged(spans):
    error = RuntimeError("the program's")
    with pytest.raises(RuntimeError) as caught, context(session_id="s-1"):
        raise error
    assert caught.value is error
    record("after")
    assert spans.metadata("after") == {}


def test_the_root_says_which_keys_came_from_a_block(spans):
    with context(metadata={"a": "1", "b": "1"}, tags={"t": "1"}, session_id="s-1"):
        with whence.start_span("root"):
            whence.update_current_trace(metadata={"b": "2", "c": "3"})
            record("child")
    assert provenance(spans, "root") == {"a": "context()", semconv.SESSION: "context()"}
    assert provenance(spans, "child") is None


def test_a_trace_that_was_told_everything_itself_has_no_provenance(spans):
    with context(session_id="s-1"), whence.start_span("root"):
        whence.update_current_trace(session_id="s-2", metadata={"a": "1"})
    assert spans.metadata() == {semconv.SESSION: "s-2", "a": "1"}
    assert provenance(spans) is None


def test_a_block_opened_within_a_trace_does_not_change_it(spans):
    with whence.start_span("root"), context(session_id="late"):
        record("child")
        other = whence.start_span_no_context("other trace")
        other.end()
    assert spans.metadata("root") == {}
    assert session(spans, "other trace") == "late"
