"""What assembling a trace needs of each of its spans: a few words instead of the whole row.

Facts are made from a row alone, so those of a row just received and those of a row read back are
the same. Metadata in three layers: `explicit` (whence.metadata.* on the span), `derived` (the
OpenTelemetry names of `semconv.METADATA_SOURCES` on the span) and `resource` (both, on its
resource). Spans of one process share one `resource` dict, which keeps 30,000 facts small.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.ingest.cost import Cost, parse_cost
from whence.ingest.jsontext import to_plain_text
from whence.ingest.tokens import Usage, parse_usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.rows import SpanRow

Texts = dict[str, str]
_NONE: Texts = {}
_SOURCE_KEYS = frozenset(key for keys in semconv.METADATA_SOURCES.values() for key in keys)
_PREFIXES = (semconv.METADATA_PREFIX, semconv.TRACE_TAG_PREFIX)
FINAL_VERSION = 2**62 + 2**61


class SpanFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One span as assembly sees it. `end_time_ns` 0: a pending record."""

    span_id: str
    parent_id: str = ""
    local_root: bool = False
    name: str = ""
    experiment_id: str = semconv.DEFAULT_EXPERIMENT_ID
    start_time_ns: int = 0
    end_time_ns: int = 0
    error: bool = False
    explicit: Texts = {}
    derived: Texts = {}
    resource: Texts = {}
    tags: Texts = {}
    state: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    model: str = ""
    usage: Usage | None = None
    cost: Cost | None = None
    size_bytes: int = 0
    received_at_us: int = 0


def version_of(row: SpanRow, received_at_us: int) -> int:
    """Return the version that makes a later pending record, but the first final one, stay."""
    if row.end_time_ns == 0:
        return received_at_us
    return FINAL_VERSION - received_at_us


def facts_of(rows: Sequence[SpanRow]) -> list[SpanFacts]:
    """Return the facts of rows, in their order. Inputs, outputs, events and links are not read."""
    resources: dict[int, Texts] = {}
    found = []
    for row in rows:
        resource = resources.get(id(row.resource))
        if resource is None:
            resource = resources[id(row.resource)] = _read_resource(frozenset(row.resource.items()))
        found.append(_read_facts(row, resource))
    return found


def _read_facts(row: SpanRow, resource: Texts) -> SpanFacts:
    attributes = row.attributes
    explicit, tags = _read_prefixed(attributes)
    return SpanFacts(
        span_id=row.span_id,
        parent_id=row.parent_id,
        local_root=attributes.get(semconv.LOCAL_ROOT) == "true",
        name=row.name,
        experiment_id=row.experiment_id,
        start_time_ns=row.start_time_ns,
        end_time_ns=row.end_time_ns,
        error=row.status == "ERROR",
        explicit=explicit,
        derived=_read_sources(attributes),
        resource=resource,
        tags=tags,
        state=_read_text(attributes, semconv.TRACE_STATE),
        client_request_id=_read_text(attributes, semconv.CLIENT_REQUEST_ID),
        request_preview=row.request_preview or None,
        response_preview=row.response_preview or None,
        model=row.model,
        usage=parse_usage(row.usage) if row.usage else None,
        cost=parse_cost(row.cost) if row.cost else None,
        size_bytes=row.size_bytes,
        received_at_us=row.received_at_us,
    )


def _read_prefixed(attributes: Mapping[str, str]) -> tuple[Texts, Texts]:
    explicit, tags = _NONE, _NONE
    for key, text in attributes.items():
        if not key.startswith(_PREFIXES) or text == "null":
            continue
        if key.startswith(semconv.METADATA_PREFIX):
            explicit = explicit or {}
            explicit[key[len(semconv.METADATA_PREFIX) :]] = to_plain_text(text)
        else:
            tags = tags or {}
            tags[key[len(semconv.TRACE_TAG_PREFIX) :]] = to_plain_text(text)
    return explicit, tags


def _read_sources(attributes: Mapping[str, str]) -> Texts:
    if _SOURCE_KEYS.isdisjoint(attributes):
        return _NONE
    found: Texts = {}
    for key, sources in semconv.METADATA_SOURCES.items():
        for source in sources:
            text = to_plain_text(attributes.get(source, '""'))
            if text and text != "null":
                found[key] = text
                break
    return found


@lru_cache(maxsize=4096)
def _read_resource(items: frozenset[tuple[str, str]]) -> Texts:
    resource = dict(items)
    explicit, _ = _read_prefixed(resource)
    return {**_read_sources(resource), **explicit}


def _read_text(attributes: Mapping[str, str], key: str) -> str | None:
    text = attributes.get(key)
    return None if text is None or text == "null" else to_plain_text(text)
