"""Where metadata comes from, as programs say it in `whence.provenance`, and as it is stored.

The attribute holds JSON text `{metadata key: source}`: on a resource for what is constant in a
process, on a root or local root for what belongs to one trace. Both go into one column of the
root's row, so that neither is copied to every span. What is not such an object, is too long or has
too many entries is left out: provenance explains, it never stops a delivery.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from whence import semconv
from whence.entities.surrogates import clean
from whence.ingest.jsontext import from_json

Sources = dict[str, str]

MAX_CHARS = 32_768
MAX_ENTRIES = 500
MAX_SOURCE_CHARS = 200
HEADER = "MLflow client"
EXPLICIT = "update_current_trace()"
COUNTED = "derived from spans"

_NONE: Sources = {}
_encode = msgspec.json.Encoder(order="sorted").encode


def pack_provenance(of_span: Any, of_resource: Any) -> str:
    """Return the column of a root's row: what its two attributes say, '' where they say nothing."""
    span_text = of_span if _is_readable(of_span) else ""
    resource_text = of_resource if _is_readable(of_resource) else ""
    return _pack(span_text, resource_text) if span_text or resource_text else ""


@lru_cache(maxsize=512)
def unpack_provenance(text: str) -> tuple[Sources, Sources]:
    """Return what a row's column says: sources of the span's own keys, and of its resource's."""
    if not text:
        return _NONE, _NONE
    both = from_json(text)
    if not isinstance(both, dict):
        return _NONE, _NONE
    return both.get("span") or _NONE, both.get("resource") or _NONE


def encode_sources(sources: Sources) -> str:
    """Return the JSON text that a trace's row keeps; the same for the same sources."""
    return _encode(sources).decode() if sources else ""


def _is_readable(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_CHARS


@lru_cache(maxsize=256)
def _pack(span_text: str, resource_text: str) -> str:
    stated = {"span": _read(span_text), "resource": _read(resource_text)}
    said = {layer: sources for layer, sources in stated.items() if sources}
    return _encode(said).decode() if said else ""


def _read(text: str) -> Sources:
    stated = from_json(text) if text else None
    if not isinstance(stated, dict) or len(stated) > MAX_ENTRIES:
        return _NONE
    return {
        clean(key): clean(source)[:MAX_SOURCE_CHARS]
        for key, source in stated.items()
        if isinstance(source, str) and source and 0 < len(key) <= semconv.MAX_KEY_CHARS
    }
