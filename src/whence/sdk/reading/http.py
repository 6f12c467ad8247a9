"""Ask a Whence server: JSON out, JSON in, over kept connections.

Failures become the exceptions of `whence.errors`, with the server's own words where it gave some.
A server that can't be reached is an `UnavailableError` that says what to do.

A lone surrogate in what is sent, which no encoding can hold, becomes U+FFFD.

Limits: redirects are not followed and proxies not used. Each thread has a connection of its own;
a forked child opens new ones.
"""

from __future__ import annotations

import http.client
import os
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from whence import errors
from whence.entities.surrogates import clean, clean_value, encode_clean
from whence.sdk.delivery.destination import API_KEY_VARIABLES, Server, api_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

TIMEOUT_S = 120.0
FIRST_ERROR = 400

ERROR_OF_STATUS: dict[int, type[errors.WhenceError]] = {
    400: errors.InvalidInputError,
    401: errors.UnauthenticatedError,
    404: errors.NotFoundError,
    408: errors.UnavailableError,
    409: errors.ConflictError,
    413: errors.PayloadTooLargeError,
    415: errors.UnsupportedMediaError,
    422: errors.InvalidInputError,
    429: errors.UnavailableError,
    502: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.UnavailableError,
}


class UnreachableError(errors.UnavailableError):
    """Nobody answers at the server's address."""


class _Kept:
    """A connection, closed with the thread it belongs to."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.pid = os.getpid()

    def __del__(self) -> None:
        self.connection.close()


class HttpReader:
    """Owns the connections to one server."""

    def __init__(self, server: Server, *, timeout_s: float = TIMEOUT_S) -> None:
        self.server = server
        self._timeout_s = timeout_s
        self._local = threading.local()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Send one request and return the decoded answer; `path` is below the server's address."""
        target = self.server.prefix + path
        if query:
            given = {k: clean_value(v) for k, v in query.items() if v is not None}
            target += "?" + urlencode(given, doseq=True)
        payload = None if body is None else encode_clean(body)
        while True:
            is_kept = self._kept() is not None
            try:
                status, headers, answer = self._exchange(method, target, payload)
                break
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()  # ValueError: a host name or a key that can't be written
                # A kept connection may have been closed by the other side just now.
                if not (is_kept and isinstance(error, ConnectionError)):
                    raise UnreachableError(_describe_unreachable(self.server, error)) from error
        if status >= FIRST_ERROR:
            raise _read_error(status, headers, answer, f"{method} {self.server.url}{path}")
        return _decode(answer, f"{method} {self.server.url}{path}")

    def close(self) -> None:
        """Close this thread's connection; the next request opens another."""
        self._local.kept = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _kept(self) -> http.client.HTTPConnection | None:
        kept: _Kept | None = getattr(self._local, "kept", None)
        return kept.connection if kept is not None and kept.pid == os.getpid() else None

    def _exchange(
        self, method: str, target: str, payload: bytes | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._kept()
        if connection is None:
            connection = self._connect()
            self._local.kept = _Kept(connection)
        headers = {"Accept": "application/json", "User-Agent": "whence"}
        if payload is not None:
            headers["Content-Type"] = "application/json"
        if key := api_key():
            headers["Authorization"] = f"Bearer {key}"
        connection.request(method, target, body=payload, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.server.host, self.server.port
        if self.server.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def path_of(*segments: str) -> str:
    """Join path segments, each encoded whole: `/` in a trace id or a tag's key is not a border."""
    return "".join("/" + quote(clean(segment), safe="") for segment in segments)


def _describe_unreachable(server: Server, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    start = f"`whence server --port {server.port}`"
    return (
        f"no Whence server answers at {server.url} ({reason}). "
        f"Start one with {start}, or set WHENCE_URL to where one runs."
    )


def _decode(answer: bytes, what: str) -> Any:
    if not answer:
        return None
    try:
        return msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.WhenceError(
            f"{what} did not answer with JSON; is a Whence server there? Check WHENCE_URL."
        ) from None


def _read_error(
    status: int, headers: http.client.HTTPMessage, answer: bytes, what: str
) -> errors.WhenceError:
    """Build the exception that an answer stands for."""
    try:
        said = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    is_ours = isinstance(said, dict) and isinstance(said.get("error_code"), str)
    code = said["error_code"] if is_ours else None
    message = str(said.get("message") or f"{what}: {status}") if is_ours else f"{what}: {status}"
    kind = ERROR_OF_STATUS.get(status, errors.WhenceError)
    if status == 404 and code != errors.NotFoundError.error_code:  # noqa: PLR2004 - a path, not a thing
        kind = errors.WhenceError
        message += " (is a Whence server of this version there? Check WHENCE_URL)"
    error: errors.WhenceError
    if kind is errors.InvalidInputError and is_ours and said.get("column") is not None:
        error = errors.FilterError(message, column=said["column"])
    elif kind is errors.UnavailableError:
        error = errors.UnavailableError(message, retry_after_s=_retry_after_s(headers))
    elif kind is errors.UnauthenticatedError:
        error = errors.UnauthenticatedError(f"{message} (set {API_KEY_VARIABLES[0]})")
    else:
        error = kind(message)
    if code is not None:
        error.error_code = code
    error.http_status = status
    return error


def _retry_after_s(headers: http.client.HTTPMessage) -> float:
    text = headers.get("Retry-After") or ""
    return float(text) if text.isdigit() else 1.0
