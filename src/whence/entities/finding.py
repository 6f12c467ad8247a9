"""Findings: regressions that the server found by itself, with their evidence and their history.

What `whence.search_findings` returns and `/api/v1/findings` answers. Plain numbers and texts, so
that it loads nothing. Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from whence.entities.comparison import (  # noqa: TC001 - msgspec reads them
    Arm,
    ErrorSignature,
    ExemplarPair,
    MetricComparison,
    Overrepresented,
    ShapeChange,
    SpanEffect,
    SpanPresence,
)

OPEN, RESOLVED, ENDED = "open", "resolved", "ended"
STATES = (OPEN, RESOLVED, ENDED)
"""`resolved`: traffic showed that it is gone; `ended`: its traffic ended without showing that."""
OPENED, SEEN, WORSENED, REOPENED = "opened", "seen", "worsened", "reopened"
"""Kinds of events, besides `resolved` and `ended`: found, seen again at a later look, seen in
another kind of metric too, back after it was gone."""
CLOSING = (RESOLVED, ENDED)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding rests on: both versions, and where in the traces the difference lies.

    `spans`, `errors`, `overrepresented` and `exemplars` are those of the comparison that found it,
    the strongest of each.
    """

    baseline: Arm
    candidate: Arm
    strata_by: list[str]
    coverage: float
    confidence: float
    notes: list[str]
    errors: list[ErrorSignature]
    spans: list[SpanEffect] = []
    presence: list[SpanPresence] = []
    shapes: list[ShapeChange] = []
    overrepresented: list[Overrepresented] = []
    exemplars: list[ExemplarPair] = []


class FindingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of a finding's history.

    `kind`: `opened`, `seen`, `worsened`, `reopened`, `resolved`, `ended`. `look` is the number of
    the look at the traffic, `effect` what it showed then of `metric`, and `metrics` are all that
    were worse (of `resolved`: that were found better again).
    """

    kind: str
    metric: str
    metrics: list[str]
    at_ms: int
    look: int
    reason: str
    effect: float | None
    low: float | None
    high: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is worse than the one before it, in one experiment and environment.

    There is one finding for each candidate × environment of an experiment, whatever it shows in:
    `metrics` are those that are worse, and `metric` is the one that is furthest beyond its margin,
    with its `figures`. `state` is `open`; `resolved` when traffic showed that it is gone, `open`
    again when it comes back; `ended` when the version has no more traffic, and was not seen to get
    better. `resolved_by` is the later version that no longer shows it, where one replaced it.
    `baseline` and `candidate` are names of their `kind` (`app_version` or `commit`). Figures are
    those of the last look that showed them, and hold the filters of both versions' traces.
    `last_seen_ms` is that look's time. `muted` findings send no webhooks. `evidence` and
    `history` come with one finding, not with a list of them.
    """

    finding_id: str
    experiment_id: str
    environment: str | None
    metric: str
    baseline: str
    baseline_kind: str
    candidate: str
    candidate_kind: str
    state: str
    summary: str
    figures: MetricComparison
    metrics: list[MetricComparison]
    first_seen_ms: int
    last_seen_ms: int
    resolved_ms: int | None
    resolved_reason: str | None
    resolved_by: str | None
    reopened: int
    looks: int
    acknowledged_ms: int | None = None
    muted: bool = False
    note: str = ""
    evidence: Evidence | None = None
    history: list[FindingEvent] = []

    @property
    def is_open(self) -> bool:
        """Whether the last look still showed it."""
        return self.state == OPEN

    def to_dict(self) -> dict[str, Any]:
        """Return what the API answered, as plain dicts and lists."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class FindingList(msgspec.Struct, frozen=True, kw_only=True):
    """Findings, those last seen first; `total` counts those that are not listed too."""

    findings: list[Finding]
    total: int
