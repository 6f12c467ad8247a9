"""The published example, with only its import line changed, in both decorator orders, over HTTP."""

from __future__ import annotations

import os
import socket
import threading
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import whence as mlflow
from whence import semconv
from whence.testing import strip_prefix


class ChatRequest(BaseModel):
    message: str


class Answer(BaseModel):
    response: str


def describe_trace(request: Request) -> None:
    mlflow.update_current_trace(
        client_request_id=request.headers.get("X-Request-ID"),
        metadata={
            "mlflow.trace.session": request.headers.get("X-Session-ID"),
            "mlflow.trace.user": request.headers.get("X-User-ID"),
            "mlflow.source.type": os.getenv("APP_ENVIRONMENT", "development"),
            "environment": "production",
            "app_version": os.getenv("APP_VERSION", "1.0.0"),
            "deployment_id": os.getenv("DEPLOYMENT_ID", "unknown"),
            "region": os.getenv("REGION", "us-east-1"),
        },
    )


def find_user(token: str = "t") -> str:
    return f"user of {token}"


def make_app() -> FastAPI:
    app = FastAPI()

    @mlflow.trace
    @app.post("/chat")
    def trace_outside(request: Request, chat_request: ChatRequest):
        describe_trace(request)
        return {"response": f"Processed message: '{chat_request.message}'"}

    @app.post("/inside")
    @mlflow.trace
    def trace_inside(request: Request, chat_request: ChatRequest):
        describe_trace(request)
        return {"response": f"Processed message: '{chat_request.message}'"}

    @mlflow.trace(name="renamed", span_type="AGENT")
    @app.post("/async", response_model=Answer)
    async def trace_outside_async(request: Request, chat_request: ChatRequest):
        describe_trace(request)
        return {
            "response": f"Processed message: '{chat_request.message}'",
            "secret": "not in the model",
        }

    @app.post("/async-inside")
    @mlflow.trace
    async def trace_inside_async(request: Request, chat_request: ChatRequest):
        describe_trace(request)
        return {"response": f"Processed message: '{chat_request.message}'"}

    router = APIRouter(prefix="/v2")

    @mlflow.trace
    @router.post("/chat")
    def trace_outside_router(
        request: Request, chat_request: ChatRequest, user: Annotated[str, Depends(find_user)]
    ):
        describe_trace(request)
        return {"response": f"Processed message: '{chat_request.message}'"}

    outer = APIRouter(prefix="/api")
    outer.include_router(router)
    app.include_router(router)
    app.include_router(outer)

    @mlflow.trace
    @app.get("/one")
    @app.get("/two")
    async def on_two_routes():
        return {}

    @mlflow.trace
    @app.get("/stream", response_class=StreamingResponse)
    async def stream():
        for word in ("a", "b", "c"):
            yield word

    @mlflow.trace
    @app.get("/error")
    def error():
        raise RuntimeError("broken")

    @app.get("/untraced")
    def untraced():
        return {}

    @mlflow.trace
    @app.websocket("/socket")
    async def socket_endpoint(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    return app


@pytest.fixture(scope="module")
def base_url():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(make_app(), log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        port = listening.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


ROUTES = {
    "/chat": "trace_outside",
    "/inside": "trace_inside",
    "/async": "renamed",
    "/async-inside": "trace_inside_async",
    "/v2/chat": "trace_outside_router",
    "/api/v2/chat": "trace_outside_router",
}
HEADERS = {"X-Request-ID": "req-123", "X-Session-ID": "session-abc-456", "X-User-ID": "user-789"}


@pytest.mark.parametrize("path", ROUTES)
def test_every_decorator_order_records_one_trace_with_all_its_metadata(
    spans, inputs_of, base_url, path, monkeypatch
):
    monkeypatch.setenv("APP_VERSION", "2.1.0")
    for _ in range(2):
        answer = httpx.post(base_url + path, json={"message": "hi"}, headers=HEADERS)
        assert answer.json() == {"response": "Processed message: 'hi'"}
    first, second = spans.records
    assert first.trace_id != second.trace_id
    for record in (first, second):
        assert record.name == ROUTES[path]
        assert record.parent_id is None
        assert record.attributes[semconv.CLIENT_REQUEST_ID] == "req-123"
        assert inputs_of(record)["chat_request"] == {"message": "hi"}
        assert strip_prefix(record.attributes, semconv.METADATA_PREFIX) == {
            "mlflow.trace.session": "session-abc-456",
            "mlflow.trace.user": "user-789",
            "mlflow.source.type": "development",
            "environment": "production",
            "app_version": "2.1.0",
            "deployment_id": "unknown",
            "region": "us-east-1",
        }


@pytest.mark.parametrize("path", ROUTES)
def test_an_absent_header_leaves_its_key_out(spans, base_url, path, warnings_logged):
    assert httpx.post(base_url + path, json={"message": "hi"}).status_code == 200
    record = spans.one()
    assert semconv.CLIENT_REQUEST_ID not in record.attributes
    metadata = strip_prefix(record.attributes, semconv.METADATA_PREFIX)
    assert sorted(metadata) == [
        "app_version",
        "deployment_id",
        "environment",
        "mlflow.source.type",
        "region",
    ]
    assert "None" not in metadata.values()
    assert warnings_logged() == []


def test_many_requests_at_once_keep_their_traces_apart(spans, base_url):
    from concurrent.futures import ThreadPoolExecutor

    with httpx.Client() as client, ThreadPoolExecutor(8) as pool:

        def post(number):
            path = list(ROUTES)[number % len(ROUTES)]
            headers = {"X-Session-ID": f"s-{number}"}
            return client.post(base_url + path, json={"message": f"m-{number}"}, headers=headers)

        assert {answer.status_code for answer in pool.map(post, range(48))} == {200}
    assert len({record.trace_id for record in spans.records}) == len(spans) == 48
    for record in spans.records:
        number = record.attributes[semconv.METADATA_PREFIX + semconv.SESSION].removeprefix("s-")
        assert f'"m-{number}"' in record.attributes[semconv.INPUTS]


def test_a_function_on_two_routes_is_traced_on_both(spans, base_url):
    httpx.get(base_url + "/one")
    httpx.get(base_url + "/two")
    assert spans.names() == ["on_two_routes", "on_two_routes"]


def test_a_streaming_endpoint_is_traced_as_a_generator(spans, outputs_of, base_url):
    assert httpx.get(base_url + "/stream").text == "abc"
    assert outputs_of(spans.one("stream")) == ["a", "b", "c"]


def test_an_error_in_an_endpoint_is_recorded(spans, base_url):
    assert httpx.get(base_url + "/error").status_code == 500
    assert spans.one().status_message == "RuntimeError: broken"


def test_a_route_without_the_mark_is_left_alone(spans, base_url):
    assert httpx.get(base_url + "/untraced").json() == {}
    assert len(spans) == 0


def test_a_websocket_endpoint_is_traced(spans):
    from starlette.testclient import TestClient

    with TestClient(make_app()) as client, client.websocket_connect("/socket") as connection:
        assert connection.receive_text() == "hello"
    assert spans.names() == ["socket_endpoint"]


def test_an_endpoint_wrapped_by_another_decorator_is_traced_once(spans):
    import functools

    from starlette.testclient import TestClient

    app = FastAPI()

    def shout(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs).upper()

        return wrapper

    @app.get("/")
    @shout
    @mlflow.trace
    def hello(name: str):
        return f"hello {name}"

    with TestClient(app) as client:
        assert client.get("/", params={"name": "ada"}).json() == "HELLO ADA"
    assert spans.names() == ["hello"]
