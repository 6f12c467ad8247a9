"""Compressed bodies of several members, and of far too many."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest

from whence.errors import MalformedPayloadError, PayloadTooLargeError
from whence.otlp import compression
from whence.otlp.compression import MAX_MEMBERS, SLICE_BYTES, decompress

LIMIT = 1 << 24
EMPTY = gzip.compress(b"")


@pytest.mark.parametrize("padding", [0, 1, SLICE_BYTES, 3 * SLICE_BYTES + 7])
def test_members_and_their_padding_are_read_wherever_the_slices_end(padding):
    texts = [os.urandom(size) for size in (0, 1, SLICE_BYTES - 30, SLICE_BYTES, 3 * SLICE_BYTES)]
    body = b"".join(gzip.compress(text) + b"\0" * padding for text in texts)
    assert decompress(body, "gzip", LIMIT) == b"".join(texts)


def test_both_forms_of_deflate_are_read_beyond_a_slice():
    text = os.urandom(3 * SLICE_BYTES)
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for body in (zlib.compress(text), raw.compress(text) + raw.flush()):
        assert decompress(body, "deflate", LIMIT) == text


def test_a_limit_that_is_just_kept_is_no_refusal():
    text = os.urandom(2 * SLICE_BYTES)
    body = gzip.compress(text[:SLICE_BYTES]) + gzip.compress(text[SLICE_BYTES:])
    assert decompress(body, "gzip", len(text)) == text
    with pytest.raises(PayloadTooLargeError):
        decompress(body, "gzip", len(text) - 1)


def test_a_body_that_is_cut_off_says_so():
    body = gzip.compress(os.urandom(2 * SLICE_BYTES))
    for end in (SLICE_BYTES, len(body) - 1):
        with pytest.raises(MalformedPayloadError, match="ends too early"):
            decompress(body[:end], "gzip", LIMIT)


def test_a_body_of_more_members_than_anybody_sends_is_refused_early(monkeypatch):
    looks = []

    class Counted:
        error = zlib.error

        @staticmethod
        def decompressobj(wbits):
            looks.append(wbits)
            return zlib.decompressobj(wbits=wbits)

    monkeypatch.setattr(compression, "zlib", Counted)
    assert decompress(EMPTY * MAX_MEMBERS, "gzip", LIMIT) == b""
    looks.clear()
    with pytest.raises(MalformedPayloadError, match="more than 10000 members"):
        decompress(EMPTY * 5 * MAX_MEMBERS, "gzip", LIMIT)
    assert len(looks) == MAX_MEMBERS
