"""Comparisons over HTTP and in Python, from spans that are sent to answers that are read."""

from __future__ import annotations

import pytest

import whence
from compared_traces import Call, draw_calls, send
from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}


def ask(client, **question):
    answer = client.post("/api/v1/compare", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def metric_of(found, name):
    return next(one for one in found["metrics"] if one["metric"] == name)


@pytest.fixture(scope="module")
def planted(client):
    """1.1.0 is a third slower by its step `rerank` and fails more often; 1.1.1 is 1.1.0 again."""
    send(client, "1.0.0", "planted", draw_calls(400, 1, failing=0.01, turns=2))
    slow = {"rerank_ms": 40.0, "failing": 0.15, "turns": 2}
    send(client, "1.1.0", "planted", draw_calls(400, 2, **slow))
    send(client, "1.1.1", "planted", draw_calls(400, 3, **slow))


def test_a_planted_regression_is_found_and_attributed_to_its_span(client, planted):
    found = ask(client, baseline="1.0.0", candidate="1.1.0", environment="planted")
    assert found["verdict"] == "regressed"
    duration, errors = metric_of(found, "duration"), metric_of(found, "error_rate")
    assert duration["verdict"] == errors["verdict"] == "regressed"
    assert 0.25 < duration["effect"] < 0.45
    assert duration["low"] < duration["effect"] < duration["high"]
    assert metric_of(found, "total_tokens")["verdict"] == "equivalent"
    spans = metric_of(found, "span_count")
    assert (spans["verdict"], spans["low"], spans["high"]) == ("equivalent", 0, 0)
    first = found["explanation"]["spans"][0]
    assert first["name"] == "rerank"
    assert first["low_ms"] - 0.1 < 35 < first["high_ms"] + 0.1
    assert first["by_mean_ms"] == pytest.approx(35, abs=1)
    assert first["share"] > 0.8
    (error,) = found["errors"]
    assert (error["type"], error["message"], error["span"]) == (
        "StockError",
        "no item <n> in stock",
        "rerank",
    )
    assert error["status"] == "more"


def test_every_number_has_the_filter_that_gives_its_traces(client, planted):
    found = ask(client, baseline="1.0.0", candidate="1.1.0", environment="planted")
    errors = metric_of(found, "error_rate")
    asked = {"filter": errors["candidate_filter"], "max_results": 500}
    failed = client.get("/api/v1/traces", params=asked).json()["traces"]
    assert len(failed) == round(errors["candidate"] * errors["n_candidate"])
    for text in (
        found["baseline"]["filter_string"],
        metric_of(found, "duration_p95")["candidate_filter"],
        found["explanation"]["spans"][0]["baseline_filter"],
        found["errors"][0]["candidate_filter"],
    ):
        answer = client.get("/api/v1/traces", params={"filter": text, "max_results": 1})
        assert answer.json()["traces"], text


def test_the_unplanted_twin_raises_no_alarm(client, planted):
    found = ask(client, baseline="1.1.0", candidate="1.1.1", environment="planted")
    assert {one["verdict"] for one in found["metrics"]} <= {"equivalent", "inconclusive"}
    assert found["errors"][0]["status"] == "alike"


def test_swapping_the_arms_mirrors_the_verdict(client, planted):
    found = ask(client, baseline="1.1.0", candidate="1.0.0", environment="planted")
    assert found["verdict"] == "improved" or metric_of(found, "duration")["verdict"] == "improved"
    assert metric_of(found, "error_rate")["verdict"] == "improved"


def test_better_in_each_stratum_is_better_though_worse_when_pooled(client):
    """Simpson's paradox: 2.1.0 is faster for both names, and has mostly the slow one."""
    quick, slow = {"typical_ms": 50.0, "name": "quick"}, {"typical_ms": 400.0, "name": "slow"}
    send(client, "2.0.0", "simpson", draw_calls(240, 11, **quick) + draw_calls(60, 12, **slow))
    quick["typical_ms"], slow["typical_ms"] = 37.0, 300.0
    send(client, "2.1.0", "simpson", draw_calls(60, 13, **quick) + draw_calls(240, 14, **slow))
    found = ask(client, baseline="2.0.0", candidate="2.1.0", environment="simpson")
    duration = metric_of(found, "duration")
    assert duration["verdict"] == "improved"
    assert duration["effect"] < -0.15
    assert duration["mix"] > 0 > duration["within"]
    assert duration["mix"] + duration["within"] == pytest.approx(duration["difference"])
    assert duration["uncovered"] == 0
    pooled = ask(client, baseline="2.0.0", candidate="2.1.0", environment="simpson", by=[])
    assert metric_of(pooled, "duration")["verdict"] == "regressed"


def test_what_only_one_version_was_asked_is_told_apart_from_what_it_did(client):
    """The candidate alone has slow `export` traces: neither mix nor the version's own slowness."""
    send(client, "u1", "uncovered", draw_calls(200, 51))
    exports = [one._replace(name="export", ms=9000.0) for one in draw_calls(40, 52)]
    send(client, "u2", "uncovered", draw_calls(200, 53) + exports)
    found = ask(client, baseline="u1", candidate="u2", environment="uncovered")
    duration = metric_of(found, "duration")
    assert duration["uncovered"] > 1000
    assert abs(duration["within"]) < 100
    assert duration["mix"] + duration["within"] + duration["uncovered"] == pytest.approx(
        duration["difference"]
    )


def test_sessions_are_the_units(client):
    """Ten sessions of forty traces each don't tell what four hundred traces would."""

    def moods(seed, levels):
        return [
            one._replace(session=f"{seed}-{place}")
            for place, level in enumerate(levels)
            for one in draw_calls(40, seed * 100 + place, typical_ms=level)
        ]

    send(client, "3.0.0", "sessions", moods(21, [60, 80, 100, 120, 140, 70, 90, 110, 130, 100]))
    send(client, "3.1.0", "sessions", moods(22, [75, 95, 125, 150, 175, 85, 110, 135, 160, 125]))
    found = ask(client, baseline="3.0.0", candidate="3.1.0", environment="sessions")
    duration = metric_of(found, "duration")
    assert (duration["n_candidate"], duration["units_candidate"]) == (400, 10)
    assert duration["verdict"] == "inconclusive"
    assert duration["needed"] > 10


def test_a_version_without_traces_is_inconclusive_and_said(client, planted):
    found = ask(client, baseline="1.0.0", candidate="9.9.9", environment="planted")
    assert found["verdict"] == "inconclusive"
    assert found["candidate"]["traces"] == 0
    assert any("9.9.9" in note for note in found["notes"])
    nothing = ask(client, baseline="8.8.8", candidate="9.9.9", environment="planted")
    assert nothing["verdict"] == "inconclusive"


def test_the_baseline_is_the_version_before_and_the_candidate_the_newest(client, planted):
    found = ask(client, environment="planted", candidate="1.1.0")
    assert found["baseline"]["asked"] == "1.0.0"
    assert any("last version before" in note for note in found["notes"])
    newest = ask(client, environment="planted", explain=False)
    assert [newest[arm]["asked"] for arm in ("baseline", "candidate")] == ["1.1.0", "1.1.1"]


def test_deleted_traces_are_left_out_and_unfinished_ones_counted(client):
    kept = draw_calls(20, 31)
    ids = send(client, "4.0.0", "counted", [*kept, Call(ms=90_000.0)])
    send(client, "4.1.0", "counted", draw_calls(20, 32))
    client.post("/api/v1/traces/delete", json={"trace_ids": ids[-1:]}).raise_for_status()
    child = span(new_trace_id(), "00f067aa0ba902b8", parentSpanId="00f067aa0ba902b7")
    resource = {"service.version": "4.1.0", "deployment.environment.name": "counted"}
    client.post("/v1/traces", content=body(child, **resource), headers=JSON).raise_for_status()
    found = ask(client, baseline="4.0.0", candidate="4.1.0", environment="counted")
    assert (found["baseline"]["traces"], found["candidate"]["traces"]) == (20, 20)
    assert (found["baseline"]["unfinished"], found["candidate"]["unfinished"]) == (0, 1)
    assert any("unfinished" in note for note in found["notes"])


def test_feedback_is_compared_by_name_and_source(client):
    ids = {}
    for version, seed in (("5.0.0", 41), ("5.1.0", 42)):
        ids[version] = send(client, version, "judged", draw_calls(120, seed))
    for version, good in (("5.0.0", 114), ("5.1.0", 60)):
        for place, trace_id in enumerate(ids[version]):
            judged = {
                "assessment_name": "correct",
                "source": {"source_type": "HUMAN", "source_id": f"person-{place % 3}"},
                "feedback": {"value": place < good},
            }
            client.post(f"/api/v1/traces/{trace_id}/assessments", json=judged).raise_for_status()
    found = ask(client, baseline="5.0.0", candidate="5.1.0", environment="judged")
    correct = metric_of(found, "feedback.correct")
    assert correct["verdict"] == found["verdict"] == "regressed"
    assert correct["effect"] == pytest.approx(-0.45)
    assert correct["better"] == "higher"


def test_commits_branches_and_filters_name_arms_too(client, planted):
    found = ask(
        client,
        baseline="app_version = '1.0.0' AND metadata.tenant = 'acme'",
        candidate="version:1.1.0",
        environment="planted",
        explain=False,
    )
    assert [found[arm]["kind"] for arm in ("baseline", "candidate")] == ["filter", "app_version"]
    assert found["verdict"] == "regressed"
    assert found["explanation"] is None


def test_get_answers_what_post_does(client, planted):
    asked = {"baseline": "1.0.0", "candidate": "1.1.0", "environment": "planted"}
    margins = {"duration": 2.0, "error_rate": 0.9}
    posted = ask(client, **asked, margins=margins, metrics=["duration", "error_rate"])
    params = {**asked, "margins": "duration=2,error_rate=0.9", "metrics": "duration,error_rate"}
    got = client.get("/api/v1/compare", params=params).json()
    assert got["verdict"] == posted["verdict"] == "equivalent"
    assert got["metrics"] == posted["metrics"]
    assert got["explanation"] == posted["explanation"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metrics": ["durations"]}, "did you mean 'duration'?"),
        ({"margins": {"duratoin": 0.1}}, "did you mean 'duration'?"),
        ({"margins": {"duration": -1}}, "from 0 up"),
        ({"by": ["weather"]}, "stratified by 'weather'"),
        ({"baseline": ""}, "the baseline is empty"),
        ({"baseline": "app_version LIKE '1.%'"}, "have none in common"),
        ({"baseline": "commit:xyz"}, "7 to 64 hex digits"),
        ({"filter_string": "latency > 3"}, "execution_time_ms"),
        ({"since_ms": 10**30}, "milliseconds since 1970"),
        ({"since_ms": 5, "until_ms": 5}, "is not before until"),
        ({"window": "7d"}, "window"),
        ({"candidate": "1.0.0", "baseline": None}, "name the baseline"),
    ],
)
def test_a_question_that_can_not_be_answered_is_a_problem_that_says_why(
    client, planted, wrong, said
):
    asked = {"baseline": "1.0.0", "candidate": "1.1.0", "environment": "planted"} | wrong
    answer = client.post("/api/v1/compare", json=asked)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["message"]


def test_python_returns_a_comparison_that_reads_well(server, client, planted, monkeypatch):
    monkeypatch.setenv("WHENCE_URL", server.url)
    found = whence.compare("1.0.0", "1.1.0", environment="planted", window=(0, None))
    assert found.regressed
    assert found["duration"].verdict == "regressed"
    assert "| **duration** |" in found.to_markdown() == str(found)
    assert '"verdict": "regressed"' in found.to_json()
    frame = found.to_pandas()
    assert list(frame.metric) == [one.metric for one in found.metrics]
    with pytest.raises(KeyError, match="duration"):
        found["nonsense"]
    with pytest.raises(whence.exceptions.MlflowException, match="can't be read"):
        whence.compare("1.0.0", "1.1.0", window="fortnight")
