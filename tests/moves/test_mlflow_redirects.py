"""An MLflow server behind another address: a redirect is an error that names it, never success."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from otlp_requests import body, new_trace_id, span

OTLP = {"content-type": "application/json"}
ELSEWHERE = "https://mlflow.example"


@contextmanager
def redirecting(below: str, status: int, location: str | None):
    """Answer requests below a path with a redirect, all others as an empty MLflow server does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_elsewhere = self.path.startswith(below)
            made = {"experiment_id": "1", "experiment": {"experiment_id": "1"}}
            answer = b"" if is_elsewhere else json.dumps(made).encode()
            self.send_response(status if is_elsewhere else 200)
            if is_elsewhere and location is not None:
                self.send_header("Location", location.replace("PATH", self.path))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def trace(server):
    sent = body(span(new_trace_id()))
    httpx.post(f"{server.url}/v1/traces", content=sent, headers=OTLP).raise_for_status()


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("direction", ["import", "export"])
def test_a_server_that_is_elsewhere_is_no_success(whence, trace, direction, status):
    with redirecting("/", status, ELSEWHERE + "PATH") as url:
        done = whence(direction, "mlflow", url)
    assert done.code == 1 and f"({status}) to {ELSEWHERE}: use that address" in done.err, done.err
    assert "Traceback" not in done.err and "ported" not in done.err


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (ELSEWHERE + "/v1/traces", f"to {ELSEWHERE}: use that address"),
        ("https://ann:s3cret@mlflow.example/login?next=1", "to https://ann@mlflow.example/login"),
        (None, "that names no other place"),
    ],
)
def test_spans_that_were_sent_elsewhere_do_not_count(whence, trace, location, words):
    with redirecting("/v1/traces", 301, location) as url:
        done = whence("export", "mlflow", url)
    assert done.code == 1 and "/v1/traces answers with a redirect (301) " + words in done.err
    assert "s3cret" not in done.err and "exported" not in done.err


def test_an_answer_that_is_neither_success_nor_an_error_is_no_success(whence, trace):
    with redirecting("/v1/traces", 304, None) as url:
        done = whence("export", "mlflow", url)
    assert done.code == 1 and "(304)" in done.err
