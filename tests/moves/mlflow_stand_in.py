"""A stand-in for an MLflow server, for what a real one does seldom: it is slow, or breaks off."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from whence.entities.timestamp import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE64_SPAN_ID = "AAAAAAAAAAE="
START_MS = 1_795_410_000_000


@dataclass
class Asked:
    """What the server has, how much of it it can answer at once, and what it was asked."""

    infos: list[dict[str, Any]] = field(default_factory=list)
    most: int = 1000  # traces of one answer; of more none comes in time
    never: frozenset[str] = frozenset()  # traces whose spans never come
    times: dict[str, int] = field(default_factory=dict)  # of traces, in milliseconds
    held: str = ""  # the page with this trace waits until it may go on
    held_spans: str = ""  # the spans of this one do
    is_held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    batches: list[int] = field(default_factory=list)
    span_bytes: int = 0  # that the name of each span has more
    url: str = ""

    def add(self, number: int, **more: Any) -> str:
        """Add a trace of one span; return its id."""
        trace_id = f"tr-{number + 1:032x}"
        self.times[trace_id] = START_MS + number
        self.infos.append(
            {
                "trace_id": trace_id,
                "request_time": format_timestamp(START_MS + number),
                "state": "OK",
                "trace_metadata": {},
                "tags": {"mlflow.trace.spansLocation": "TRACKING_STORE"},
                **more,
            }
        )
        return trace_id


def make_span(trace_id: str, more_bytes: int = 0) -> dict[str, Any]:
    return {
        "trace_id": trace_id,
        "span_id": BASE64_SPAN_ID,
        "name": "answer" + "!" * more_bytes,
        "start_time_unix_nano": 1_795_410_007_000_000_000,
        "end_time_unix_nano": 1_795_410_008_000_000_000,
        "status": {"code": "STATUS_CODE_OK"},
        "attributes": [],
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: Asked

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = parse_qs(parts.query)
        if parts.path == "/health":
            self.answer({})
        elif parts.path.endswith("batchGet"):
            ids = given["trace_ids"]
            self.asked.batches.append(len(ids))
            self.hold(self.asked.held_spans in ids)
            is_late = len(ids) > self.asked.most or not self.asked.never.isdisjoint(ids)
            more = self.asked.span_bytes
            traces = [
                {"trace_info": {"trace_id": one}, "spans": [make_span(one, more)]} for one in ids
            ]
            self.answer({"traces": traces}, is_late=is_late)
        else:
            (trace_id,) = given["trace_id"]
            is_late = trace_id in self.asked.never
            self.answer({"trace": {"spans": [make_span(trace_id)]}}, is_late=is_late)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("experiments/search"):
            self.answer({"experiments": [{"experiment_id": "1", "name": "slow"}]})
            return
        size, start = given["max_results"], int(given.get("page_token", 0))
        least = int(given.get("filter", ">= 0").rpartition(" ")[2])
        infos = [one for one in self.asked.infos if self.asked.times[one["trace_id"]] >= least]
        page = infos[start : start + size]
        self.hold(any(one["trace_id"] == self.asked.held for one in page))
        more = {"next_page_token": str(start + size)} if len(page) == size else {}
        self.answer({"traces": page, **more}, is_late=size > 10 * self.asked.most)

    def hold(self, is_it: bool) -> None:
        if is_it:
            self.asked.is_held.set()
            self.asked.go_on.wait(60)

    def answer(self, value: Any, *, is_late: bool = False) -> None:
        body = b"" if is_late else json.dumps(value).encode()
        self.send_response(504 if is_late else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def mlflow_stand_in() -> Iterator[Asked]:
    """Answer on a free port."""
    asked = Asked()
    handler = type("Bound", (Handler,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        asked.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
