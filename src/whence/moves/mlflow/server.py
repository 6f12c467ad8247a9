"""Requests to an MLflow server, which is no server of ours: its errors, its keys, its patience.

It is greeted with MLflow's own credentials (`MLFLOW_TRACKING_USERNAME` and `…_PASSWORD`, or
`…_TOKEN`; or a user and a password in the address), never with the key of a Whence server. What it
can't take now is sent again, with longer pauses each time.

Limits: no proxies; redirects are not followed, but named as errors. May be used by several threads:
each has a connection of its own.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

import msgspec

from whence.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PayloadTooLargeError,
    UnauthenticatedError,
    UnavailableError,
    WhenceError,
)
from whence.moves.address import hide_password
from whence.moves.asking import ask_again

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 120.0
V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
SUCCESS, REDIRECTS = range(200, 300), range(300, 400)
BUSY = (408, 429, 502, 503, 504)
SCHEMES = ("http", "https")
TOO_LATE = (408, 502, 504)  # also of a proxy whose patience ended
ERRORS: dict[int, type[WhenceError]] = {
    400: InvalidInputError,
    401: UnauthenticatedError,
    403: UnauthenticatedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: InvalidInputError,
}


class NoAnswerError(UnavailableError):
    """The server took the request and did not answer in time: too much was asked, perhaps."""


class RedirectError(WhenceError):
    """What was asked for lies elsewhere: redirects are not followed, nor is a key sent there."""


ENDING = (UnavailableError, RedirectError)  # with these, no other request will do better


class MlflowServer:
    """Owns the connections to one MLflow server."""

    def __init__(self, address: str) -> None:
        """Take an address such as `http://host:5000/prefix`. Nothing is opened yet."""
        try:  # what it says of a wrong port may be a part of the password
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or parts.scheme not in SCHEMES or parts.query or parts.fragment:
            raise InvalidInputError(
                f"{hide_password(address)!r} is no address of a server: http://host:port (of a "
                "password, write '/', '?', '#' and '@' as %2F, %3F, %23 and %40)"
            )
        self._is_secure = parts.scheme == "https"
        self._host, self._port = host, port or (443 if self._is_secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._greeting = _greet(parts.username, parts.password)
        self._local = threading.local()
        self._has_answered = False  # one that never did is not waited for
        self._stop = threading.Event()
        self._connections: set[http.client.HTTPConnection] = set()  # of all threads
        self.address = f"{parts.scheme}://{_bracket(host)}:{self._port}{self._prefix}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        unless: type[UnavailableError] | tuple[()] = (),
    ) -> Any:
        """Return the JSON that is answered; raise what the status stands for.

        It is asked again where it is busy, but not after an error of the kind `unless`.
        """
        answer = self.fetch(method, path, query=query, body=body, headers=headers, unless=unless)
        return self.decode(answer, path)

    def decode(self, answer: bytes, path: str) -> Any:
        """Return the JSON of an answer; WhenceError where it is none."""
        try:
            return msgspec.json.decode(answer or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            import json

            try:
                return json.loads(answer)  # NaN, which Python alone writes
            except ValueError:
                raise WhenceError(
                    f"{self.address}{path} did not answer with JSON: is MLflow there?"
                ) from None

    def fetch(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        unless: type[UnavailableError] | tuple[()] = (),
    ) -> bytes:
        """Return what is answered, as it is."""
        target = self._prefix + path
        if query:
            target += "?" + urlencode(query, doseq=True)
        payload = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"Accept": "application/json", "User-Agent": "whence", **self._greeting}
        if payload is not None:
            sent["Content-Type"] = "application/json"
        ask = partial(self._once, method, target, payload, {**sent, **(headers or {})})
        answer = ask_again(ask, self._stop, unless=unless) if self._has_answered else ask()
        self._has_answered = True
        return answer

    def stop(self) -> None:
        """End the waiting of all threads: nobody needs their answers any more."""
        self._stop.set()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            self._connections.discard(connection)
            connection.close()
            self._local.connection = None

    def close_all(self) -> None:
        """Close the connections of all threads, which must have ended."""
        self.close()
        while self._connections:
            self._connections.pop().close()

    def _once(
        self, method: str, target: str, payload: bytes | None, headers: dict[str, str]
    ) -> bytes:
        while True:
            if self._stop.is_set():
                raise UnavailableError("nobody needs the answer any more")
            kept = getattr(self._local, "connection", None)
            is_sent = kept is not None
            try:
                connection = kept or self._connect()
                is_sent = True
                connection.request(method, target, body=payload, headers=headers)
                response = connection.getresponse()
                status, answer = response.status, response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # A kept connection may have been closed by the other side just now.
                is_stale = kept is not None and isinstance(error, ConnectionError)
                if is_stale and not self._stop.is_set():
                    continue
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                is_late = is_sent and not self._stop.is_set()
                kind = NoAnswerError if is_late else UnavailableError
                raise kind(f"no server answers at {self.address} ({reason})") from None
        if status in SUCCESS:
            return answer
        if status in REDIRECTS:
            path = target.removeprefix(self._prefix).partition("?")[0]
            location = response.headers.get("Location") or ""
            raise _read_redirect(status, location, self.address, path)
        raise _read_error(status, answer, response.headers.get("Retry-After"), target)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_S)
        self._connections.add(connection)
        self._local.connection = connection
        connection.connect()
        return connection


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _read_redirect(status: int, location: str, address: str, path: str) -> RedirectError:
    place = hide_password(location.partition("?")[0])
    if place.endswith(path):  # the same of another server
        place = place.removesuffix(path)
    advice = f"to {place}: use that address" if place else "that names no other place"
    return RedirectError(f"{address}{path} answers with a redirect ({status}) {advice}")


def _read_error(status: int, answer: bytes, pause: str | None, target: str) -> WhenceError:
    try:
        said = msgspec.json.decode(answer)
        message = str(said.get("message") or said.get("detail") or said)
        code = said.get("error_code")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        message, code = f"{target.partition('?')[0]}: status {status}", None
    if status in BUSY:
        retry_after_s = float(pause) if pause and pause.isdigit() else 1.0
        kind = NoAnswerError if status in TOO_LATE else UnavailableError
        return kind(message, retry_after_s=retry_after_s)
    error = ERRORS.get(status, WhenceError)(message)
    if isinstance(code, str):
        error.error_code = code
    error.http_status = status
    return error


def _greet(user: str | None, password: str | None) -> dict[str, str]:
    """Return the header that says who asks."""
    name = unquote(user) if user else os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    secret = unquote(password) if password else os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if name and secret:
        encoded = base64.b64encode(f"{name}:{secret}".encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    return {"Authorization": f"Bearer {token}"} if token else {}
