"""What is sent about a finding: names that anybody stored neither link nor mention."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.query.test_findings import FIGURES

from whence.entities.finding import Finding
from whence.server.messages import Message, write_json, write_slack

FIGURES_LINKED = msgspec.structs.replace(FIGURES, candidate_filter="app_version = 'a&b'")
HOSTILE = "1.1 <!channel> <https://evil.example|ok> & \x1b[2J\nnext"


@pytest.fixture
def finding():
    return Finding(
        finding_id="fi-1",
        experiment_id="0",
        environment="production",
        metric="error_rate",
        baseline="1.0.0",
        baseline_kind="app_version",
        candidate=HOSTILE,
        candidate_kind="app_version",
        state="open",
        summary=f"{HOSTILE} against 1.0.0",
        figures=FIGURES_LINKED,
        metrics=[FIGURES_LINKED, msgspec.structs.replace(FIGURES, metric="duration_p95")],
        first_seen_ms=1,
        last_seen_ms=2,
        resolved_ms=None,
        resolved_reason="smaller than it was",
        resolved_by=None,
        reopened=0,
        looks=1,
    )


def message(event, finding, url=None):
    return Message("de-1", event, finding, 1_790_000_000_123, url)


def test_slack_shows_stored_names_as_they_are(finding):
    body = write_slack(message("finding.opened", finding, "https://t.example/"))
    lines = json.loads(body)["text"].split("\n")
    assert lines[0].startswith(":red_circle: *1.1 &lt;!channel&gt; ")
    assert lines[0].endswith("(production) is worse than 1.0.0: *error rate, duration p95*")
    assert lines[1] == "error rate +19.00 points (+10.00 to +30.00 points): 1.00 % → 20.00 %"
    assert "\x1b" not in body and "<!" not in body and "<https://evil" not in body
    link = "<https://t.example/traces?filter=app_version%20%3D%20%27a%26b%27|the traces>"
    assert lines[-1] == link
    gone = write_slack(message("finding.resolved", finding))
    assert json.loads(gone)["text"].endswith("smaller than it was")


def test_traffic_that_ended_is_not_said_to_have_got_better(finding):
    text = json.loads(write_slack(message("finding.ended", finding)))["text"]
    assert text.startswith(":white_circle: ")
    assert "has no more traffic; it was not seen to get better: error rate, duration p95" in text
    assert "gone" not in text and "no longer worse" not in text


def test_programs_get_the_finding_and_an_id_to_know_a_message_by(finding):
    said = json.loads(write_json(message("finding.reopened", finding)))
    assert (said["id"], said["type"]) == ("de-1", "finding.reopened")
    assert said["timestamp"] == "2026-09-21T14:13:20.123Z"
    assert said["data"]["finding"]["candidate"] == HOSTILE
    assert [one["metric"] for one in said["data"]["finding"]["metrics"]][1] == "duration_p95"
    assert said["data"]["url"] is None
