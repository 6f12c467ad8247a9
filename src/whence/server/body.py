"""Request bodies, read with a limit.

The same limit holds for what they become (`otlp.compression`). A body whose declared length is
already too large is refused unread. All requests together may hold `max_inflight_bytes`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from whence.errors import MalformedPayloadError, UnavailableError, UnsupportedMediaError
from whence.otlp.compression import ENCODINGS, IDENTITY, refuse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request


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
            raise refuse_size(f"the request body of {declared} bytes", limit_bytes)
        hold.grow_to(int(declared))
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit_bytes:
                raise refuse_size("the request body", limit_bytes)
            hold.grow_to(size)
            chunks.append(chunk)
    except ClientDisconnect:
        raise MalformedPayloadError(f"the client left after {size} bytes of the body") from None
    return b"".join(chunks)


def check_encoding(header: str | None) -> str:
    """Return the content encoding of a request; `UnsupportedMediaError` if we don't read it."""
    encoding = (header or IDENTITY).strip().lower() or IDENTITY
    if encoding not in ENCODINGS:
        raise UnsupportedMediaError(
            f"Content-Encoding {encoding!r} is not supported; use gzip, deflate or none"
        )
    return encoding
