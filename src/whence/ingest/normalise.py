"""From what the wire says to rows of `spans`: dialects read, payloads as JSON text, sizes counted.

Pure, and done in the caller's thread. What only the writer knows (`received_at_us`, `version`)
stays 0. Times are clamped into 0 … 2**63-1 ns. Ids are as the readers of `whence.otlp` leave them,
which refuse a request with an id that is none; a span that names itself as its parent has none.
The attributes that inputs and outputs were taken from are not stored a second time, and neither is
a preview that can be made of them: `facts` does that.

A resource may hold a document (`whence.document.*`), with spans or without: it is stored by itself
and is no part of any span. One that can't be kept is left out, and `message` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities import experiment_id_of
from whence.entities.surrogates import clean
from whence.errors import InvalidInputError
from whence.ingest.assessments import read_initial
from whence.ingest.cost import read_cost
from whence.ingest.dialects import read_payload, read_span_type, read_text
from whence.ingest.documents import read_document
from whence.ingest.jsontext import MAX_SHORT_CHARS, SHORT_TEXTS, to_json, write_object
from whence.ingest.provenance import pack_provenance
from whence.ingest.shape import Shape, find_repositories, keep_texts, read_shape
from whence.ingest.tokens import read_usage
from whence.otlp.records import KIND_NAMES, STATUS_NAMES, Event, ResourceSpans, SpanRecord
from whence.otlp.repository_url import strip_credentials
from whence.store.rows import AssessmentRow, DocumentRow, SpanRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TRACE_ID_PREFIX = "tr-"
MAX_INT64 = 2**63 - 1


class Normalised(msgspec.Struct):
    """Rows of one request, the experiments it names (id → name or ''), and what was refused."""

    rows: list[SpanRow]
    experiments: dict[str, str]
    documents: list[DocumentRow] = []
    assessments: list[AssessmentRow] = []
    message: str = ""


def normalise(
    batch: Iterable[ResourceSpans],
    *,
    experiment_id: str | None = None,
    default_experiment_id: str = semconv.DEFAULT_EXPERIMENT_ID,
) -> Normalised:
    """Make rows of a request. `experiment_id` (the request's header) outranks the resources'."""
    found = Normalised([], {})
    for group in batch:
        resource = group.resource.attributes
        if semconv.DOCUMENT_KIND in resource:
            _take_document(resource, found)
        if not group.spans:
            continue
        named, name = _read_experiment(resource)
        experiment = experiment_id or named or default_experiment_id
        known = name if experiment == named else ""
        if known or experiment not in found.experiments:
            found.experiments[experiment] = known
        names = tuple(resource)
        text = write_object(_to_texts(resource, keep_texts(names), find_repositories(names)))
        stated = resource.get(semconv.PROVENANCE)
        for record in group.spans:
            found.rows.append(_make_row(record, experiment, text, stated))
            if semconv.ASSESSMENTS in record.attributes:
                _take_assessments(record, found)
    return found


def _take_document(resource: Mapping[str, Any], found: Normalised) -> None:
    document, problem = read_document(resource)
    if document is not None:
        found.documents = [*found.documents, document]
    found.message = found.message or problem


def _take_assessments(record: SpanRecord, found: Normalised) -> None:
    """Take what a root says was judged of its trace; one that can't be read is left out."""
    if not _is_root(record):
        return
    is_final = record.end_time_ns > 0 and record.attributes.get(semconv.PENDING) is not True
    now_ms = (record.end_time_ns or record.start_time_ns) // 1_000_000
    trace_id = TRACE_ID_PREFIX + record.trace_id
    text = record.attributes[semconv.ASSESSMENTS]
    try:
        rows = read_initial(trace_id, text, is_final=is_final, now_ms=now_ms)
    except InvalidInputError as error:
        found.message = found.message or f"trace {trace_id}: assessments were left out: {error}"
        return
    found.assessments.extend(rows)


def _read_experiment(resource: Mapping[str, Any]) -> tuple[str | None, str]:
    name = resource.get(semconv.EXPERIMENT_NAME)
    name = clean(name) if isinstance(name, str) else ""
    stated = resource.get(semconv.EXPERIMENT_ID)
    if isinstance(stated, int) and not isinstance(stated, bool):
        stated = str(stated)
    if isinstance(stated, str) and stated:
        return clean(stated), name
    return (experiment_id_of(name) if name else None), name


def _make_row(record: SpanRecord, experiment_id: str, resource: str, stated: Any) -> SpanRow:
    attributes = record.attributes
    shape = read_shape(tuple(attributes))
    inputs, outputs, kept = _read_payloads(attributes, shape)
    if record.events and not (inputs and outputs):
        inputs = inputs or _read_from_events(record.events, semconv.INPUT_KEYS)
        outputs = outputs or _read_from_events(record.events, semconv.OUTPUT_KEYS)
    texts = _to_texts(attributes, kept, shape.repositories)
    span_type = read_span_type(attributes)
    model = read_text(attributes, shape.models) if shape.models else ""
    provider = read_text(attributes, shape.providers) if shape.providers else ""
    usage = read_usage(attributes) if shape.usage else None
    start_time_ns = _clamp(record.start_time_ns)
    cost = None
    if shape.cost or usage:
        cost = read_cost(
            attributes,
            span_type=span_type,
            model=model,
            provider=provider,
            usage=usage,
            start_time_ns=start_time_ns,
        )
    is_root = _is_root(record)
    events = _write_events(record.events) if record.events else ""
    links = _write_links(record) if record.links else ""
    pending = attributes.get(semconv.PENDING) is True
    return SpanRow(
        experiment_id=experiment_id,
        trace_id=TRACE_ID_PREFIX + record.trace_id,
        span_id=record.span_id,
        parent_id="" if record.parent_id == record.span_id else clean(record.parent_id or ""),
        name=clean(record.name),
        span_type=clean(span_type),
        kind=_name(KIND_NAMES, record.kind),
        start_time_ns=start_time_ns,
        end_time_ns=0 if pending else _clamp(record.end_time_ns),
        status=_name(STATUS_NAMES, record.status),
        status_message=clean(record.status_message) if record.status_message else "",
        attributes=texts,
        inputs=inputs,
        outputs=outputs,
        events=events,
        links=links,
        resource_json=resource,
        scope=clean(record.scope) if record.scope else "",
        trace_state=clean(record.trace_state) if record.trace_state else "",
        model=clean(model) if model else "",
        provider=clean(provider) if provider else "",
        usage=to_json(usage) if usage else "",
        cost=to_json(cost) if cost else "",
        request_preview=_to_preview(attributes.get(semconv.REQUEST_PREVIEW)),
        response_preview=_to_preview(attributes.get(semconv.RESPONSE_PREVIEW)),
        provenance=pack_provenance(attributes.get(semconv.PROVENANCE), stated) if is_root else "",
        size_bytes=_measure(record, texts, inputs, outputs, events, links),
    )


def _is_root(record: SpanRecord) -> bool:
    """Tell whether a span speaks for its trace: a root, or a local one."""
    return (
        not record.parent_id
        or record.parent_id == record.span_id
        or record.attributes.get(semconv.LOCAL_ROOT) is True
    )


def _read_payloads(
    attributes: Mapping[str, Any], shape: Shape
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return inputs, outputs, and which attributes are stored besides."""
    if not shape.indexed:
        inputs, _ = read_payload(attributes, shape.inputs, ())
        outputs, _ = read_payload(attributes, shape.outputs, ())
        return inputs, outputs, shape.texts
    inputs, input_keys = read_payload(attributes, shape.inputs, semconv.INDEXED_INPUT_PREFIXES)
    outputs, output_keys = read_payload(attributes, shape.outputs, semconv.INDEXED_OUTPUT_PREFIXES)
    taken = {*input_keys, *output_keys}
    return inputs, outputs, tuple(pair for pair in shape.texts if pair[0] not in taken)


def _to_texts(
    attributes: Mapping[str, Any], kept: tuple[tuple[str, str], ...], repositories: tuple[str, ...]
) -> dict[str, str]:
    texts = {
        key: SHORT_TEXTS[value]
        if type(value := attributes[name]) is str and len(value) <= MAX_SHORT_CHARS
        else to_json(value)
        for name, key in kept
    }
    for name in repositories:
        value = attributes[name]
        if isinstance(value, str):
            texts[name] = to_json(strip_credentials(value))
    return texts


def _read_from_events(events: list[Event], keys: tuple[str, ...]) -> str:
    """Find a payload in an event, where `gen_ai.client.inference.operation.details` has it."""
    for event in events:
        text, _ = read_payload(event.attributes, keys, ())
        if text:
            return text
    return ""


def _to_preview(value: Any) -> str:
    if value is None:
        return ""
    return clean(value if isinstance(value, str) else to_json(value)).replace("\0", "\ufffd")


def _write_events(events: list[Event]) -> str:
    return to_json(
        [
            {
                "name": event.name,
                "time_ns": str(_clamp(event.time_ns)),
                "attributes": event.attributes,
            }
            for event in events
        ]
    )


def _write_links(record: SpanRecord) -> str:
    return to_json(
        [
            {
                "trace_id": TRACE_ID_PREFIX + link.trace_id,
                "span_id": link.span_id,
                "attributes": link.attributes,
            }
            for link in record.links
        ]
    )


def _measure(record: SpanRecord, texts: dict[str, str], *payloads: str) -> int:
    """Count the bytes of what the span says: about the length of its JSON."""
    text = "".join((*texts, *texts.values(), *payloads))
    size = len(record.name) + len(record.status_message) + len(text)
    if not text.isascii():
        keys = "".join(texts)
        size += len(text.encode()) - len(text) - (len(keys.encode()) - len(keys))
    return size


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _clamp(time_ns: int) -> int:
    return min(max(time_ns, 0), MAX_INT64)
