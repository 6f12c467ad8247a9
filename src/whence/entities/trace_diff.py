"""The difference of two traces: what `whence.diff_traces` returns and the API answers."""

from __future__ import annotations

import msgspec


class SpanSide(msgspec.Struct, frozen=True, kw_only=True):
    """A span as one trace has it. `duration_ms` is None where it has not ended."""

    span_id: str
    span_type: str
    status: str
    status_message: str
    duration_ms: float | None
    own_ms: float
    model: str | None
    total_tokens: int | None


class TextDiff(msgspec.Struct, frozen=True, kw_only=True):
    """How a text differs: `lines` of a unified diff; `cut` where they are not all."""

    what: str
    lines: list[str]
    cut: bool = False


class SpanDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A span by its path: names from the root, `[2]` for the second of a name; `name` is the last.

    `change` is `same`, `changed` (status, type, model, inputs, outputs or attributes differ; times
    always do), or `only in baseline`, `only in candidate`; then the other side is None. `own_ms` of
    a side is its own time on the critical path. `attributes` are the keys that differ.
    """

    path: str
    name: str
    depth: int
    change: str
    baseline: SpanSide | None
    candidate: SpanSide | None
    texts: list[TextDiff]
    attributes: list[str]


class ValueDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A metadata key or a tag that differs; None where a trace does not have it."""

    key: str
    baseline: str | None
    candidate: str | None


class TraceDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Two traces side by side. Spans come in the order of the candidate's tree."""

    baseline: str
    candidate: str
    baseline_ms: float | None
    candidate_ms: float | None
    baseline_state: str
    candidate_state: str
    same: int
    changed: int
    only_baseline: int
    only_candidate: int
    spans: list[SpanDiff]
    metadata: list[ValueDiff]
    tags: list[ValueDiff]
