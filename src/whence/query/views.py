"""Traces, spans and assessments as JSON: what the API answers and the UI shows.

Stored JSON text (inputs, outputs, attributes, events, assessment values) is embedded as it lies,
without decoding. Ids come out as they are stored (`tr-` + 32 hex for ours).
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, UnsetType

from whence import semconv
from whence.query.compile import forms_of_trace_id
from whence.store.conflicts import SELECT_CONFLICTS, find_conflicts
from whence.store.connection import Rows
from whence.store.overlay import ask_overlay, read_overlay
from whence.store.rows import ConflictRow
from whence.store.spans import SELECT_SPANS, gather_spans, read_spans
from whence.store.traces import SELECT_RUNNING, read_trace_at, read_traces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from whence.store.connection import Store
    from whence.store.overlay import Overlay
    from whence.store.rows import AssessmentRow, SpanRow, TagRow, TraceRow

MAX_PLACES = 8
_NOTHING = Raw(b"[]")
_NULL = Raw(b"null")
_resources = msgspec.json.Decoder(dict[str, Raw])
_EMPTY = Raw(b"{}")


class Source(msgspec.Struct, frozen=True):
    """Who judged."""

    source_type: str
    source_id: str


class SerializedValue(msgspec.Struct, frozen=True):
    """An expectation that is a list or an object, as JSON text."""

    serialization_format: str
    value: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a feedback or an expectation."""

    value: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    serialized_value: SerializedValue | UnsetType = UNSET


class Issue(msgspec.Struct, frozen=True):
    """The issue that a trace was linked to."""

    issue_name: Raw


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """A feedback, an expectation or an issue, in MLflow's JSON; times are RFC 3339."""

    assessment_id: str
    assessment_name: str
    trace_id: str
    span_id: str | UnsetType = UNSET
    source: Source
    create_time: str
    last_update_time: str
    feedback: Judgement | UnsetType = UNSET
    expectation: Judgement | UnsetType = UNSET
    issue: Issue | UnsetType = UNSET
    rationale: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    overrides: str | UnsetType = UNSET
    valid: bool


class TraceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A trace without its spans; `tags` and `name` as they are now.

    `provenance` says where each key of `trace_metadata` is from, `{}` for traces of old.
    """

    trace_id: str
    experiment_id: str
    name: str | None
    state: str
    request_time_ms: int
    duration_ns: int | None
    client_request_id: str | None
    request_preview: str | None
    response_preview: str | None
    environment: str | None
    app_version: str | None
    commit: str | None
    branch: str | None
    session: str | None
    user: str | None
    trace_metadata: dict[str, str]
    provenance: Raw
    tags: dict[str, str]
    assessments: list[Assessment]
    span_count: int
    error_count: int
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    size_bytes: int
    models: list[str]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span; times are decimal strings, because JavaScript's numbers end at 2^53."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    span_type: str
    kind: str
    start_time_ns: str
    end_time_ns: str | None
    status: str
    status_message: str
    inputs: Raw | UnsetType = UNSET
    outputs: Raw | UnsetType = UNSET
    attributes: dict[str, Raw]
    events: Raw
    links: Raw
    resource: dict[str, Raw]
    scope: str
    model: str | None
    provider: str | None
    usage: Raw | None
    cost: Raw | None
    size_bytes: int


class Conflict(msgspec.Struct, frozen=True):
    """A refused write to immutable metadata; `kept` is null where the key stays absent."""

    key: str
    kept: str | None
    refused: str
    source: str


class TraceView(msgspec.Struct, frozen=True):
    """A whole trace: spans by start time, roots first."""

    info: TraceInfo
    spans: list[Span]
    conflicts: list[Conflict]


def read_trace(store: Store, trace_id: str) -> TraceView | None:
    """Read a trace by its id (32 bare hex digits mean ours), or None where there is none."""
    forms = forms_of_trace_id(trace_id)
    asked = {"trace_ids": forms}
    refused, overlay = find_conflicts(store, forms), ask_overlay(store, forms)
    statements = [(SELECT_SPANS, asked)]
    runs = store.kept.find("open_traces", forms) != []
    statements += [(SELECT_RUNNING, asked)] * runs
    statements += [(SELECT_CONFLICTS, asked)] * (refused is None)
    spans, *changed = store.query_together(
        [*statements, *overlay.statements], use_query_condition_cache=0, max_threads=1
    )
    running = changed.pop(0) if runs else Rows((), [])
    if refused is None:
        refused = changed.pop(0).structs(ConflictRow)
    rows = gather_spans(spans)
    # A trace begins with its first span, nearly always; the first few are looked at.
    begun = sorted((row.start_time_ns // 1_000_000, row.experiment_id) for row in rows)[:MAX_PLACES]
    places = {(experiment_id, time_ms) for time_ms, experiment_id in begun}
    found = read_trace_at(store, forms, running, places)
    if found is None:
        return None
    info = view_infos([found], overlay.gather(changed))[0]
    spans_of = _view_spans(rows, [found.trace_id])
    refused = [one for one in refused if one.trace_id == found.trace_id]
    return TraceView(info, spans_of[found.trace_id], _view_conflicts(refused, info))


def read_infos(store: Store, trace_ids: Sequence[str]) -> list[TraceInfo]:
    """Read the traces of these ids, in the order of the ids; unknown ones are left out."""
    wanted = list(dict.fromkeys(form for one in trace_ids for form in forms_of_trace_id(one)))
    rows = {row.trace_id: row for row in read_traces(store, wanted)}
    return view_infos([rows[one] for one in wanted if one in rows], read_overlay(store, list(rows)))


def read_spans_of(store: Store, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    """Read the spans of traces, by trace id, each by start time and roots first."""
    return _view_spans(read_spans(store, trace_ids), trace_ids)


def _view_spans(rows: Iterable[SpanRow], trace_ids: Iterable[str]) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {trace_id: [] for trace_id in trace_ids}
    for row in sorted(rows, key=lambda row: (row.parent_id != "", row.start_time_ns, row.span_id)):
        if row.trace_id in spans:
            spans[row.trace_id].append(view_span(row))
    return spans


def _view_conflicts(rows: Iterable[ConflictRow], info: TraceInfo) -> list[Conflict]:
    """List the conflicts; a key that was absent may have been filled since, by another span."""
    conflicts = []
    for row in rows:
        kept = info.trace_metadata.get(row.key) if row.absent else row.kept
        if kept != row.refused:
            conflicts.append(Conflict(row.key, kept, row.refused, row.source))
    return conflicts


def view_infos(rows: Iterable[TraceRow], overlay: Overlay) -> list[TraceInfo]:
    """Make the infos of trace rows, with what was changed about them."""
    return [
        _view_info(
            row,
            overlay.tags.get(row.trace_id, []),
            [view_assessment(one) for one in overlay.assessments.get(row.trace_id, [])],
        )
        for row in rows
    ]


def _view_info(row: TraceRow, writes: list[TagRow], assessments: list[Assessment]) -> TraceInfo:
    metadata = dict(row.metadata)
    for key, column in semconv.COLUMN_OF_METADATA.items():
        value = getattr(row, column)
        if value is not None:
            metadata[key] = value
    tags = _effective_tags(row, writes)
    return TraceInfo(
        trace_id=row.trace_id,
        experiment_id=row.experiment_id,
        name=tags.get(semconv.TRACE_NAME_TAG),
        state=row.state,
        request_time_ms=row.request_time_ms,
        duration_ns=row.duration_ns,
        client_request_id=row.client_request_id,
        request_preview=row.request_preview,
        response_preview=row.response_preview,
        environment=row.environment,
        app_version=row.app_version,
        commit=row.commit,
        branch=row.branch,
        session=row.session,
        user=row.user,
        trace_metadata=metadata,
        provenance=_raw(row.provenance) or _EMPTY,
        tags=tags,
        assessments=assessments,
        span_count=row.span_count,
        error_count=row.error_count,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        total_tokens=row.total_tokens,
        cost_usd=row.cost_usd,
        size_bytes=row.size_bytes,
        models=list(row.models),
    )


def _effective_tags(row: TraceRow, writes: Iterable[TagRow]) -> dict[str, str]:
    tags = {key: value for key, value in row.tags.items() if key != semconv.TRACE_NAME_TAG}
    if row.trace_name is not None:
        tags[semconv.TRACE_NAME_TAG] = row.trace_name
    for write in writes:
        if write.deleted:
            tags.pop(write.key, None)
        else:
            tags[write.key] = write.value
    return tags


def view_span(row: SpanRow) -> Span:
    """Make a span's JSON of its row."""
    return Span(
        trace_id=row.trace_id,
        span_id=row.span_id,
        parent_id=row.parent_id or None,
        name=row.name,
        span_type=row.span_type,
        kind=row.kind,
        start_time_ns=str(row.start_time_ns),
        end_time_ns=str(row.end_time_ns) if row.end_time_ns else None,
        status=row.status,
        status_message=row.status_message,
        inputs=_raw(row.inputs) or UNSET,
        outputs=_raw(row.outputs) or UNSET,
        attributes=_raws(row.attributes),
        events=_raw(row.events) or _NOTHING,
        links=_raw(row.links) or _NOTHING,
        resource=_read_resource(row.resource_json),
        scope=row.scope,
        model=row.model or None,
        provider=row.provider or None,
        usage=_raw(row.usage),
        cost=_raw(row.cost),
        size_bytes=row.size_bytes,
    )


def view_assessment(row: AssessmentRow) -> Assessment:
    """Make an assessment's JSON of its row."""
    value = _raw(row.value) or _NULL
    structured = row.value.lstrip()[:1] in ("{", "[")
    judgement: Judgement | UnsetType = Judgement(value=value, error=_raw(row.error) or UNSET)
    expectation = Judgement(
        value=UNSET if structured else value,
        serialized_value=SerializedValue("JSON_FORMAT", row.value) if structured else UNSET,
    )
    return Assessment(
        assessment_id=row.assessment_id,
        assessment_name=row.name,
        trace_id=row.trace_id,
        span_id=row.span_id or UNSET,
        source=Source(row.source_type, row.source_id),
        create_time=_rfc3339(row.create_time_ms),
        last_update_time=_rfc3339(row.last_update_time_ms),
        feedback=judgement if row.kind == "feedback" else UNSET,
        expectation=expectation if row.kind == "expectation" else UNSET,
        issue=Issue(value) if row.kind == "issue" else UNSET,
        rationale=UNSET if row.rationale is None else row.rationale,
        metadata=dict(row.metadata) if row.metadata else UNSET,
        overrides=row.overrides or UNSET,
        valid=bool(row.valid),
    )


def _rfc3339(time_ms: int) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _raw(text: str) -> Raw | None:
    return Raw(text.encode()) if text else None


@lru_cache(maxsize=256)
def _read_resource(text: str) -> dict[str, Raw]:
    """Return a resource's attributes: one dict for all spans of a process."""
    return _resources.decode(text) if text else {}


def _raws(texts: dict[str, str]) -> dict[str, Raw]:
    return {key: Raw(text.encode()) for key, text in texts.items()}
