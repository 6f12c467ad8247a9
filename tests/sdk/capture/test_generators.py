from __future__ import annotations

import asyncio
import gc
import json

import pytest

import whence
from whence import semconv
from whence.otlp.records import STATUS_ERROR, STATUS_OK


@whence.trace
def count(limit):
    yield from range(limit)
    return "all"


@whence.trace
def echo():
    received = []
    while True:
        try:
            word = yield len(received)
        except KeyError as error:
            word = f"caught {error.args[0]}"
        if word is None:
            return received
        received.append(word)


@whence.trace
async def count_async(limit):
    for i in range(limit):
        await asyncio.sleep(0)
        yield i


def test_items_and_the_return_value_are_recorded(spans, inputs_of, outputs_of):
    def consume():
        return (yield from count(3))

    generator = consume()
    assert [next(generator), next(generator), next(generator)] == [0, 1, 2]
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "all"
    record = spans.one("count")
    assert inputs_of(record) == {"limit": 3}
    assert outputs_of(record) == [0, 1, 2]
    assert json.loads(record.attributes[semconv.GENERATOR_RETURN]) == "all"
    assert semconv.GENERATOR_CLOSED not in record.attributes
    assert semconv.SPAN_FUNCTION_NAME not in record.attributes
    assert [event.name for event in record.events] == [f"mlflow.chunk.item.{i}" for i in range(3)]
    assert record.events[1].attributes == {"mlflow.chunk.value": "1"}


def test_a_generator_that_is_never_started_leaves_no_span(spans):
    count(3)
    gc.collect()
    assert len(spans) == 0


def test_send_and_throw_reach_the_generator(spans, outputs_of):
    generator = echo()
    assert next(generator) == 0
    assert generator.send("a") == 1
    assert generator.throw(KeyError("k")) == 2
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == ["a", "caught k"]
    assert outputs_of(spans.one()) == [0, 1, 2]
    assert spans.one().status == STATUS_OK


def test_an_error_thrown_in_and_not_caught_is_recorded(spans):
    generator = count(3)
    next(generator)
    error = ValueError("from outside")
    with pytest.raises(ValueError) as caught:
        generator.throw(error)
    assert caught.value is error
    assert spans.one().status == STATUS_ERROR


@pytest.mark.parametrize("how", ["close", "collect"])
def test_an_early_close_ends_the_span_and_is_no_error(spans, outputs_of, how):
    generator = count(100)
    assert [next(generator), next(generator)] == [0, 1]
    if how == "close":
        generator.close()
    else:
        del generator
        gc.collect()
    record = spans.one()
    assert outputs_of(record) == [0, 1]
    assert record.attributes[semconv.GENERATOR_CLOSED] is True
    assert record.status == STATUS_OK
    assert record.events[-1].name != "exception"


def test_clean_up_code_runs_inside_the_span_when_closed_early(spans):
    @whence.trace
    def careful():
        try:
            yield 1
        finally:
            with whence.start_span("clean up"):
                pass

    generator = careful()
    next(generator)
    generator.close()
    assert spans.one("clean up").parent_id == spans.one("careful").span_id


def test_an_error_of_the_generator_keeps_the_items_before_it(spans, outputs_of):
    @whence.trace
    def fail():
        yield 1
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(fail())
    record = spans.one()
    assert (record.status, outputs_of(record)) == (STATUS_ERROR, [1])


def test_the_reducer_makes_the_outputs(spans, outputs_of, warnings_logged):
    @whence.trace(output_reducer="".join)
    def words():
        yield "a"
        yield "b"

    @whence.trace(output_reducer=sum)
    def wrong():
        yield "a"

    assert list(words()) == ["a", "b"]
    assert list(wrong()) == ["a"]
    assert outputs_of(spans.one("words")) == "ab"
    assert outputs_of(spans.one("wrong")) == ["a"]
    assert any("output_reducer" in text for text in warnings_logged())


def test_the_span_is_active_only_while_the_generators_own_code_runs(spans):
    seen = []

    @whence.trace
    def inner():
        with whence.start_span("held open"):
            seen.append(whence.get_current_active_span().name)
            yield 1
            seen.append(whence.get_current_active_span().name)
            yield 2
        seen.append(whence.get_current_active_span().name)
        yield 3

    @whence.trace
    def outer():
        for _ in inner():
            seen.append(whence.get_current_active_span().name)
            with whence.start_span("consumer"):
                pass

    outer()
    assert seen == ["held open", "outer", "held open", "outer", "inner", "outer"]
    by_name = {record.name: record for record in spans.records}
    assert by_name["held open"].parent_id == by_name["inner"].span_id
    assert by_name["inner"].parent_id == by_name["consumer"].parent_id == by_name["outer"].span_id
    assert whence.get_current_active_span() is None


def test_interleaved_generators_keep_their_own_spans(spans):
    @whence.trace
    def worker(name):
        for i in range(3):
            with whence.start_span(f"{name}{i}"):
                yield whence.get_current_active_span().name

    left, right = worker("l"), worker("r")
    assert [name for pair in zip(left, right) for name in pair] == [
        "l0",
        "r0",
        "l1",
        "r1",
        "l2",
        "r2",
    ]
    assert next(left, None) is None
    assert next(right, None) is None
    parents = {record.span_id: record for record in spans.records if record.name == "worker"}
    assert len(parents) == 2
    assert len({record.trace_id for record in spans.records}) == 2
    for record in spans.records:
        if record.name[0] in "lr":
            owner = parents[record.parent_id]
            assert json.loads(owner.attributes[semconv.INPUTS])["name"] == record.name[0]


def test_a_generator_may_be_resumed_in_another_thread(spans):
    from concurrent.futures import ThreadPoolExecutor

    @whence.trace
    def worker():
        with whence.start_span("inside"):
            yield 1
            yield 2

    generator = worker()
    items = []
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            items.append(pool.submit(next, generator, None).result())
    assert items == [1, 2, None]
    assert spans.one("inside").parent_id == spans.one("worker").span_id
    assert whence.get_current_active_span() is None


async def test_async_generators_are_recorded(spans, outputs_of):
    assert [item async for item in count_async(3)] == [0, 1, 2]
    assert outputs_of(spans.one()) == [0, 1, 2]


async def test_asend_and_athrow_reach_the_generator(spans):
    @whence.trace
    async def talk():
        heard = []
        try:
            while True:
                heard.append((yield len(heard)))
        except KeyError:
            yield heard

    generator = talk()
    assert await generator.asend(None) == 0
    assert await generator.asend("a") == 1
    assert await generator.athrow(KeyError("k")) == ["a"]
    await generator.aclose()
    assert spans.one().attributes[semconv.GENERATOR_CLOSED] is True


async def test_breaking_out_of_an_async_generator_ends_its_span(spans, outputs_of):
    async for item in count_async(100):
        if item == 1:
            break
    gc.collect()
    while not len(spans):
        await asyncio.sleep(0)
    record = spans.one()
    assert outputs_of(record) == [0, 1]
    assert record.attributes[semconv.GENERATOR_CLOSED] is True
    assert record.status == STATUS_OK


async def test_a_cancelled_async_generator_is_an_error(spans):
    started = asyncio.Event()

    @whence.trace
    async def wait():
        yield 1
        started.set()
        await asyncio.Event().wait()

    async def consume():
        async for _ in wait():
            pass

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.one().status == STATUS_ERROR


async def test_interleaved_async_generators_keep_their_own_spans(spans):
    @whence.trace
    async def worker(name):
        for i in range(2):
            with whence.start_span(f"{name}{i}"):
                await asyncio.sleep(0)
                yield i

    async def consume(name):
        async for _ in worker(name):
            await asyncio.sleep(0)
            assert whence.get_current_active_span() is None

    await asyncio.gather(consume("l"), consume("r"))
    parents = {record.span_id: record for record in spans.records if record.name == "worker"}
    for record in spans.records:
        if record.name != "worker":
            assert (
                json.loads(parents[record.parent_id].attributes[semconv.INPUTS])["name"]
                == record.name[0]
            )


def test_a_long_stream_keeps_a_bounded_record(spans):
    items = 10_050
    assert sum(1 for _ in count(items)) == items
    record = spans.one()
    assert len(record.events) == 10_000
    assert "50 further items" in record.attributes[semconv.CAPTURE_PROBLEM]


def test_a_coroutine_that_is_closed_before_its_end_is_recorded(spans):
    @whence.trace
    async def wait():
        await asyncio.sleep(60)

    coroutine = wait()

    async def start():
        coroutine.send(None)

    asyncio.run(start())
    coroutine.close()
    record = spans.one()
    assert record.attributes[semconv.GENERATOR_CLOSED] is True
    assert whence.get_current_active_span() is None
