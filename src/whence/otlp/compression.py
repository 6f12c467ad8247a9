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
SLICE_BYTES = 1 << 16  # what is left of one behind a member is copied
MAX_MEMBERS = 10_000  # of a gzip body; each costs about a slice


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
    view = memoryview(body)
    size = at = members = 0
    while at < len(view):  # a gzip body may be several members
        members += 1
        if members > MAX_MEMBERS:
            raise MalformedPayloadError(f"the {encoding} body has more than {MAX_MEMBERS} members")
        stream = zlib.decompressobj(wbits=window)
        while not stream.eof:
            if at >= len(view):
                raise MalformedPayloadError(
                    f"the {encoding} body ends too early, after {size} decompressed bytes"
                )
            piece = view[at : at + SLICE_BYTES]
            try:
                part = stream.decompress(piece, limit_bytes - size + 1)
            except zlib.error as error:
                raise MalformedPayloadError(f"the body is not valid {encoding}: {error}") from None
            size += len(part)
            if size > limit_bytes:
                raise refuse_size("the decompressed request body", limit_bytes)
            parts.append(part)
            at += len(piece) - len(stream.unused_data)
        if window != GZIP_WINDOW:
            break
        at = _skip_zeros(view, at)
    return b"".join(parts)


def _skip_zeros(view: memoryview, at: int) -> int:
    """Return where something else than padding is."""
    while at < len(view):
        piece = bytes(view[at : at + SLICE_BYTES])
        rest = piece.lstrip(b"\0")
        at += len(piece) - len(rest)
        if rest:
            break
    return at
