"""The WSGI middleware: the body is generated in the context, and servers see what they look for."""

from __future__ import annotations

import io
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import whence
from whence import semconv
from whence.web import WSGIMiddleware


def record(name):
    with whence.start_span(name):
        pass


def call(app, **variables):
    """Call an application as a server does; return what it returns."""
    environ = {"HTTP_X_SESSION_ID": "s-1", **variables}
    setup_testing_defaults(environ)
    return app(environ, lambda status, headers, exc_info=None: lambda data: None)


def start(start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])


def test_a_body_is_generated_and_closed_in_the_context_of_its_request(spans):
    def application(environ, start_response):
        start(start_response)
        record("call")
        try:
            with whence.start_span("body"):
                for part in (b"1", b"2"):
                    record(f"part {part.decode()}")
                    yield part
        finally:
            record("clean-up")

    body = call(WSGIMiddleware(application))
    for _ in range(2):
        next(body)
        record("server's")
    body.close()
    record("after")
    assert spans.metadata("after") == {}
    assert spans.metadata("body") == {semconv.SESSION: "s-1"}
    assert spans.one("part 2").parent_id == spans.one("body").span_id
    assert spans.metadata("clean-up") == {semconv.SESSION: "s-1"}
    servers = [one for one in spans.records if one.name == "server's"]
    assert all(one.parent_id is None for one in servers)
    assert not any(semconv.METADATA_PREFIX + semconv.SESSION in one.attributes for one in servers)


def test_interleaved_bodies_do_not_mix(spans):
    def application(environ, start_response):
        for part in range(3):
            record(f"{environ['HTTP_X_SESSION_ID']} {part}")
            yield b""

    app = WSGIMiddleware(application)
    bodies = [call(app, HTTP_X_SESSION_ID=f"s-{number}") for number in range(5)]
    for _ in range(3):
        for body in bodies:
            next(body)
    for number in range(5):
        for part in range(3):
            assert spans.metadata(f"s-{number} {part}") == {semconv.SESSION: f"s-{number}"}


def test_an_application_that_keeps_to_the_standard_still_does(spans):
    def application(environ, start_response):
        start(start_response)
        record("call")

        def produce():
            yield b"1"
            yield b"2"

        return produce()

    body = call(validator(WSGIMiddleware(validator(application))), QUERY_STRING="")
    assert list(body) == [b"1", b"2"]
    body.close()
    assert spans.metadata("call") == {semconv.SESSION: "s-1"}


@pytest.mark.parametrize(
    "make", [lambda: [b"1"], lambda: (b"1",), lambda: FileWrapper(io.BytesIO())]
)
def test_what_a_server_knows_how_to_send_is_passed_on_as_it_is(make):
    returned = make()
    app = WSGIMiddleware(lambda environ, start_response: returned)
    assert call(app, **{"wsgi.file_wrapper": FileWrapper}) is returned


def test_a_body_without_close_may_be_closed():
    body = call(WSGIMiddleware(lambda environ, start_response: iter([b"1"])))
    assert list(body) == [b"1"]
    body.close()


def test_exceptions_pass_from_the_call_and_from_the_body():
    error = RuntimeError("the application's")

    def fail(environ, start_response):
        raise error

    def fail_later(environ, start_response):
        yield b"1"
        raise error

    with pytest.raises(RuntimeError) as caught:
        call(WSGIMiddleware(fail))
    assert caught.value is error
    body = call(WSGIMiddleware(fail_later))
    assert next(body) == b"1"
    with pytest.raises(RuntimeError) as caught:
        next(body)
    assert caught.value is error


def test_the_function_of_a_request_is_given_the_environ(spans):
    def application(environ, start_response):
        record("call")
        return []

    app = WSGIMiddleware(
        application,
        {"X-Tenant": "tenant"},
        context=lambda environ: {"path": environ["PATH_INFO"]},
    )
    call(app, HTTP_X_TENANT="t-1", PATH_INFO="/chat", HTTP_X_REQUEST_ID="r-1")
    assert spans.metadata() == {semconv.SESSION: "s-1", "tenant": "t-1", "path": "/chat"}
    assert spans.one().attributes[semconv.CLIENT_REQUEST_ID] == "r-1"


def test_a_request_that_says_nothing_is_not_touched():
    returned = iter([b""])
    app = WSGIMiddleware(lambda environ, start_response: returned)
    assert call(app, HTTP_X_SESSION_ID="") is returned
