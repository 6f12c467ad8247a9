"""`whence.web.instrument`, and what loading `whence.web` brings along."""

from __future__ import annotations

import subprocess
import sys

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError


def test_fastapi_starlette_and_flask_are_recognised(spans):
    from fastapi import FastAPI
    from flask import Flask
    from starlette.testclient import TestClient

    fastapi_app, flask_app = FastAPI(), Flask("test")

    @fastapi_app.get("/ask")
    @flask_app.get("/ask")
    def ask():
        with whence.start_span("ask"):
            return "done"

    assert whence.web.instrument(fastapi_app, {"X-Tenant": "tenant"}) is fastapi_app
    assert whence.web.instrument(flask_app, {"X-Tenant": "tenant"}) is flask_app
    for client in (TestClient(fastapi_app), flask_app.test_client()):
        assert client.get("/ask", headers={"X-Tenant": "t-1"}).status_code == 200
    for record in spans.records:
        assert record.attributes[semconv.METADATA_PREFIX + "tenant"] == "t-1"
    assert len(spans) == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_it_works_inside_and_outside_of_starlettes_own_middlewares(spans, is_first):
    from starlette.applications import Starlette
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def ask(request):
        with whence.start_span("ask"):
            return PlainTextResponse("done")

    async def pass_on(request, call_next):
        return await call_next(request)

    app = Starlette(routes=[Route("/ask", ask)])
    if is_first:
        whence.web.instrument(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    if not is_first:
        whence.web.instrument(app)
    assert TestClient(app).get("/ask", headers={"X-Session-ID": "s-1"}).text == "done"
    assert spans.metadata("ask") == {semconv.SESSION: "s-1"}


def test_the_second_call_changes_nothing(spans):
    from fastapi import FastAPI

    app = FastAPI()
    for _ in range(2):
        whence.web.instrument(app)
    assert len(app.user_middleware) == 1
    assert whence.tracing.stats().problems == {"instrumented_twice": 1}


def test_another_application_is_refused_with_the_way_out():
    with pytest.raises(InvalidInputError, match=r"but got function\. Wrap any other one: app = "):
        whence.web.instrument(lambda scope, receive, send: None)


def test_wrong_options_show_at_once():
    from fastapi import FastAPI

    app = FastAPI()
    with pytest.raises(InvalidInputError, match="`user_key` is empty"):
        whence.web.instrument(app, user_key="")
    assert app.user_middleware == []


def test_no_framework_is_loaded_and_import_whence_does_not_load_the_middlewares():
    code = (
        "import sys, whence\n"
        "assert 'whence.web' not in sys.modules and 'whence.sdk.web' not in sys.modules\n"
        "whence.web.ASGIMiddleware(None), whence.web.WSGIMiddleware(None)\n"
        "names = ('asgiref', 'asyncio', 'django', 'fastapi', 'flask', 'starlette', 'werkzeug')\n"
        "assert not [name for name in names if name in sys.modules], sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
