"""One request at a time to a server: `POST {url}/v1/traces`, gzip, over a kept connection.

`HttpTransport.send` never raises for what the network or the server does; it says in an `Outcome`
what is to be done with the body. While it waits (for the connection or for the answer) it calls
`on_wait` about five times a second, so that its caller can bring to safety what is in memory.
Looking up a host name is the one wait without that call.

Limits: redirects are not followed and proxies not used. Not for more than one thread.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from whence.sdk.delivery.destination import Server, api_key

if TYPE_CHECKING:
    import http.client
    import socket
    import ssl
    from collections.abc import Callable, Iterator

TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
MAX_RETRY_AFTER_S = 300.0
TICK_S = 0.2
_ANSWER_BYTES = 65_536
_BLOCK_BYTES = 65_536

Verdict = Literal["delivered", "retry", "hold", "too_large", "refused"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of a request.

    `retry`: the server or the way to it is away for a moment. `hold`: it answers, but must be put
    right by somebody first (a wrong key, a wrong address). `refused`: sending it again won't help.
    `rejected` counts the spans of a delivered body that the server did not take.
    """

    verdict: Verdict
    message: str = ""
    retry_after_s: float = 0.0
    rejected: int = 0


class _PartialSuccess(msgspec.Struct, rename="camel"):
    rejected_spans: int | str = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None
    message: str = ""


def load() -> None:
    """Do every import that sending needs.

    A process that forks while this thread is within an import leaves the child with a module lock
    that nobody will ever release, so the caller keeps forks away from here.
    """
    from importlib import import_module

    for name in ("email.utils", "hashlib", "http.client", "random", "selectors", "ssl", "zlib"):
        import_module(name)
    "localhost".encode("idna")  # a codec that name lookup imports


class HttpTransport:
    """Owns the connection to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: http.client.HTTPConnection | None = None
        self._tls: ssl.SSLContext | None = None

    def send(self, body: bytes, on_wait: Callable[[], None]) -> Outcome:
        """Send an OTLP/JSON body."""
        import http.client

        compressed = _compress(body)
        while True:
            is_kept = self._connection is not None
            try:
                return self._post(compressed, on_wait)
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.close()  # ValueError: a host name or a key that can't be written
                # A kept connection may have been closed by the other side just now.
                if not (is_kept and isinstance(error, ConnectionError)):
                    return Outcome("retry", f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abandon(self) -> None:
        """In a forked child: let go of the parent's connection without a word on it."""
        if self._connection is not None and self._connection.sock is not None:
            with contextlib.suppress(OSError):
                os.close(self._connection.sock.detach())
        self._connection = None

    def _post(self, compressed: bytes, on_wait: Callable[[], None]) -> Outcome:
        connection = self._connection
        if connection is None or connection.sock is None:  # None: the server closed it
            connection = self._connection = self._connect(on_wait)
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Content-Length": str(len(compressed)),
            "User-Agent": "whence",
        }
        if key := api_key():
            headers["Authorization"] = f"Bearer {key}"
        path = f"{self._server.prefix}/v1/traces"
        # Every call into the network gives the interpreter's lock up, and a busy program gives it
        # back after 5 ms: what the socket takes at once goes with the headers, in one call.
        is_short = len(compressed) <= _BLOCK_BYTES
        data = compressed if is_short else _blocks(compressed, on_wait)
        with contextlib.suppress(ConnectionError):  # a server may answer before it has read all
            connection.request("POST", path, body=data, headers=headers)
        _wait_readable(connection.sock, on_wait)
        response = connection.getresponse()
        answer = response.read(_ANSWER_BYTES)
        outcome = _judge(response, answer)
        if not response.isclosed():  # a longer answer than we read
            self.close()
        return outcome

    def _connect(self, on_wait: Callable[[], None]) -> http.client.HTTPConnection:
        import http.client

        host, port = self._server.host, self._server.port
        sock = _open_socket(host, port, on_wait)
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        connection.sock = sock
        if self._server.scheme == "https":
            try:
                connection.sock = self._tls_context().wrap_socket(sock, server_hostname=host)
            except OSError:
                sock.close()
                raise
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()
        return self._tls


def _compress(body: bytes) -> bytes:
    import zlib

    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)  # 31: with gzip's header
    return compressor.compress(body) + compressor.flush()


def _blocks(data: bytes, on_wait: Callable[[], None]) -> Iterator[bytes]:
    started_s = time.monotonic()
    for start in range(0, len(data), _BLOCK_BYTES):
        if time.monotonic() - started_s > TICK_S:
            on_wait()
        yield data[start : start + _BLOCK_BYTES]


def _open_socket(host: str, port: int, on_wait: Callable[[], None]) -> socket.socket:
    """Connect without blocking, so that `on_wait` is called while a dead address stays silent."""
    import selectors
    import socket

    problem = OSError(f"no address for {host}")
    deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
            _wait(sock, selectors.EVENT_WRITE, deadline_s, on_wait)
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number))  # noqa: TRY301 - the next address is tried
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(TIMEOUT_S)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def _wait_readable(sock: socket.socket, on_wait: Callable[[], None]) -> None:
    import selectors

    if getattr(sock, "pending", int)():  # TLS has it already
        return
    _wait(sock, selectors.EVENT_READ, time.monotonic() + TIMEOUT_S, on_wait)


def _wait(sock: socket.socket, event: int, deadline_s: float, on_wait: Callable[[], None]) -> None:
    import selectors

    with selectors.DefaultSelector() as selector:
        selector.register(sock, event)
        while not selector.select(TICK_S):
            if time.monotonic() > deadline_s:
                raise TimeoutError("the server did not answer in time")
            on_wait()


# --- Answers ----------------------------------------------------------------------------------


def _judge(response: http.client.HTTPResponse, answer: bytes) -> Outcome:
    status = response.status
    said = _read_answer(answer)
    if 200 <= status < 300:  # noqa: PLR2004
        partial = said.partial_success or _PartialSuccess()
        rejected = int(partial.rejected_spans) if str(partial.rejected_spans).isdigit() else 0
        return Outcome("delivered", partial.error_message, rejected=rejected)
    message = f"{status} {response.reason}"
    if said.message:
        message += f": {said.message[:500]}"
    if status == 413:  # noqa: PLR2004
        return Outcome("too_large", message)
    if status in (408, 429) or status >= 500:  # noqa: PLR2004
        return Outcome("retry", message, _retry_after_s(response.headers.get("Retry-After")))
    if location := response.headers.get("Location"):
        message += f", moved to {location}"
    if status in (401, 403, 404) or status < 400:  # noqa: PLR2004
        return Outcome("hold", message)
    return Outcome("refused", message)


_answers = msgspec.json.Decoder(_Answer)  # made before any thread: see `whence.otlp.json`


def _read_answer(answer: bytes) -> _Answer:
    try:
        return _answers.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Answer()  # not ours: a proxy's page, a protobuf message


def _retry_after_s(text: str | None) -> float:
    """Read `Retry-After`: seconds, or a date."""
    if not text:
        return 0.0
    try:
        wait_s = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            wait_s = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)  # NaN becomes 0
