"""A stand-in for OpenAI's server: it answers chat and embeddings as the real one does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
MODEL = "gpt-4o-mini-2024-07-18"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            self.answer({"object": "list", "data": [vector], "model": MODEL, "usage": usage})
        elif asked["messages"][-1]["content"] == "fail":
            self.answer({"error": {"message": "no", "type": "bad", "code": "bad"}}, 400)
        elif asked.get("stream"):
            self.stream()
        else:
            message = {"role": "assistant", "content": "Paris"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.answer(completion("chat.completion", [choice], usage=USAGE))

    def stream(self) -> None:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "Pa"}, {"content": "ris"}]
        chunks = [
            completion("chat.completion.chunk", [{"index": 0, "delta": delta}]) for delta in deltas
        ]
        chunks.append(completion("chat.completion.chunk", [], usage=USAGE))
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.reply(200, "text/event-stream", body.encode())

    def answer(self, value: dict[str, Any], status: int = 200) -> None:
        self.reply(status, "application/json", json.dumps(value).encode())

    def reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def completion(kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "c-1", "object": kind, "created": 1, "model": MODEL, "choices": choices, **more}


@contextmanager
def openai_server() -> Iterator[str]:
    """Answer on a free port; yield the base URL for a client."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
