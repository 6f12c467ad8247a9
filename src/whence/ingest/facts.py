"""What assembling a trace needs of each of its spans: a few words instead of the whole row.

Facts are made from a row alone, so those of a row just received and those of a row read back are
the same. Metadata in three layers: `explicit` (whence.metadata.* on the span), `derived` (what
other programs say, read by `canon`) and `resource` (both, on its resource). Each has `…_sources`
beside it: where its values come from, by key. Spans of one process share one `resource` dict, and
those of one dialect their sources, which keeps 30,000 facts small.

A span that names itself as its parent has none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.entities.surrogates import clean
from whence.ingest.canon import read_layers
from whence.ingest.claims import mark_plain
from whence.ingest.cost import Cost, parse_cost
from whence.ingest.jsontext import read_object, to_plain_text
from whence.ingest.previews import ASSISTANT, USER, make_preview
from whence.ingest.provenance import unpack_provenance
from whence.ingest.tokens import Usage, parse_usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.rows import SpanRow

Texts = dict[str, str]
_NONE: Texts = {}
FINAL_VERSION = 2**62 + 2**61
MAX_KEPT_CHARS = 16_384  # of a resource and its provenance; longer ones are read every time


class SpanFacts(msgspec.Struct, kw_only=True, gc=False, array_like=True):
    """One span as assembly sees it. `end_time_ns` 0: a pending record.

    `by_mlflow`: an MLflow client recorded it, whose header speaks for the trace. The writer stamps
    it (`received_at_us`); nothing else of it ever changes.
    """

    span_id: str
    parent_id: str = ""
    local_root: bool = False
    name: str = ""
    experiment_id: str = semconv.DEFAULT_EXPERIMENT_ID
    start_time_ns: int = 0
    end_time_ns: int = 0
    error: bool = False
    by_mlflow: bool = False
    explicit: Texts = {}
    derived: Texts = {}
    resource: Texts = {}
    explicit_sources: Texts = {}
    derived_sources: Texts = {}
    resource_sources: Texts = {}
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


def version_of(facts: SpanFacts, received_at_us: int) -> int:
    """Return the version that makes a later pending record, but the first final one, stay."""
    if facts.end_time_ns == 0:
        return received_at_us
    return FINAL_VERSION - received_at_us


def facts_of(rows: Sequence[SpanRow]) -> list[SpanFacts]:
    """Return the facts of rows, in their order.

    Of inputs and outputs only those of roots and local roots are read, for the previews that the
    program did not state.
    """
    return [_read_facts(row, *name_sources(row.resource_json, row.provenance)) for row in rows]


def _read_facts(row: SpanRow, resource: Texts, resource_sources: Texts) -> SpanFacts:
    attributes = row.attributes
    layers = read_layers(attributes)
    parent_id = "" if row.parent_id == row.span_id else row.parent_id
    local_root = attributes.get(semconv.LOCAL_ROOT) == "true"
    request, response = row.request_preview or None, row.response_preview or None
    if local_root or not parent_id:
        if request is None and semconv.REQUEST_PREVIEW not in attributes:
            request = _extract(row.inputs, USER)
        if response is None and semconv.RESPONSE_PREVIEW not in attributes:
            response = _extract(row.outputs, ASSISTANT)
    return SpanFacts(
        span_id=row.span_id,
        parent_id=parent_id,
        local_root=local_root,
        name=row.name,
        experiment_id=row.experiment_id,
        start_time_ns=row.start_time_ns,
        end_time_ns=row.end_time_ns,
        error=row.status == "ERROR",
        by_mlflow=semconv.TRACE_REQUEST_ID in attributes,
        explicit=layers.explicit,
        derived=layers.derived,
        resource=resource,
        explicit_sources=unpack_provenance(row.provenance)[0] if row.provenance else _NONE,
        derived_sources=layers.derived_sources,
        resource_sources=resource_sources,
        tags=layers.tags,
        state=_read_text(attributes, semconv.TRACE_STATE)
        if semconv.TRACE_STATE in attributes
        else None,
        client_request_id=_read_text(attributes, semconv.CLIENT_REQUEST_ID)
        if semconv.CLIENT_REQUEST_ID in attributes
        else None,
        request_preview=request,
        response_preview=response,
        model=row.model,
        usage=parse_usage(row.usage) if row.usage else None,
        cost=parse_cost(row.cost) if row.cost else None,
        size_bytes=row.size_bytes,
        received_at_us=row.received_at_us,
    )


def _extract(json_text: str, role: str) -> str | None:
    text = make_preview(json_text, role)
    return clean(text).replace("\0", "\ufffd") if text else None


def name_sources(resource: str, provenance: str) -> tuple[Texts, Texts]:
    """Return a resource's metadata, and for each key what said it."""
    if len(resource) + len(provenance) > MAX_KEPT_CHARS:
        return _combine.__wrapped__(resource, provenance)
    return _combine(resource, provenance)


@lru_cache(maxsize=1024)
def _combine(resource: str, provenance: str) -> tuple[Texts, Texts]:
    values, named = _read_resource(resource)
    stated = unpack_provenance(provenance)[1]
    return values, {key: stated.get(key) or named[key] for key in values} if stated else named


def _read_resource(resource: str) -> tuple[Texts, Texts]:
    """Return a resource's metadata, one dict for all its spans, and what of it said each key."""
    layers = read_layers(read_object(resource), of="resource")
    prefix = f"resource {semconv.METADATA_PREFIX}"
    named = {**layers.derived_sources, **{key: prefix + key for key in layers.explicit}}
    return mark_plain({**layers.derived, **layers.explicit}), named


def _read_text(attributes: Mapping[str, str], key: str) -> str | None:
    text = attributes.get(key)
    return None if text is None or text == "null" else to_plain_text(text)
