"""Findings as they are read: what their events say, and what people said about them."""

from __future__ import annotations

import json

import msgspec
import pytest

from whence.entities.comparison import MetricComparison
from whence.errors import InvalidInputError, NotFoundError
from whence.query.findings import list_findings, mark_finding, read_finding
from whence.store.findings import FindingEventRow, add_events

FIGURES = MetricComparison(
    metric="error_rate",
    unit="share",
    scale="difference",
    better="lower",
    guard=True,
    baseline=0.01,
    candidate=0.2,
    effect=0.19,
    low=0.1,
    high=0.3,
    margin=0.005,
    verdict="regressed",
    reason="",
    n_baseline=100,
    n_candidate=100,
    units_baseline=100,
    units_candidate=100,
    needed=None,
    detectable=None,
    p_value=0.0,
    p_adjusted=None,
    method="",
    coverage=1.0,
    uncovered=None,
    difference=None,
    mix=None,
    within=None,
    baseline_filter="",
    candidate_filter="",
)


@pytest.fixture
def tell(store, experiment_id):
    """Write an event of a finding of this test's experiment; return its id."""

    def write(kind, at_ms, *, metric="error_rate", episode=1, look=0, effect=0.19, **fields):
        row = FindingEventRow(
            finding_id=f"fi-{experiment_id}-{metric}",
            episode=episode,
            kind=kind,
            look=look,
            at_ms=at_ms,
            experiment_id=experiment_id,
            **{
                "environment": "production",
                "baseline": "1.0.0",
                "baseline_kind": "app_version",
                "candidate": "1.1.0",
                "candidate_kind": "app_version",
                "metric": metric,
                "summary": f"seen at {at_ms}",
                "reason": f"{kind} at {at_ms}",
                "figures": msgspec.json.encode(
                    msgspec.structs.replace(FIGURES, metric=metric, effect=effect)
                ).decode(),
                **fields,
            },
        )
        add_events(store, [row])
        return row.finding_id

    return write


def test_a_finding_is_what_its_events_say(store, experiment_id, tell):
    tell("opened", 1000)
    finding_id = tell("seen", 2000, look=4, effect=0.25)
    (found,) = list_findings(store, experiment_ids=[experiment_id]).findings
    assert (found.state, found.first_seen_ms, found.last_seen_ms) == ("open", 1000, 2000)
    assert (found.summary, found.figures.effect, found.looks) == ("seen at 2000", 0.25, 2)
    tell("resolved", 3000)
    (found,) = list_findings(store, experiment_ids=[experiment_id]).findings
    assert (found.state, found.resolved_ms, found.last_seen_ms) == ("resolved", 3000, 2000)
    assert found.resolved_reason == "resolved at 3000"
    assert found.figures.effect == 0.25
    tell("reopened", 4000, episode=2)
    (found,) = list_findings(store, experiment_ids=[experiment_id]).findings
    assert (found.state, found.reopened, found.resolved_ms) == ("open", 1, None)
    one = read_finding(store, finding_id)
    assert [event.kind for event in one.history] == ["opened", "seen", "resolved", "reopened"]
    assert msgspec.structs.replace(one, history=[]) == found


def test_what_two_servers_saw_is_one_event(store, experiment_id, tell):
    tell("opened", 1000)
    finding_id = tell("opened", 1001)
    assert len(read_finding(store, finding_id).history) == 1
    assert list_findings(store, experiment_ids=[experiment_id]).total == 1


def test_findings_are_chosen_by_environment_version_and_state(store, experiment_id, tell):
    tell("opened", 1000)
    tell("opened", 1500, metric="duration", environment=None, candidate="1.2.0")
    tell("resolved", 1600, metric="duration", environment=None, candidate="1.2.0")

    def metrics(**chosen):
        found = list_findings(store, experiment_ids=[experiment_id], **chosen)
        assert found.total == len(found.findings)
        return [one.metric for one in found.findings]

    assert metrics() == ["duration", "error_rate"]
    assert metrics(environment="prod") == ["error_rate"]
    assert metrics(version="1.2.0") == ["duration"]
    assert metrics(state="open") == ["error_rate"]
    assert metrics(state="resolved") == ["duration"]
    assert list_findings(store, experiment_ids=[experiment_id], max_findings=1).total == 2
    assert list_findings(store, experiment_ids=["0" + experiment_id]).findings == []


def test_people_acknowledge_mute_and_note(store, experiment_id, tell):
    finding_id = tell("opened", 1000)
    first = mark_finding(store, finding_id, acknowledged=True, note="known")
    found = mark_finding(store, finding_id, acknowledged=True, muted=True)
    assert found.acknowledged_ms == first.acknowledged_ms > 1000
    assert (found.muted, found.note) == (True, "known")
    assert read_finding(store, finding_id) == found
    chosen = {"experiment_ids": [experiment_id]}
    assert list_findings(store, **chosen, muted=True).findings[0].note == "known"
    assert list_findings(store, **chosen, muted=False).total == 0
    assert mark_finding(store, finding_id, acknowledged=False).acknowledged_ms is None


def test_figures_of_an_older_program_are_read(store, experiment_id, tell):
    figures = msgspec.to_builtins(FIGURES)
    for name in ("unit", "needed", "guard", "n_candidate"):
        del figures[name]
    kept = json.dumps({**figures, "no_longer_known": 1})
    evidence = json.dumps({"baseline": {"asked": "1.0.0"}, "errors": [{"type": "E"}], "spans": []})
    finding_id = tell("opened", 1000, figures=kept, evidence=evidence)
    found = read_finding(store, finding_id)
    assert (found.figures.effect, found.figures.unit, found.figures.needed) == (0.19, "", None)
    assert found.evidence.baseline.asked == "1.0.0" and found.evidence.candidate.traces == 0
    assert found.evidence.errors[0].type == "E"


def test_what_is_not_there_and_what_is_wrong_is_said(store):
    with pytest.raises(NotFoundError, match="fi-nothing"):
        read_finding(store, "fi-nothing")
    with pytest.raises(InvalidInputError, match="open, resolved or ended, never 'closed'"):
        list_findings(store, state="closed")
    with pytest.raises(InvalidInputError, match="max_findings"):
        list_findings(store, max_findings=0)
