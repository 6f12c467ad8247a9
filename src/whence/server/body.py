"""Request bodies: read with a limit, then decompressed with the same limit.

The limit holds for the bytes as sent and for the bytes they become, so a bomb of zeros stops at
`max_body_bytes` of memory. A body whose declared length is already too large is refused unread.
All requests together may hold `max_inflight_bytes`.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from whence.errors import (
    MalformedPayloadError,
    PayloadTooLargeError,
    UnavailableError,
    UnsupportedMediaError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

GZIP_WINDOW = 16 + zlib.MAX_WBITS
ZLIB_WINDOW = zlib.MAX_WBITS
RAW_WINDOW = -zlib.MAX_WBITS
ENCODINGS = ("identity", "gzip", "deflate")


class Budget:
    """The memory that bodies under way may take together. Used from the event loop only."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Hold memory for the block, as much as the block takes."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._held_bytes -= hold.size_bytes

    def take(self, size_bytes: int) -> None:
        """Take memory; `UnavailableError` when others have left too little."""
        if self._held_bytes and self._held_bytes + size_bytes > self._limit_bytes:
            raise UnavailableError("too many large requests at once; try again", retry_after_s=1.0)
        self._held_bytes += size_bytes


class Hold:
    """What one request has taken from the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Take what is missing to this size."""
        if size_bytes > self.size_bytes:
            self._budget.take(size_bytes - self.size_bytes)
            self.size_bytes = size_bytes


async def read_body(request: Request, limit_bytes: int, hold: Hold) -> bytes:
    """Read a body as sent; `PayloadTooLargeError` above the limit."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit():
        if int(declared) > limit_bytes:
            raise _too_large(f"the request body of {declared} bytes", limit_bytes)
        hold.grow_to(int(declared))
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit_bytes:
                raise _too_large("the request body", limit_bytes)
            hold.grow_to(size)
            chunks.append(chunk)
    except ClientDisconnect:
        raise MalformedPayloadError(f"the client left after {size} bytes of the body") from None
    return b"".join(chunks)


def check_encoding(header: str | None) -> str:
    """Return the content encoding of a request; `UnsupportedMediaError` if we don't read it."""
    encoding = (header or "identity").strip().lower() or "identity"
    if encoding not in ENCODINGS:
        raise UnsupportedMediaError(
            f"Content-Encoding {encoding!r} is not supported; use gzip, deflate or none"
        )
    return encoding


def decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Undo a content encoding; never makes more than the limit.

    `deflate` is read in both of its forms (zlib and raw). An empty body stays empty.
    """
    if encoding == "identity" or not body:
        return body
    if encoding == "gzip":
        return _inflate(body, GZIP_WINDOW, encoding, limit_bytes)
    try:
        return _inflate(body, ZLIB_WINDOW, encoding, limit_bytes)
    except MalformedPayloadError:
        return _inflate(body, RAW_WINDOW, encoding, limit_bytes)


def _inflate(body: bytes, window: int, encoding: str, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest = body
    while rest:  # a gzip body may be several members
        stream = zlib.decompressobj(wbits=window)
        try:
            part = stream.decompress(rest, limit_bytes - size + 1)
        except zlib.error as error:
            raise MalformedPayloadError(f"the body is not valid {encoding}: {error}") from None
        size += len(part)
        if size > limit_bytes:
            raise _too_large("the decompressed request body", limit_bytes)
        if not stream.eof:
            raise MalformedPayloadError(
                f"the {encoding} body ends too early, after {size} decompressed bytes"
            )
        parts.append(part)
        rest = stream.unused_data.lstrip(b"\0") if window == GZIP_WINDOW else b""
    return b"".join(parts)


def _too_large(what: str, limit_bytes: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"{what} is larger than {limit_bytes} bytes; send smaller batches or raise "
        "WHENCE_MAX_BODY_BYTES"
    )
