"""Content encodings of a request's body, undone within a limit.

The limit holds for the bytes that a body becomes, so a bomb of zeros stops there.
"""

from __future__ import annotations

import zlib

from whence.errors import MalformedPayloadError, PayloadTooLargeError

GZIP_WINDOW = 16 + zlib.MAX_WBITS
ZLIB_WINDOW = zlib.MAX_WBITS
RAW_WINDOW = -zlib.MAX_WBITS
IDENTITY = "identity"
ENCODINGS = (IDENTITY, "gzip", "deflate")


def decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Undo one of `ENCODINGS`; `PayloadTooLargeError` before more than the limit is made.

    `deflate` is read in both of its forms (zlib and raw). An empty body stays empty.
    """
    if encoding == IDENTITY or not body:
        return body
    if encoding == "gzip":
        return _inflate(body, GZIP_WINDOW, encoding, limit_bytes)
    try:
        return _inflate(body, ZLIB_WINDOW, encoding, limit_bytes)
    except MalformedPayloadError:
        return _inflate(body, RAW_WINDOW, encoding, limit_bytes)


def refuse_size(what: str, limit_bytes: int) -> PayloadTooLargeError:
    """Return the refusal of something larger than a body may be."""
    return PayloadTooLargeError(
        f"{what} is larger than {limit_bytes} bytes; send smaller batches or raise "
        "WHENCE_MAX_BODY_BYTES"
    )


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
            raise refuse_size("the decompressed request body", limit_bytes)
        if not stream.eof:
            raise MalformedPayloadError(
                f"the {encoding} body ends too early, after {size} decompressed bytes"
            )
        parts.append(part)
        rest = stream.unused_data.lstrip(b"\0") if window == GZIP_WINDOW else b""
    return b"".join(parts)
