"""What is sent about a finding: names that anybody stored neither link nor mention."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.query.test_findings import FIGURES

from whence.entities.finding import Finding
from whence.server.messages import write_message

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
        figures=msgspec.structs.replace(FIGURES, candidate_filter="app_version = 'a&b'"),
        first_seen_ms=1,
        last_seen_ms=2,
        resolved_ms=None,
        resolved_reason="smaller than it was",
        reopened=0,
        looks=1,
    )


def test_slack_shows_stored_names_as_they_are(finding):
    body = write_message("finding.opened", finding, 1, slack=True, url="https://t.example/")
    lines = json.loads(body)["text"].split("\n")
    assert lines[0].startswith(":red_circle: *error rate* regressed in *1.1 &lt;!channel&gt; ")
    assert lines[0].endswith("(production)")
    assert "\x1b" not in body and "<!" not in body and "<https://evil" not in body
    link = "<https://t.example/traces?filter=app_version%20%3D%20%27a%26b%27|the traces>"
    assert lines[-1] == link
    gone = write_message("finding.resolved", finding, 1, slack=True, url=None)
    assert json.loads(gone)["text"].endswith("smaller than it was")


def test_programs_get_the_finding(finding):
    said = json.loads(
        write_message("finding.reopened", finding, 1_790_000_000_123, slack=False, url=None)
    )
    assert said["type"] == "finding.reopened"
    assert said["timestamp"] == "2026-09-21T14:13:20.123Z"
    assert said["data"]["finding"]["candidate"] == HOSTILE
    assert said["data"]["url"] is None
