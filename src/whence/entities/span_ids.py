"""The two spellings of ids: hex (ours, and in the API) and base64 (in MLflow's span JSON).

MLflow writes 16 and 8 bytes. An id that is not hex (an import from elsewhere) has no such bytes:
there a digest of it is written, the same for the same id, and the true trace id is read back from
the attribute `mlflow.traceRequestId`.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64  # base64 itself is slower to import

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
TRACE_ID_PREFIX = "tr-"


def encode_id(text: str, size: int) -> str:
    """Return base64 of the id's `size` bytes."""
    digits = text.removeprefix(TRACE_ID_PREFIX)
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != size:
        from hashlib import blake2b

        raw = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
    return b2a_base64(raw, newline=False).decode("ascii")


def decode_id(text: str, size: int) -> str:
    """Return lowercase hex from base64, from hex, from `0x…` or from `tr-…`; else the text."""
    if len(text) == len(b2a_base64(bytes(size), newline=False)) and text.endswith("="):
        return a2b_base64(text).hex()
    bare = text.removeprefix(TRACE_ID_PREFIX)
    if bare.startswith("0x"):
        bare = bare[2:].zfill(2 * size)
    try:
        return bare.lower() if len(bytes.fromhex(bare)) == size else text
    except ValueError:
        return text
