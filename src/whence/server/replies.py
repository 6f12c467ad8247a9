"""Successful answers: structs written by msgspec, compressed where the client takes it.

Encoding happens where the caller is, so a large page is encoded on a reader thread by `pack`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from whence.server.problems import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPRESS_ABOVE_BYTES = 16_384
GZIP_WINDOW = 16 + zlib.MAX_WBITS
_encoder = msgspec.json.Encoder()


def reply(value: Any, *, status: int = 200) -> Response:
    """Answer with a small struct."""
    return Response(_encoder.encode(value), status_code=status, media_type=JSON)


def pack(value: Any, request_headers: Mapping[str, str]) -> Response:
    """Encode a struct, compress it if it is large and the client takes gzip."""
    return pack_bytes(_encoder.encode(value), request_headers)


def pack_bytes(body: bytes, request_headers: Mapping[str, str]) -> Response:
    """Wrap JSON bytes, compressed if they are large and the client takes gzip."""
    headers = {"vary": "accept-encoding", "cache-control": "no-store"}
    if len(body) > COMPRESS_ABOVE_BYTES and "gzip" in request_headers.get("accept-encoding", ""):
        stream = zlib.compressobj(level=1, wbits=GZIP_WINDOW)
        body = stream.compress(body) + stream.flush()
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=JSON, headers=headers)
