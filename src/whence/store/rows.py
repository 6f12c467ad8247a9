"""The rows of every table, as structs: a field is a column, in the schema's order and by its name.

Absent text is '' in `SpanRow` and None in `TraceRow`, where absent and '' must differ. A map or a
list that is absent is empty. JSON columns (`inputs`, `outputs`, `events`, `links`,
`resource_json`, `usage`, `cost`, `header`, `provenance`) hold JSON text, '' when absent. Attribute
values in maps are JSON text too.

`version` decides between rows of one key: the highest stays (`schema/*.sql` names the keys).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Repeated = Annotated[str, "the same in many rows"]


class SpanRow(msgspec.Struct, kw_only=True, gc=False):
    """One span of `spans`; its key is (trace_id, span_id). `end_time_ns` 0: it has not ended.

    The writer stamps it (`received_at_us`, `version`); nothing else of it ever changes.
    """

    experiment_id: Repeated = "0"
    trace_id: str
    span_id: str
    parent_id: str = ""
    name: Repeated = ""
    span_type: Repeated = ""
    kind: Repeated = ""
    start_time_ns: int = 0
    end_time_ns: int = 0
    status: Repeated = ""
    status_message: str = ""
    attributes: dict[str, str] = {}
    inputs: str = ""
    outputs: str = ""
    events: str = ""
    links: str = ""
    resource_json: Repeated = ""
    scope: Repeated = ""
    trace_state: Repeated = ""
    model: Repeated = ""
    provider: Repeated = ""
    usage: str = ""
    cost: str = ""
    request_preview: str = ""
    response_preview: str = ""
    provenance: Repeated = ""
    size_bytes: int = 0
    received_at_us: int = 0
    version: int = 0


class HeaderRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an MLflow client posted about a trace, as JSON text; its key is trace_id."""

    trace_id: str
    header: str = ""
    received_at_us: int = 0
    version: int = 0


class TraceRow(msgspec.Struct, kw_only=True, gc=False):
    """One trace of `traces` (complete) or `open_traces`. The writer stamps its `version`.

    The key in `traces` is (experiment_id, request_time_ms, trace_id), in `open_traces` trace_id.
    """

    experiment_id: str = "0"
    trace_id: str
    request_time_ms: int = 0
    duration_ns: int | None = None
    state: str = ""
    trace_name: str | None = None
    environment: str | None = None
    metadata_environment: str | None = None
    app_version: str | None = None
    commit: str | None = None
    branch: str | None = None
    session: str | None = None
    user: str | None = None
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    span_count: int = 0
    error_count: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cost_usd: float | None = None
    size_bytes: int = 0
    models: list[str] = []
    provenance: str = ""
    version: int = 0
    deleted: int = 0


class RunningRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace of `open_traces` is most often looked for by; its key is trace_id."""

    trace_id: str
    experiment_id: str
    request_time_ms: int
    duration_ns: int | None
    state: str
    trace_name: str | None
    environment: str | None
    metadata_environment: str | None
    app_version: str | None
    commit: str | None
    branch: str | None
    session: str | None
    user: str | None
    version: int
    deleted: int


class TagRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that an API call set, or deleted (`deleted` 1); its key is (trace_id, key)."""

    trace_id: str
    key: str
    value: str = ""
    version: int = 0
    deleted: int = 0


class AssessmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A feedback or an expectation; its key is (trace_id, assessment_id).

    `kind` is `feedback` or `expectation`; `value`, `error` are JSON text, '' when absent;
    `rationale` tells None from ''.
    """

    trace_id: str
    assessment_id: str
    name: str = ""
    kind: str = ""
    value: str = ""
    error: str = ""
    source_type: str = ""
    source_id: str = ""
    rationale: str | None = None
    metadata: dict[str, str] = {}
    span_id: str = ""
    create_time_ms: int = 0
    last_update_time_ms: int = 0
    overrides: str = ""
    valid: int = 1
    version: int = 0
    deleted: int = 0


class DeletionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tombstone: what arrives for this trace later is not stored. Its key is trace_id."""

    trace_id: str
    experiment_id: str = "0"
    deleted_at_us: int = 0


class ConflictRow(msgspec.Struct, frozen=True, kw_only=True):
    """A refused write to immutable metadata; its key is (trace_id, key, refused).

    `absent` 1: nothing is kept, because the span had ended without the key.
    """

    trace_id: str
    key: str
    kept: str = ""
    absent: int = 0
    refused: str = ""
    source: str = ""
    at_us: int = 0


class DocumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A text of a whole process, such as its diff; its key is (kind, hash)."""

    kind: str
    hash: str
    text: str = ""
    received_at_us: int = 0
    version: int = 0


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file attached to a trace; its key is (trace_id, path). `content` is base64."""

    trace_id: str
    path: str
    content_type: str = ""
    content: str = ""
    version: int = 0


class AncestorsRow(msgspec.Struct, frozen=True, kw_only=True):
    """A commit's first parents, the nearest first; its key is the commit, the longest stays."""

    commit: str
    ancestors: list[str]
    version: int = 0


class ExperimentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment; its key is experiment_id. `lifecycle_stage` is `active` or `deleted`."""

    experiment_id: str
    name: str = ""
    lifecycle_stage: str = "active"
    created_ms: int = 0
    updated_ms: int = 0
    tags: dict[str, str] = {}
    version: int = 0


Row = (
    SpanRow
    | HeaderRow
    | TraceRow
    | TagRow
    | AssessmentRow
    | DeletionRow
    | ConflictRow
    | DocumentRow
    | ArtifactRow
    | AncestorsRow
    | ExperimentRow
)
