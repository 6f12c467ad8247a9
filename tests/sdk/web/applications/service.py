"""One of several services in a row: `python service.py`, told by its environment what it is.

POST /run does its work, in the caller's trace if there is a caller, and calls `NEXT_URL` if there
is one; it answers with the trace's id. POST /flush answers once everything was delivered.
"""

from __future__ import annotations

import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import whence

NAME, NEXT_URL = os.environ["NAME"], os.environ.get("NEXT_URL")


def work() -> str:
    with whence.start_span(NAME) as span, whence.start_span(f"inside {NAME}"):
        if NEXT_URL:
            headers = whence.tracing.get_tracing_context_headers_for_http_request()
            post(f"{NEXT_URL}/run", headers)
        return span.trace_id


def post(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, b"", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def handle(path: str, headers: dict[str, str]) -> str:
    if path == "/flush":
        whence.flush()
        return str(whence.tracing.stats().queued)
    if "traceparent" in headers:
        with whence.tracing.set_tracing_context_from_http_request_headers(headers):
            return work()
    with whence.tracing.context(
        session_id=headers["x-session-id"], metadata={"tenant": "t-1", "secret": "stays at home"}
    ):
        return work()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = handle(self.path, headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
