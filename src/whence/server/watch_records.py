"""What a watch writes down: events of findings, messages about them, and where the watch stands.

Ids are made of what they name, so that servers that see the same write the same rows. Events are
written first, then messages, then the progress: a crash between them repeats a look, which writes
the same rows again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from whence.entities.finding import SEEN, WORSENED
from whence.query.findings import read_finding
from whence.query.kept_json import decode_kept
from whence.server.messages import PREFIX
from whence.store.findings import (
    FindingEventRow,
    WatchRow,
    add_events,
    read_watches,
    write_watch,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.watch_progress import Event, Progress, Target
    from whence.entities.finding import Finding
    from whence.server.outbox import Outbox
    from whence.store.connection import Store

Place = tuple[str, str | None, str, str]
"""Where a version is: its experiment and environment, its kind and name."""


def watch_id_of(experiment_id: str, environment: str | None, kind: str, candidate: str) -> str:
    """Return the id of the watch of a candidate."""
    return "wa-" + _digest(experiment_id, environment, kind, candidate)


def finding_id_of(experiment_id: str, environment: str | None, kind: str, candidate: str) -> str:
    """Return the id of the finding of a candidate."""
    return "fi-" + _digest(experiment_id, environment, kind, candidate)


def _digest(*parts: str | None) -> str:
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def write_events(
    store: Store,
    outbox: Outbox,
    target: Target,
    progress: Progress,
    events: Sequence[Event],
    at_ms: int,
) -> None:
    """Keep what a look saw, and have it sent."""
    candidate = target.candidate
    place = (target.experiment_id, target.environment, candidate.kind, candidate.text)
    rows = [
        FindingEventRow(
            finding_id=finding_id_of(*place),
            episode=one.episode,
            kind=one.kind,
            look=one.step if one.kind in (SEEN, WORSENED) else 0,
            at_ms=at_ms,
            experiment_id=target.experiment_id,
            environment=target.environment,
            baseline=progress.baseline.text,
            baseline_kind=progress.baseline.kind,
            candidate=candidate.text,
            candidate_kind=candidate.kind,
            metric=one.metrics[0].metric,
            summary=one.summary,
            reason=one.reason,
            figures=msgspec.json.encode(one.metrics[0]).decode(),
            metrics=msgspec.json.encode(one.metrics).decode(),
            evidence="" if one.evidence is None else msgspec.json.encode(one.evidence).decode(),
        )
        for one in events
    ]
    add_events(store, rows)
    for row in rows:
        send_event(store, outbox, row)


def send_event(store: Store, outbox: Outbox, row: FindingEventRow) -> None:
    """Have an event sent, where somebody should know and the finding is not muted."""
    if row.kind == SEEN:
        return
    finding = read_finding(store, row.finding_id)
    if not finding.muted:
        outbox.tell(PREFIX + row.kind, finding, row.at_ms, row.look)


class Closing(NamedTuple):
    """Why a finding is `resolved` or `ended` that no look at it closed; `by`: a later version."""

    kind: str
    reason: str
    by: str = ""


def close_finding(
    store: Store, outbox: Outbox | None, finding: Finding, closing: Closing, at_ms: int
) -> None:
    """Keep that a finding is closed; without an outbox nobody is told."""
    row = FindingEventRow(
        finding_id=finding.finding_id,
        episode=finding.reopened + 1,
        kind=closing.kind,
        look=0,
        at_ms=at_ms,
        experiment_id=finding.experiment_id,
        environment=finding.environment,
        baseline=finding.baseline,
        baseline_kind=finding.baseline_kind,
        candidate=finding.candidate,
        candidate_kind=finding.candidate_kind,
        metric=finding.metric,
        summary=finding.summary,
        reason=closing.reason,
        resolved_by=closing.by,
        figures=msgspec.json.encode(finding.figures).decode(),
        metrics=msgspec.json.encode(finding.metrics).decode(),
    )
    add_events(store, [row])
    if outbox is not None:
        send_event(store, outbox, row)


def read_progress(store: Store, watch_id: str) -> Progress | None:
    """Return where a watch stands, None where it has not begun."""
    from whence.analysis.watch_progress import Progress

    row = read_watches(store, [watch_id]).get(watch_id)
    return None if row is None else decode_kept(row.progress, Progress)


def write_progress(store: Store, place: Place, progress: Progress) -> None:
    """Keep where a watch stands."""
    experiment_id, environment, kind, candidate = place
    write_watch(
        store,
        WatchRow(
            watch_id=watch_id_of(*place),
            experiment_id=experiment_id,
            environment=environment,
            candidate=candidate,
            candidate_kind=kind,
            progress=msgspec.json.encode(progress).decode(),
        ),
    )
