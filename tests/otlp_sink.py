"""A real HTTP server that takes OTLP/JSON and answers as a test tells it to."""

from __future__ import annotations

import gzip
import sys
import threading
from collections import deque
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from whence.otlp.json import decode_request
from whence.otlp.records import ResourceSpans, SpanRecord


class Answer(NamedTuple):
    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b"{}"


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    groups: list[ResourceSpans]
    answer: Answer


class Sink:
    """Listens on 127.0.0.1. `answers` are given in turn, then 200; `max_spans` gives 413.

    Connections that are idle for `idle_s` are closed, and `closed` is released for each.
    """

    def __init__(self, port: int = 0, idle_s: float | None = None) -> None:
        self.requests: list[Received] = []
        self.bodies: list[bytes] = []  # of all requests, decompressed
        self.answers: deque[Answer] = deque()
        self.max_spans: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Condition()
        self.closed = threading.Semaphore(0)
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = idle_s

            def finish(self) -> None:
                super().finish()
                self.connection.close()
                sink.closed.release()

            def do_POST(self) -> None:
                sink.take(self)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exc_info()[1], ConnectionError):  # a client was killed
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        assert handler.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body)
        groups = decode_request(body)
        self.gate.wait(30)
        spans = sum(len(group.spans) for group in groups)
        if self.max_spans is not None and spans > self.max_spans:
            answer = Answer(413)
        else:
            answer = self.answers.popleft() if self.answers else Answer()
        with self.arrived:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.requests.append(Received(handler.path, headers, groups, answer))
            self.bodies.append(body)
            self.arrived.notify_all()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)

    def spans(self) -> list[SpanRecord]:
        """The spans that were taken with status 200."""
        return [
            span
            for request in self.requests
            if request.answer.status == 200
            for group in request.groups
            for span in group.spans
        ]

    def names(self) -> set[str]:
        return {span.name for span in self.spans()}

    def wait_for(self, *names: str, timeout_s: float = 20) -> None:
        """Wait until spans of these names were taken."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.names().issuperset(names), timeout_s), (
                f"only {self.names()} arrived"
            )

    def wait_for_requests(self, number: int, timeout_s: float = 20) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= number, timeout_s)

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Item:
    """An ended span, or with `end_time_ns` 0 a pending one."""

    experiment_name = "Default"

    def __init__(
        self, name: str, *, experiment_id: str = "0", size: int = 0, end_time_ns: int = 2
    ) -> None:
        self.name = name
        self.experiment_id = experiment_id
        self.size_bytes = 500 + size
        self.attributes = {"payload": "x" * size} if size else {}
        self.end_time_ns = end_time_ns

    def to_record(self) -> SpanRecord:
        return SpanRecord(
            trace_id=blake2b(self.name.encode(), digest_size=16).hexdigest(),
            span_id="b" * 16,
            name=self.name,
            start_time_ns=1,
            end_time_ns=self.end_time_ns,
            attributes=self.attributes,
        )


class Root(Item):
    """The topmost span of a trace."""

    carries_context = True

    def as_pending(self) -> Item:
        return Item(self.name, end_time_ns=0)
