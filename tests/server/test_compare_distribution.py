"""How long both versions' traces took, over HTTP: shares, regions and the traces behind them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from compared_traces import Call, draw_calls, send

URL = "/api/v1/compare/distribution"


def ask(client, **question):
    answer = client.get(URL, params=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def spread(client):
    send(client, "1.0.0", "spread", draw_calls(150, 11))
    send(client, "1.1.0", "spread", draw_calls(120, 12, rerank_ms=60.0, failing=0.1))
    return ask(client, baseline="1.0.0", candidate="1.1.0", environment="spread")


def test_shares_rise_to_one_and_the_slower_version_has_less_below_any_duration(spread):
    for side in ("baseline_shares", "candidate_shares"):
        shares = spread[side]
        assert shares == sorted(shares)
        assert shares[-1] == 1
    assert spread["at_ms"] == sorted(spread["at_ms"])
    middle = len(spread["at_ms"]) // 2
    assert spread["baseline_shares"][middle] > spread["candidate_shares"][middle]
    arm = spread["candidate"]
    assert (arm["traces"], arm["used"], spread["exact"]) == (120, 120, True)
    assert arm["p50_ms"] < arm["p95_ms"] <= arm["p99_ms"] <= spread["at_ms"][-1]


def test_every_region_counts_the_traces_that_its_filters_find(client, spread):
    regions = spread["regions"]
    assert 5 < len(regions) <= 25
    assert all(one["high_ms"] == other["low_ms"] for one, other in pairwise(regions))
    assert sum(one["baseline"] for one in regions) == 150
    assert sum(one["candidate"] for one in regions) == 120
    for one in regions:
        for side in ("baseline", "candidate"):
            asked = {"filter": one[f"{side}_filter"], "max_results": 500}
            found = client.get("/api/v1/traces", params=asked).json()["traces"]
            assert len(found) == one[side], one


def test_one_hanging_trace_does_not_take_all_the_regions(client):
    calls = [*draw_calls(1500, 13), Call(ms=3_600_000.0)]
    send(client, "1", "hanging", calls)
    send(client, "2", "hanging", draw_calls(20, 14))
    found = ask(client, baseline="1", candidate="2", environment="hanging")
    assert len(found["regions"]) > 15
    assert found["regions"][-1]["high_ms"] == 3_600_001


def test_instant_traces_and_an_arm_without_traces_are_shown_as_they_are(client):
    send(client, "1", "instant", [Call(ms=0.4, rerank_ms=0.1)] * 5)
    found = ask(client, baseline="1", candidate="version:none", environment="instant")
    (region,) = found["regions"]
    assert (region["low_ms"], region["high_ms"], region["baseline"]) == (0, 1, 5)
    assert (found["candidate"]["used"], found["candidate"]["p50_ms"]) == (0, None)
    assert set(found["candidate_shares"]) == {0}
    empty = ask(client, baseline="version:none", candidate="version:nothing", environment="instant")
    assert (empty["regions"], empty["at_ms"]) == ([], [])


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"baseline": "1", "candidate": "2", "since": 5, "until": 5}, "is not before until"),
        ({"baseline": "1", "candidate": "2", "filter": "stat = 'OK'"}, "unknown"),
        (
            {"baseline": "filter:state = 'OK'", "candidate": "filter:name = 'chat'"},
            "none in common",
        ),
    ],
)
def test_what_can_t_be_compared_says_why(client, spread, question, said):
    answer = client.get(URL, params=question)
    assert answer.status_code == 400
    assert said.lower() in answer.json()["message"].lower()


def test_the_report_comes_as_markdown_too(client, spread):
    asked = {"baseline": "1.0.0", "candidate": "1.1.0", "environment": "spread"}
    answer = client.get("/api/v1/compare", params={**asked, "format": "markdown"})
    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.text.startswith("## ✗ regressed: 1.1.0 against 1.0.0 in spread\n")
