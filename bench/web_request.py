"""What a web middleware costs a request: beside an application that does nothing, best of rounds.

    python bench/web_request.py [--rounds 7] [--requests 20000]

The requests are plain calls in one thread, without a server, so that nothing else is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import time
from typing import Any

import whence
from whence.web import ASGIMiddleware, WSGIMiddleware

USUAL = [
    (b"host", b"127.0.0.1"),
    (b"user-agent", b"u" * 60),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"content-type", b"application/json"),
    (b"content-length", b"100"),
    (b"cookie", b"a=b"),
]
IDS = [(b"x-request-id", b"r-1"), (b"x-session-id", b"s-1"), (b"x-user-id", b"u-7")]
PARENT = [(b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")]
BAGGAGE = [(b"baggage", b"session.id=s-9,tenant=t-1,other=x")]
ENVIRON = {"HTTP_X_REQUEST_ID": "r-1", "HTTP_X_SESSION_ID": "s-1", "HTTP_X_USER_ID": "u-7"}


async def asgi_application(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answer nothing."""


def wsgi_application(_environ: Any, _start_response: Any) -> list[bytes]:
    """Answer nothing."""
    return []


def time_asgi(app: Any, headers: Any, rounds: int, requests: int) -> float:
    """Return the time of a request in microseconds."""
    scope = {"type": "http", "headers": headers}

    async def call() -> float:
        best = float("inf")
        for _ in range(rounds):
            started = time.perf_counter()
            for _ in range(requests):
                await app(scope, None, None)
            best = min(best, time.perf_counter() - started)
        return best / requests * 1e6

    return asyncio.run(call())


def time_wsgi(app: Any, rounds: int, requests: int) -> float:
    """Return the same of a WSGI application."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(requests):
            app(ENVIRON, None)
        best = min(best, time.perf_counter() - started)
    return best / requests * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20_000)
    options = parser.parse_args()
    size = (options.rounds, options.requests)
    whence.configure(baggage=["session.id", "tenant"])
    plain = ASGIMiddleware(asgi_application)
    keyed = ASGIMiddleware(asgi_application, user_key="k" * 32)
    cases = {
        "none of the headers": (plain, USUAL),
        "three ids": (plain, USUAL + IDS),
        "three ids, user key": (keyed, USUAL + IDS),
        "three ids, traceparent": (plain, USUAL + IDS + PARENT),
        "three ids, baggage": (plain, USUAL + IDS + BAGGAGE),
    }
    bare = time_asgi(asgi_application, USUAL, *size)
    print(f"Python {platform.python_version()}, microseconds a request more than without")
    for name, (app, headers) in cases.items():
        print(f"ASGI  {name:24} {time_asgi(app, headers, *size) - bare:6.2f}")
    cost = time_wsgi(WSGIMiddleware(wsgi_application), *size) - time_wsgi(wsgi_application, *size)
    print(f"WSGI  {'three ids':24} {cost:6.2f}")


if __name__ == "__main__":
    main()
