"""Each framework on a real server: every trace has its own request's session, user and request id.

The applications are in `applications/`; their handlers read no header.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from otlp_sink import Sink
from web_servers import GUNICORN, UVICORN, serving_application
from whence import semconv
from whence.testing import strip_prefix

if TYPE_CHECKING:
    from whence.otlp.records import SpanRecord

PATIENCE_S = 30


class Case(NamedTuple):
    """A framework on a server, and how its routes are called."""

    server: tuple[str, ...]
    target: str
    ask: str = "/ask"
    stream: str = "/stream"
    thread: str = "/thread"
    fail: str = "/fail"
    env: tuple[tuple[str, str], ...] = ()
    together: int = 8


CASES = {
    "starlette": Case(UVICORN, "starlette_app:app", together=20),
    "starlette-threads": Case(
        UVICORN, "starlette_app:app", ask="/ask-in-thread", stream="/stream-async"
    ),
    "fastapi": Case(UVICORN, "fastapi_app:app", together=20),
    "fastapi-threads": Case(
        UVICORN, "fastapi_app:app", ask="/ask-in-thread", stream="/stream-async"
    ),
    "flask": Case(GUNICORN, "flask_app:app"),
    "django-wsgi": Case(GUNICORN, "django_app:application"),
    "django-asgi": Case(
        UVICORN,
        "django_app:asgi_application",
        ask="/ask-async",
        stream="/stream-async",
        thread="/thread-async",
        fail="/fail-async",
        together=20,
    ),
    "django-asgi-mixed": Case(
        UVICORN,
        "django_app:asgi_application",
        ask="/ask-async",
        thread="/thread-async",
        env=(("MIXED", "1"),),
    ),
}


class Recorded:
    """The traces that arrived at the sink."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def wait(self, name: str, *numbers: object) -> list[dict[str, str]]:
        """Return what the roots of a name carry once the traces of these requests are there."""
        wanted = {str(number) for number in numbers}

        def found():
            roots = [span for span in self.sink.spans() if span.name == name and span.end_time_ns]
            described = [describe(span) for span in roots if not span.parent_id]
            return [one for one in described if one["n"] in wanted]

        def are_here():
            return {one["n"] for one in found()} == wanted

        with self.sink.arrived:
            assert self.sink.arrived.wait_for(are_here, PATIENCE_S), (
                f"{len(found())} of {len(wanted)} traces {name!r} among {self.sink.names()}"
            )
        return found()


def describe(root: SpanRecord) -> dict[str, str]:
    return {
        **strip_prefix(root.attributes, semconv.METADATA_PREFIX),
        "request": root.attributes.get(semconv.CLIENT_REQUEST_ID, ""),
        "provenance": root.attributes.get(semconv.PROVENANCE, ""),
    }


@pytest.fixture(scope="module", params=CASES)
def served(request):
    """A case, its client and what was recorded; one server for the tests of a case."""
    case = CASES[request.param]
    sink = Sink()
    try:
        with (
            serving_application(
                case.server, case.target, WHENCE_URL=sink.url, **dict(case.env)
            ) as running,
            httpx.Client(base_url=running.url, timeout=PATIENCE_S) as client,
        ):
            yield case, client, Recorded(sink)
    finally:
        sink.close()


def headers_of(number: object) -> dict[str, str]:
    return {
        "X-Session-ID": f"session-{number}",
        "X-User-ID": f"user-{number}",
        "X-Request-ID": f"request-{number}",
    }


def check(metadata: dict[str, str]) -> None:
    """Fail where a trace has another request's session, user or id."""
    number = metadata["n"]
    assert metadata[semconv.SESSION] == f"session-{number}"
    assert metadata[semconv.TRACE_USER] == f"user-{number}"
    assert metadata["request"] == f"request-{number}"
    assert json.loads(metadata["provenance"]).items() >= {
        (semconv.SESSION, "header X-Session-ID"),
        (semconv.TRACE_USER, "header X-User-ID"),
    }


def test_two_hundred_interleaved_requests_do_not_mix(served):
    case, client, recorded = served
    numbers = range(200)

    def ask(number):
        query = {"n": str(number), "meet": str(case.together)}
        return client.get(case.ask, params=query, headers=headers_of(number))

    with ThreadPoolExecutor(case.together) as pool:
        answers = list(pool.map(ask, numbers))
    assert {answer.status_code for answer in answers} == {200}
    for name in ("before", "ask"):
        found = recorded.wait(name, *numbers)
        for metadata in found:
            check(metadata)
        assert sorted(int(metadata["n"]) for metadata in found) == list(numbers)


def test_the_context_holds_while_a_body_is_streamed(served):
    case, client, recorded = served

    def stream(number):
        return client.get(case.stream, params={"n": number}, headers=headers_of(number)).text

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(stream, range(8))) == {"0\n1\n2\n"}
    for name in ("stream", "after stream"):
        for metadata in recorded.wait(name, *range(8)):
            check(metadata)


def test_a_body_that_is_not_read_to_its_end_breaks_nothing(served):
    case, client, _ = served
    with client.stream("GET", case.stream, params={"n": "cut"}, headers=headers_of("cut")) as part:
        assert part.status_code == 200
        next(part.iter_bytes())
    assert client.get(case.ask, params={"n": "next"}, headers=headers_of("next")).status_code == 200


def test_threads_and_tasks_inherit_it(served):
    case, client, recorded = served
    assert client.get(case.thread, params={"n": "t"}, headers=headers_of("t")).status_code == 200
    names = ("thread", "task") if case.server is UVICORN else ("thread",)
    for name in names:
        for metadata in recorded.wait(name, "t"):
            check(metadata)


def test_a_handlers_exception_passes_and_is_recorded_with_its_session(served):
    case, client, recorded = served
    assert client.get(case.fail, params={"n": "f"}, headers=headers_of("f")).status_code == 500
    for metadata in recorded.wait("fail", "f"):
        check(metadata)


def test_a_request_without_the_headers_gives_nothing(served):
    case, client, recorded = served
    assert client.get(case.ask, params={"n": "x"}, headers=headers_of("x")).status_code == 200
    assert client.get(case.ask, params={"n": "bare"}).status_code == 200
    (metadata,) = recorded.wait("ask", "bare")
    assert semconv.SESSION not in metadata
    assert semconv.TRACE_USER not in metadata
    assert metadata["request"] == ""


@pytest.mark.parametrize("target", ["starlette", "fastapi"])
def test_background_tasks_inherit_it(target):
    case, sink = CASES[target], Sink()
    try:
        with serving_application(case.server, case.target, WHENCE_URL=sink.url) as running:
            answer = httpx.get(f"{running.url}/later", params={"n": "1"}, headers=headers_of(1))
            assert answer.status_code == 200
            for metadata in Recorded(sink).wait("later", 1):
                check(metadata)
    finally:
        sink.close()


class Gate:
    """Holds the sink's answers back, and tells when it does."""

    def __init__(self) -> None:
        self.is_holding, self.is_open = threading.Event(), threading.Event()
        self.set = self.is_open.set

    def wait(self, limit_s: float) -> None:
        self.is_holding.set()
        self.is_open.wait(limit_s)


@pytest.mark.parametrize("target", ["starlette_app:app", "fastapi_app:app"])
def test_what_was_recorded_just_before_the_server_ends_arrives(target):
    """Uvicorn ends by a signal, and a span that starts in a thread can't watch for signals."""
    sink = Sink()
    sink.gate = gate = Gate()

    def ask(number):
        query = {"n": number}
        answer = httpx.get(f"{running.url}/ask-in-thread", params=query, headers=headers_of(number))
        assert answer.status_code == 200

    def open_gate_at_the_end():
        while not any("application shutdown" in line for line in running.log):
            time.sleep(0.01)  # another process's log
        gate.set()

    try:
        with serving_application(UVICORN, target, WHENCE_URL=sink.url) as running:
            ask("1")
            assert gate.is_holding.wait(PATIENCE_S)
            ask("2")
            opener = threading.Thread(target=open_gate_at_the_end, daemon=True)
            opener.start()
        for metadata in Recorded(sink).wait("ask", "1", "2"):
            check(metadata)
    finally:
        sink.close()
