"""All that becomes of a request before the writer sees it: a pure function of the request.

`prepare` decompresses, decodes, normalises and encodes, and knows neither store nor server, so that
it may run anywhere. What only the writer can say, when the spans were received and which version
they are, is added to their rows when it takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.ingest.facts import SpanFacts, facts_of
from whence.ingest.jobs import ROW_OVERHEAD_BYTES
from whence.ingest.jsontext import to_json
from whence.ingest.normalise import TRACE_ID_PREFIX, normalise
from whence.otlp import json as otlp_json
from whence.otlp.compression import IDENTITY, decompress
from whence.otlp.json import JSON_TYPE, PROTOBUF_TYPE
from whence.semconv import DEFAULT_EXPERIMENT_ID, LINKED_RUNS_TAG, TRACE_TAG_PREFIX
from whence.store.arrow import encode_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyarrow import RecordBatch

    from whence.otlp.records import ResourceSpans
    from whence.store.rows import AssessmentRow, DocumentRow, SpanRow

CONTENT_TYPES = (PROTOBUF_TYPE, JSON_TYPE)
STAMPS = ("received_at_us", "version")  # the columns that the writer adds
MAX_BODY_BYTES = 64 << 20
NO_NAMES: Mapping[str, str] = {}


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What is said of a body beside it: one of `CONTENT_TYPES` and of `compression.ENCODINGS`.

    `experiment_id` is what the request's header named. `trace_ids` are those of traces that another
    store had under ids of its own: the 32 hex digits that stand for an id, and the id. `run_id` is
    the run that every trace is linked to whose root is in the body.
    """

    content_type: str = JSON_TYPE
    encoding: str = IDENTITY
    limit_bytes: int = MAX_BODY_BYTES
    experiment_id: str | None = None
    default_experiment_id: str = DEFAULT_EXPERIMENT_ID
    trace_ids: dict[str, str] = {}
    run_id: str | None = None


class Prepared(msgspec.Struct, kw_only=True):
    """A request as the writer takes it.

    Row `n` of `spans`, which lack the `STAMPS`, has `facts[n]` and belongs to the trace
    `trace_ids[places[n]]`. `experiments` are those that it names (id → name or ''). `size_bytes`
    is about what all this takes in memory.
    """

    trace_ids: list[str]
    places: list[int]
    facts: list[SpanFacts]
    spans: RecordBatch | None
    experiments: dict[str, str]
    documents: list[DocumentRow]
    assessments: list[AssessmentRow]
    message: str
    size_bytes: int


def prepare(body: bytes, envelope: Envelope) -> Prepared:
    """Prepare a request's body.

    Raises MalformedPayloadError and PayloadTooLargeError.
    """
    return read_body(body, envelope)[0]


def prepare_groups(
    groups: Iterable[ResourceSpans],
    *,
    experiment_id: str | None = None,
    default_experiment_id: str = DEFAULT_EXPERIMENT_ID,
) -> Prepared:
    """Prepare spans that are decoded already."""
    return _prepare(groups, experiment_id, default_experiment_id)[0]


def read_body(body: bytes, envelope: Envelope) -> tuple[Prepared, list[SpanRow]]:
    """Prepare a request's body; return the rows as well."""
    plain = decompress(body, envelope.encoding, envelope.limit_bytes)
    groups = _decode(plain, envelope.content_type) if plain else []
    return _prepare(
        groups,
        envelope.experiment_id,
        envelope.default_experiment_id,
        envelope.trace_ids,
        envelope.run_id,
    )


def _weigh(row: AssessmentRow) -> int:
    """Return about what an assessment takes in memory."""
    texts = (row.name, row.value, row.error, row.rationale or "", row.source_id)
    said = sum(len(key) + len(value) for key, value in row.metadata.items())
    return sum(map(len, texts)) + said + ROW_OVERHEAD_BYTES


def _decode(plain: bytes, content_type: str) -> list[ResourceSpans]:
    if content_type == JSON_TYPE:
        return otlp_json.decode_request(plain)
    from whence.otlp import protobuf  # who gets JSON alone never loads it

    return protobuf.decode_request(plain)


def _prepare(
    groups: Iterable[ResourceSpans],
    experiment_id: str | None,
    default_experiment_id: str,
    trace_ids: Mapping[str, str] = NO_NAMES,
    run_id: str | None = None,
) -> tuple[Prepared, list[SpanRow]]:
    normalised = normalise(
        groups, experiment_id=experiment_id, default_experiment_id=default_experiment_id
    )
    rows, documents = normalised.rows, normalised.documents
    assessments = normalised.assessments
    if trace_ids:
        own = {TRACE_ID_PREFIX + digits: trace_id for digits, trace_id in trace_ids.items()}
        for row in rows:
            row.trace_id = own.get(row.trace_id, row.trace_id)
        assessments = [
            msgspec.structs.replace(one, trace_id=own.get(one.trace_id, one.trace_id))
            for one in assessments
        ]
    if run_id is not None:
        _link_roots(rows, run_id)
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(row.trace_id, len(numbers)) for row in rows]
    size_bytes = sum(row.size_bytes for row in rows) + len(rows) * ROW_OVERHEAD_BYTES
    prepared = Prepared(
        trace_ids=list(numbers),
        places=places,
        facts=facts_of(rows),
        spans=encode_rows(rows, without=STAMPS) if rows else None,
        experiments=normalised.experiments,
        documents=documents,
        assessments=assessments,
        message=normalised.message,
        size_bytes=size_bytes
        + sum(len(document.text) for document in documents)
        + sum(map(_weigh, assessments)),
    )
    return prepared, rows


def _link_roots(rows: Iterable[SpanRow], run_id: str) -> None:
    """Give the traces whose roots these are a tag that lists the run."""
    listed = to_json(to_json([run_id]))  # the JSON text of a text, as every attribute's value
    for row in rows:
        if not row.parent_id:
            row.attributes[TRACE_TAG_PREFIX + LINKED_RUNS_TAG] = listed
