"""Findings as they stand: each is what its events say, and what people said about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.entities.comparison import MetricComparison
from whence.entities.finding import (
    CLOSING,
    OPEN,
    REOPENED,
    STATES,
    Evidence,
    Finding,
    FindingEvent,
    FindingList,
)
from whence.errors import InvalidInputError, NotFoundError
from whence.query.compile import Parameters
from whence.query.kept_json import decode_kept
from whence.semconv import normalise_environment
from whence.store.findings import FindingMarkRow, read_events, read_marks, write_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.connection import Store
    from whence.store.findings import FindingEventRow

DEFAULT_MAX_FINDINGS = 100
MAX_MAX_FINDINGS = 1000
MAX_NOTE = 4000

# What is the last of a finding's events: those that close an episode come after all of it.
_CLOSES = f"kind IN {CLOSING}"
_ORDER = f"(episode, {_CLOSES}, at_ms)"
_SHOWS = f"NOT ({_CLOSES})"
_LIST = f"""\
SELECT
    finding_id,
    any(experiment_id) AS experiment_id,
    any(environment) AS environment,
    argMaxIf(metric, {_ORDER}, {_SHOWS}) AS metric,
    argMax(baseline, {_ORDER}) AS baseline,
    argMax(baseline_kind, {_ORDER}) AS baseline_kind,
    any(candidate) AS candidate,
    any(candidate_kind) AS candidate_kind,
    argMax(kind, {_ORDER}) AS last_kind,
    if(last_kind IN {CLOSING}, last_kind, '{OPEN}') AS state,
    argMaxIf(summary, {_ORDER}, {_SHOWS}) AS summary,
    argMaxIf(figures, {_ORDER}, {_SHOWS}) AS figures,
    argMaxIf(metrics, {_ORDER}, {_SHOWS}) AS metrics,
    min(at_ms) AS first_seen_ms,
    maxIf(at_ms, {_SHOWS}) AS last_seen_ms,
    argMax(at_ms, {_ORDER}) AS last_ms,
    argMax(reason, {_ORDER}) AS last_reason,
    argMax(resolved_by, {_ORDER}) AS last_by,
    countIf(kind = '{REOPENED}') AS reopened,
    countIf({_SHOWS}) AS looks,
    count() OVER () AS total
FROM
(
    SELECT *
    FROM finding_events FINAL
    WHERE {{where}}
)
GROUP BY finding_id
HAVING {{having}}
ORDER BY last_seen_ms DESC, finding_id
LIMIT {{limit}}
"""
_MARKED = """\
finding_id IN (SELECT finding_id FROM finding_marks FINAL WHERE muted = 1)"""


def list_findings(
    store: Store,
    *,
    experiment_ids: Sequence[str] = (),
    environment: str | None = None,
    version: str | None = None,
    state: str | None = None,
    muted: bool | None = None,
    max_findings: int = DEFAULT_MAX_FINDINGS,
    aliases: Mapping[str, str] | None = None,
) -> FindingList:
    """Return findings, those last seen first; `version` is the candidate's name.

    Raises InvalidInputError for a state that there is not, and for a bad limit.
    """
    if state is not None and state not in STATES:
        raise InvalidInputError(
            f"a finding is {', '.join(STATES[:-1])} or {STATES[-1]}, never {state!r}"
        )
    if not 0 < max_findings <= MAX_MAX_FINDINGS:
        raise InvalidInputError(
            f"max_findings must be between 1 and {MAX_MAX_FINDINGS}, got {max_findings}"
        )
    parameters = Parameters()
    where = ["1"]
    if experiment_ids:
        ids = parameters.bind(list(experiment_ids), "Array(String)")
        where.append(f"experiment_id IN {ids}")
    if environment is not None:
        named = normalise_environment(environment, aliases)
        where.append(f"environment = {parameters.bind(named)}")
    if version is not None:
        where.append(f"candidate = {parameters.bind(version)}")
    if muted is not None:
        where.append(_MARKED if muted else f"NOT ({_MARKED})")
    having = "1" if state is None else f"state = {parameters.bind(state)}"
    limit = parameters.bind(max_findings, "UInt64")
    sql = _LIST.format(where=" AND ".join(where), having=having, limit=limit)
    rows = store.query(sql, parameters.values).dicts()
    marks = read_marks(store, [row["finding_id"] for row in rows])
    return FindingList(
        findings=[_read(row, marks.get(row["finding_id"])) for row in rows],
        total=rows[0]["total"] if rows else 0,
    )


def _read(row: Mapping[str, object], mark: FindingMarkRow | None) -> Finding:
    given = dict(row)
    gone = given["state"] != OPEN
    last_ms, reason, by = (given.pop(name) for name in ("last_ms", "last_reason", "last_by"))
    for name in ("total", "last_kind"):
        given.pop(name)
    figures = decode_kept(str(given.pop("figures")), MetricComparison)
    metrics = _read_all(str(given.pop("metrics")), figures)
    found = Finding(
        **given,  # type: ignore[arg-type] # the columns have the names of the fields
        figures=figures,
        metrics=metrics,
        resolved_ms=int(str(last_ms)) if gone else None,
        resolved_reason=str(reason) if gone else None,
        resolved_by=str(by) or None,
    )
    return found if mark is None else _mark(found, mark)


def _read_all(text: str, figures: MetricComparison) -> list[MetricComparison]:
    """Return the figures of all metrics; an older program kept those of one."""
    if not text:
        return [figures]
    return [
        decode_kept(msgspec.json.encode(one).decode(), MetricComparison)
        for one in msgspec.json.decode(text)
    ]


def _mark(found: Finding, mark: FindingMarkRow) -> Finding:
    return msgspec.structs.replace(
        found,
        acknowledged_ms=mark.acknowledged_ms or None,
        muted=bool(mark.muted),
        note=mark.note,
    )


def read_finding(store: Store, finding_id: str) -> Finding:
    """Return a finding with its evidence and its history. Raises NotFoundError."""
    events = read_events(store, finding_id)
    if not events:
        raise NotFoundError(f"Finding with ID '{finding_id[:200]}' not found.")
    return fold_events(events, read_marks(store, [finding_id]).get(finding_id))


def fold_events(events: Sequence[FindingEventRow], mark: FindingMarkRow | None) -> Finding:
    """Return the finding that events (the oldest first, at least one) make."""
    last, shown = events[-1], [one for one in events if one.kind not in CLOSING]
    newest = shown[-1] if shown else last
    evidence = next((one.evidence for one in reversed(events) if one.evidence), "")
    gone = last.kind in CLOSING
    figures = decode_kept(newest.figures, MetricComparison)
    found = Finding(
        finding_id=last.finding_id,
        experiment_id=last.experiment_id,
        environment=last.environment,
        metric=newest.metric,
        baseline=last.baseline,
        baseline_kind=last.baseline_kind,
        candidate=last.candidate,
        candidate_kind=last.candidate_kind,
        state=last.kind if gone else OPEN,
        summary=newest.summary,
        figures=figures,
        metrics=_read_all(newest.metrics, figures),
        first_seen_ms=min(one.at_ms for one in events),
        last_seen_ms=newest.at_ms,
        resolved_ms=last.at_ms if gone else None,
        resolved_reason=last.reason if gone else None,
        resolved_by=last.resolved_by or None,
        reopened=sum(one.kind == REOPENED for one in events),
        looks=len(shown),
        evidence=decode_kept(evidence, Evidence) if evidence else None,
        history=[_tell(one) for one in events],
    )
    return found if mark is None else _mark(found, mark)


def _tell(event: FindingEventRow) -> FindingEvent:
    figures = decode_kept(event.figures, MetricComparison)
    return FindingEvent(
        kind=event.kind,
        metric=event.metric,
        metrics=[one.metric for one in _read_all(event.metrics, figures)],
        at_ms=event.at_ms,
        look=event.look,
        reason=event.reason,
        effect=figures.effect,
        low=figures.low,
        high=figures.high,
    )


def mark_finding(
    store: Store,
    finding_id: str,
    *,
    acknowledged: bool | None = None,
    muted: bool | None = None,
    note: str | None = None,
) -> Finding:
    """Write down what somebody says of a finding; None leaves as it is. Raises NotFoundError.

    It is acknowledged at the time when that was first said.
    """
    if note is not None and len(note) > MAX_NOTE:
        raise InvalidInputError(f"a note has at most {MAX_NOTE} characters, not {len(note)}")
    found = read_finding(store, finding_id)
    since = found.acknowledged_ms or 0
    if acknowledged is not None:
        since = (since or time.time_ns() // 1_000_000) if acknowledged else 0
    mark = FindingMarkRow(
        finding_id=finding_id,
        acknowledged_ms=since,
        muted=int(found.muted if muted is None else muted),
        note=found.note if note is None else note,
    )
    write_mark(store, mark)
    return _mark(found, mark)
