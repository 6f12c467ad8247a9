from __future__ import annotations

import asyncio
import functools
import inspect

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError
from whence.otlp.records import STATUS_ERROR, STATUS_OK


def test_a_call_becomes_a_span_with_its_arguments_defaults_applied(spans, inputs_of, outputs_of):
    @whence.trace
    def add(x, y=2, *rest, flag=True, **options):
        return x + y

    assert add(1, z=3) == 3
    record = spans.one("add")
    assert inputs_of(record) == {"x": 1, "y": 2, "rest": [], "flag": True, "options": {"z": 3}}
    assert outputs_of(record) == 3
    assert record.status == STATUS_OK
    assert record.attributes[semconv.SPAN_FUNCTION_NAME] == "add"
    assert record.parent_id is None


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((1, 2), {}, {"a": 1, "b": 2, "c": 3}),
        ((1,), {"b": 5}, {"a": 1, "b": 5, "c": 3}),
        ((1,), {"c": 9, "b": 5}, {"a": 1, "b": 5, "c": 9}),
    ],
)
def test_positional_and_keyword_arguments_are_named(spans, inputs_of, args, kwargs, expected):
    @whence.trace
    def call(a, b, *, c=3):
        return None

    call(*args, **kwargs)
    assert inputs_of(spans.one()) == expected


def test_a_positional_only_name_may_be_repeated_as_a_keyword(spans, inputs_of):
    @whence.trace
    def call(a, /, **more):
        return None

    call(1, a=2)
    assert inputs_of(spans.one()) == {"a": 1, "more": {"a": 2}}


def test_wrong_arguments_raise_the_functions_own_error_and_leave_inputs_unset(
    spans, warnings_logged
):
    @whence.trace
    def call(a):
        return a

    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'a'"):
        call()
    record = spans.one()
    assert record.status == STATUS_ERROR
    assert semconv.INPUTS not in record.attributes
    assert any("do not fit" in text for text in warnings_logged())


def test_none_is_recorded_as_an_output(spans):
    whence.trace(lambda: None)()
    assert spans.one().attributes[semconv.OUTPUTS] == "null"


def test_what_the_body_sets_wins_over_arguments_and_result(spans, inputs_of, outputs_of):
    @whence.trace
    def call(a):
        span = whence.get_current_active_span()
        span.set_inputs({"seen": "differently"})
        span.set_outputs("said by the body")
        return "returned"

    assert call(1) == "returned"
    assert inputs_of(spans.one()) == {"seen": "differently"}
    assert outputs_of(spans.one()) == "said by the body"


def test_self_and_cls_are_left_out(spans, inputs_of):
    class Agent:
        @whence.trace
        def method(self, x):
            return self

        @whence.trace
        @classmethod
        def outside(cls, x):
            return cls

        @classmethod
        @whence.trace
        def inside(cls, x):
            return cls

        @whence.trace
        @staticmethod
        def outside_static(x):
            return x

        @staticmethod
        @whence.trace
        def inside_static(x):
            return x

    agent = Agent()
    assert agent.method(1) is agent
    assert Agent.outside(1) is Agent
    assert Agent.inside(1) is Agent
    assert Agent.outside_static(1) == agent.inside_static(1) == 1
    assert [inputs_of(record) for record in spans.records] == [{"x": 1}] * 5


def test_lambdas_partials_and_callable_objects_work(spans, inputs_of):
    class Callable:
        def __call__(self, x):
            return x

    def power(base, exponent):
        return base**exponent

    assert whence.trace(lambda x: x + 1)(1) == 2
    assert whence.trace(functools.partial(power, exponent=3))(2) == 8
    assert whence.trace(Callable())(5) == 5
    assert whence.trace(len)([1, 2]) == 2
    assert spans.names() == ["<lambda>", "power", "Callable", "len"]
    assert inputs_of(spans.records[1]) == {"base": 2, "exponent": 3}


async def test_coroutine_functions_are_awaited_inside_the_span(spans, outputs_of):
    @whence.trace
    async def outer(x):
        await asyncio.sleep(0)
        return await inner(x)

    @whence.trace(
        name="renamed", span_type="TOOL", attributes={"k": [1, {"a": 2}]}, description="why"
    )
    async def inner(x):
        return x * 2

    assert await outer(4) == 8
    child, parent = spans.records
    assert (child.name, child.parent_id) == ("renamed", parent.span_id)
    assert child.trace_id == parent.trace_id
    assert child.attributes[semconv.SPAN_TYPE] == "TOOL"
    assert child.attributes["k"] == [1, {"a": 2}]
    assert child.attributes[semconv.SPAN_DESCRIPTION] == "why"
    assert outputs_of(child) == 8


def test_the_wrapper_keeps_the_functions_face():
    @whence.trace
    async def coroutine(a: int, b: str = "x") -> str:
        """Doc."""
        return b

    @whence.trace
    def generator():
        yield 1

    @whence.trace
    async def async_generator():
        yield 1

    assert (coroutine.__name__, coroutine.__doc__) == ("coroutine", "Doc.")
    assert list(inspect.signature(coroutine).parameters) == ["a", "b"]
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    assert coroutine.__mlflow_traced__ is True


def test_an_exception_is_recorded_and_raised_unchanged(spans):
    error = ValueError("no such city")

    @whence.trace
    def fail():
        raise error

    with pytest.raises(ValueError) as caught:
        fail()
    assert caught.value is error
    record = spans.one()
    assert (record.status, record.status_message) == (STATUS_ERROR, "ValueError: no such city")
    [event] = record.events
    assert event.name == "exception"
    assert event.attributes["exception.type"] == "ValueError"
    assert event.attributes["exception.message"] == "no such city"
    assert "in fail" in event.attributes["exception.stacktrace"]
    assert record.attributes[semconv.SPAN_LOG_LEVEL] == 40


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_interrupts_and_exits_are_recorded_as_errors_and_raised(spans, kind):
    @whence.trace
    def stop():
        raise kind

    with pytest.raises(kind):
        stop()
    assert spans.one().status == STATUS_ERROR
    assert whence.get_active_trace_id() is None


async def test_a_cancelled_task_is_recorded_as_an_error(spans):
    started = asyncio.Event()

    @whence.trace
    async def wait():
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = spans.one()
    assert record.status == STATUS_ERROR
    assert record.status_message.startswith("CancelledError")


def test_an_exception_that_cannot_be_printed_is_still_the_one_raised(spans):
    class Unprintable(Exception):
        def __str__(self):
            raise RuntimeError("no")

    @whence.trace
    def fail():
        raise Unprintable

    with pytest.raises(Unprintable):
        fail()
    assert spans.one().status_message.startswith("Unprintable: ")


def test_bad_arguments_of_trace_itself_are_refused_at_decoration():
    with pytest.raises(InvalidInputError, match="only supported for generator functions"):
        whence.trace(lambda: 1, output_reducer=sum)
    with pytest.raises(
        InvalidInputError, match="sampling_ratio_override must be between 0.0 and 1.0, got 2"
    ):
        whence.trace(sampling_ratio_override=2)
    with pytest.raises(InvalidInputError, match="not a span log level"):
        whence.trace(log_level="LOUD")


def test_a_sampling_override_decides_for_the_whole_trace(spans):
    @whence.trace
    def child():
        return whence.get_current_active_span().trace_id

    @whence.trace(sampling_ratio_override=0.0)
    def never():
        whence.update_current_trace(metadata={"a": "b"})
        return child()

    @whence.trace(sampling_ratio_override=1.0)
    def always():
        return child()

    whence.configure(sampling_ratio=0.0)
    assert never() == "MLFLOW_NO_OP_SPAN_TRACE_ID"
    assert always().startswith("tr-")
    child()
    assert spans.names() == ["child", "always"]


def test_links_levels_and_destinations_are_kept(spans):
    from whence.entities import Link, MlflowExperimentLocation, SpanLogLevel

    link = Link("tr-" + "a" * 32, "b" * 16, {"why": "retry"})

    @whence.trace(
        links=[link], log_level="warning", trace_destination=MlflowExperimentLocation("77")
    )
    def call():
        span = whence.get_current_active_span()
        assert span.links == [link]
        assert span.log_level is SpanLogLevel.WARNING

    call()
    record = spans.one()
    assert (record.links[0].trace_id, record.links[0].span_id) == ("a" * 32, "b" * 16)
    assert record.attributes[semconv.SPAN_LOG_LEVEL] == 30
    assert spans.items[0].experiment_id == "77"


def test_threads_of_the_function_kind_nest_only_with_a_copied_context(spans):
    import contextvars
    from concurrent.futures import ThreadPoolExecutor

    @whence.trace
    def work(x):
        return x

    @whence.trace
    def fan_out():
        with ThreadPoolExecutor(2) as pool:
            inside = [pool.submit(contextvars.copy_context().run, work, i) for i in range(4)]
            apart = pool.submit(work, "apart")
        return [future.result() for future in [*inside, apart]]

    fan_out()
    root = spans.one("fan_out")
    children = [r for r in spans.records if r.name == "work" and r.trace_id == root.trace_id]
    assert [child.parent_id for child in children] == [root.span_id] * 4
    [apart] = [r for r in spans.records if r.trace_id != root.trace_id]
    assert apart.parent_id is None


async def test_tasks_run_at_once_nest_under_the_span_that_started_them(spans):
    @whence.trace
    async def leaf(i):
        await asyncio.sleep(0)
        with whence.start_span(f"inner {i}"):
            await asyncio.sleep(0)

    @whence.trace
    async def branch(i):
        await asyncio.gather(leaf(2 * i), leaf(2 * i + 1))

    @whence.trace
    async def root():
        await asyncio.gather(branch(0), branch(1))

    await root()
    by_id = {record.span_id: record for record in spans.records}
    assert len(by_id) == 11
    for record in spans.records:
        parent = by_id.get(record.parent_id)
        expected = {"root": None, "branch": "root", "leaf": "branch"}.get(record.name, "leaf")
        assert (parent.name if parent else None) == expected
