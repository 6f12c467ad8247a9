"""Programs that record, and look at nothing that is stored."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from road import entities, mlflow


def decorated():
    @mlflow.trace
    def answer(question, *more, style="short", **options):
        return {"answer": question.upper(), "more": list(more)}

    return answer("why", 1, 2.5, temperature=0.5)


def named():
    @mlflow.trace(
        name="search",
        span_type=entities.SpanType.RETRIEVER,
        attributes={"k": 3, "list": [1, {"a": None}]},
    )
    def find(query):
        return [entities.Document("text", {"source": "a"}, "1").to_dict()]

    return find("q")


def nested():
    @mlflow.trace(span_type="TOOL")
    def add(x, y):
        return x + y

    @mlflow.trace(span_type="AGENT")
    def agent(numbers):
        total = 0
        for number in numbers:
            total = add(total, number)
        return total

    return agent([1, 2, 3])


def methods():
    class Bot:
        @mlflow.trace
        def say(self, text):
            return text

        @classmethod
        @mlflow.trace
        def make(cls, name="bot"):
            return name

        @staticmethod
        @mlflow.trace
        def count(n: int = 1):
            return n

    return [Bot().say("hi"), Bot.make(), Bot.count(2)]


def nothing_returned():
    @mlflow.trace
    def act():
        return None

    act()


def exceptions():
    @mlflow.trace
    def inner():
        raise ValueError("no such city")

    @mlflow.trace
    def outer():
        inner()

    try:
        outer()
    except ValueError as error:
        return str(error)


def handled_exception():
    @mlflow.trace
    def inner():
        raise KeyError("k")

    @mlflow.trace
    def outer():
        try:
            inner()
        except KeyError:
            return "handled"

    return outer()


def coroutines():
    @mlflow.trace
    async def fetch(n):
        await asyncio.sleep(0)
        return n * 2

    @mlflow.trace
    async def gather():
        return await asyncio.gather(*(fetch(n) for n in range(3)))

    return asyncio.run(gather())


def generators():
    @mlflow.trace
    def count(n):
        yield from range(n)

    @mlflow.trace(output_reducer="".join)
    def words():
        yield "a"
        yield "b"

    return [list(count(3)), list(words())]


def async_generators():
    @mlflow.trace
    async def count(n):
        for i in range(n):
            yield {"i": i}

    async def consume():
        return [item async for item in count(2)]

    return asyncio.run(consume())


def manual():
    with mlflow.start_span("plan", span_type="CHAIN", attributes={"step": 1}) as span:
        span.set_inputs({"q": [1, "ü", None, True]})
        with mlflow.start_span("inner") as inner:
            inner.set_attribute("nested", {"a": {"b": [1.5]}})
            inner.set_attributes({"x": "y", "z": False})
            inner.add_event(entities.SpanEvent("happened", attributes={"n": 1, "s": "t"}))
            inner.set_status("ERROR")
        span.set_outputs(["done"])


def levels_and_words():
    with mlflow.start_span("a", log_level="WARNING", description="what it is for"):
        with mlflow.start_span("b", span_type="LLM") as span:
            span.set_span_type("CHAT_MODEL")
        with mlflow.start_span("c") as span:
            span.set_log_level("ERROR")


def statuses():
    with mlflow.start_span("ok") as span:
        span.set_status(entities.SpanStatus(entities.SpanStatusCode.OK))
    with mlflow.start_span("bad") as span:
        span.set_status(entities.SpanStatus("ERROR", "it broke"))
    with mlflow.start_span("recorded") as span:
        span.record_exception("only a text")


def without_context():
    root = mlflow.start_span_no_context(
        "root", inputs={"a": 1}, tags={"t": "u"}, metadata={"m": "n"}, attributes={"k": "v"}
    )
    child = mlflow.start_span_no_context("child", parent_span=root, span_type="TOOL")
    child.end(outputs=5)
    root.end(outputs="end", attributes={"late": 1}, status="OK")


def by_ids():
    client = mlflow.MlflowClient()
    root = client.start_trace("root", inputs={"q": 1}, attributes={"k": "v"}, tags={"t": "u"})
    child = client.start_span("child", root.trace_id, root.span_id, span_type="TOOL", inputs=[1])
    client.end_span(root.trace_id, child.span_id, outputs=[2], attributes={"n": 3})
    client.end_trace(root.trace_id, outputs="done", status="ERROR")


def about_the_trace():
    @mlflow.trace
    def turn(text):
        mlflow.update_current_trace(
            tags={"team": "blue", "drop": "x"},
            metadata={"tenant": "acme"},
            session_id="s-1",
            user="u-7",
            client_request_id="r-1",
            request_preview="asked",
            response_preview="answered",
        )
        mlflow.update_current_trace(tags={"team": "red"}, metadata={"tenant": "own", "n": "1"})
        mlflow.set_trace_tag(mlflow.get_active_trace_id(), "while", "open")
        mlflow.delete_trace_tag(mlflow.get_active_trace_id(), "drop")
        return text

    return turn("hi")


def stated_outcome():
    with mlflow.start_span("fine"):
        mlflow.update_current_trace(state="ERROR")


def blocks():
    with mlflow.tracing.context(
        metadata={"a": "1", "b": "1"}, tags={"t": "1"}, session_id="s", user="u"
    ):
        with mlflow.tracing.context(metadata={"b": "2"}), mlflow.start_span("in"):
            mlflow.update_current_trace(metadata={"c": "3"})
        with mlflow.tracing.context(enabled=False), mlflow.start_span("off"):
            pass
    with mlflow.start_span("out"):
        pass


def switched_off():
    @mlflow.trace(sampling_ratio_override=0.0)
    def never(x):
        return x

    mlflow.tracing.disable()
    with mlflow.start_span("off") as span:
        seen = span.trace_id
    mlflow.tracing.enable()
    return [never(1), seen]


def threads():
    @mlflow.trace
    def work(n):
        return n

    @mlflow.trace
    def fan_out():
        with ThreadPoolExecutor(2) as pool:
            copies = [(contextvars.copy_context(), n) for n in range(3)]
            futures = [pool.submit(copy.run, work, n) for copy, n in copies]
            return [future.result() for future in futures]

    return fan_out()


def redacted():
    def redact(span):
        span.set_inputs({"text": "***"})
        span.set_attribute("redacted", True)

    with mlflow.tracing.configure(span_processors=[redact]), mlflow.start_span("secret") as span:
        span.set_inputs({"text": "4711"})


def chat():
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "capital of France?"},
    ]
    with mlflow.start_span("chat", span_type="CHAT_MODEL") as span:
        span.set_inputs({"messages": messages, "model": "m"})
        usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
        span.set_attribute("mlflow.chat.tokenUsage", usage)
        span.set_outputs({"choices": [{"message": {"role": "assistant", "content": "Paris"}}]})
        tool = {"type": "function", "function": {"name": "look_up", "description": "looks up"}}
        if sys.argv[1] == "mlflow":  # it takes models of Pydantic's alone
            chat_tool = importlib.import_module("mlflow.types.chat").ChatTool
            mlflow.tracing.set_span_chat_tools(span, [chat_tool(**tool)])
        else:
            mlflow.tracing.set_span_chat_tools(span, [tool])


def tokens_of_a_tree():
    def usage(span, n):
        counted = {"input_tokens": n, "output_tokens": 1, "total_tokens": n + 1}
        span.set_attribute("mlflow.chat.tokenUsage", counted)

    with mlflow.start_span("root"):
        with mlflow.start_span("agent") as span:
            usage(span, 10)
            with mlflow.start_span("llm") as span:
                usage(span, 5)
        with mlflow.start_span("llm") as span:
            usage(span, 100)


@dataclass
class Point:
    x: int
    when: datetime


def values():
    @mlflow.trace
    def keep(value):
        return value

    for value in (
        Point(1, datetime(2020, 1, 2, 3, 4, 5)),
        (1, (2, 3)),
        "ü\u4e2d",
        {1: "a", None: "b"},
        1e300,
        True,
        "",
        [],
        {},
    ):
        keep(value)


def long_texts():
    with mlflow.start_span("long") as span:
        span.set_inputs("x" * 5_000)
        mlflow.update_current_trace(response_preview="y" * 3_000)


def linked():
    with mlflow.start_span("first") as first:
        pass
    link = entities.Link(first.trace_id, first.span_id, {"kind": "follows"})
    with mlflow.start_span("second", links=[link]):
        pass


def headers():
    with mlflow.start_span("caller") as caller:
        sent = mlflow.tracing.get_tracing_context_headers_for_http_request()
    return [sorted(sent), sent["traceparent"].split("-")[1] == caller.trace_id[3:]]


def what_is_active():
    seen = [mlflow.get_active_trace_id(), mlflow.get_current_active_span()]
    with mlflow.start_span("a") as span:
        seen.append(mlflow.get_active_trace_id() == span.trace_id)
        seen.append(mlflow.get_current_active_span().name)
    seen.append(mlflow.get_last_active_trace_id() == span.trace_id)
    return seen
