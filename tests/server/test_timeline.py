"""Timelines over HTTP with known answers: values, gaps, markers, drift that was planted."""

from __future__ import annotations

import itertools
import json
import statistics
from random import Random

import pytest

import whence
from otlp_requests import new_trace_id

JSON = {"content-type": "application/json"}
MS = 1_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MONDAY_MS = 1_699_833_600_000  # 2023-11-13
_numbers = itertools.count(86_000)


@pytest.fixture
def experiment():
    return str(next(_numbers))


def record(client, experiment, calls, version="1.0.0", environment="production", **metadata):
    """Send traces (time in ms, duration in ms, whether it failed) of a version."""
    spans = []
    for at_ms, ms, failed in calls:
        start = int(at_ms * MS)
        spans.append(
            {
                "traceId": new_trace_id(),
                "spanId": "00f067aa0ba902b7",
                "name": "answer",
                "kind": 1,
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + int(ms * MS)),
                "status": {"code": 2 if failed else 1},
                "attributes": [
                    {"key": key, "value": {"stringValue": value}} for key, value in metadata.items()
                ],
            }
        )
    named = {
        "mlflow.experimentId": experiment,
        "service.version": version,
        "deployment.environment.name": environment,
    }
    resource = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
    for place in range(0, len(spans), 1000):
        one = {
            "resource": {"attributes": resource},
            "scopeSpans": [{"spans": spans[place : place + 1000]}],
        }
        content = json.dumps({"resourceSpans": [one]}).encode()
        client.post("/v1/traces", content=content, headers=JSON).raise_for_status()


def ask(client, experiment, metric, **query):
    query = {"experiment_id": experiment, "metric": metric, **query}
    answer = client.get("/api/v1/timeline", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def draw(seed, days, a_day, typical, start_ms=MONDAY_MS, failing=0.0):
    """Draw traces of a number of days; `typical` is a duration or a function of the hour."""
    random = Random(seed)
    for number in range(days * a_day):
        at_ms = start_ms + (number + random.random()) * DAY_MS / a_day
        hour = int((at_ms - start_ms) // HOUR_MS)
        level = typical(hour) if callable(typical) else typical
        yield at_ms, level * random.lognormvariate(0, 0.2), random.random() < failing


def test_values_counts_and_gaps_are_those_of_the_traces(client, experiment):
    calls = [
        (MONDAY_MS + hour * HOUR_MS + n, 10 + n, n < hour) for hour in (0, 1, 4) for n in range(9)
    ]
    record(client, experiment, calls)
    found = ask(client, experiment, "duration_p50", bucket="1h")
    (line,) = found["series"]
    assert (found["from_ms"], found["bucket_ms"], found["time_zone"]) == (MONDAY_MS, HOUR_MS, "UTC")
    assert line["counts"] == [9, 9, 0, 0, 9]
    assert line["values"] == [pytest.approx(14, rel=0.011)] * 2 + [None, None] + [
        pytest.approx(14, rel=0.011)
    ]
    assert (line["kind"], line["traces"], found["enough_traces"]) == ("all", 27, 4)
    errors = ask(client, experiment, "error_rate", bucket="1h")
    assert errors["series"][0]["values"] == [
        0,
        pytest.approx(1 / 9),
        None,
        None,
        pytest.approx(4 / 9),
    ]
    assert (errors["exact"], errors["precision"]) == (True, "exact")
    minutes = ask(client, experiment, "duration_p95", bucket="30m")
    assert (minutes["source"], minutes["exact"]) == ("traces", True)
    assert minutes["series"][0]["values"][0] == pytest.approx(18)
    assert minutes["series"][0]["values"][1] is None


def test_rollups_and_traces_say_the_same(client, experiment):
    for version, seed in (("1.0.0", 1), ("1.1.0", 2)):
        record(client, experiment, draw(seed, 4, 60, 100.0 * seed, failing=0.2), version)
    for metric in (
        "duration_p50",
        "duration_p95",
        "duration_mean",
        "error_rate",
        "span_count",
        "traces",
    ):
        answers = [
            ask(client, experiment, metric, by="app_version", bucket="1d", **more)
            for more in ({}, {"filter": "trace_id != 'tr-0'"})
        ]
        assert [one["source"] for one in answers] == ["rollups", "traces"]
        rolled, direct = (one["series"] for one in answers)
        assert [one["group"] for one in rolled] == ["1.0.0", "1.1.0"]
        for one, other in zip(rolled, direct, strict=True):
            assert one["counts"] == other["counts"] == [60] * 4
            close = 0.011 if metric.startswith("duration") else 1e-9
            assert one["values"] == pytest.approx(other["values"], rel=close), metric


def test_lines_of_environments_and_of_metadata(client, experiment):
    record(client, experiment, [(MONDAY_MS + n, 10, False) for n in range(5)], environment="dev")
    record(client, experiment, [(MONDAY_MS + n, 30, False) for n in range(7)])
    tenant = {"whence.metadata.tenant": "acme"}
    record(client, experiment, [(MONDAY_MS + 9, 50, False)] * 2, **tenant)
    by = {
        one["group"]: one for one in ask(client, experiment, "traces", by="environment")["series"]
    }
    assert {name: one["traces"] for name, one in by.items()} == {"production": 9, "development": 5}
    found = ask(client, experiment, "duration_mean", by="tenant", bucket="1d")
    assert found["by"] == "metadata.tenant"
    assert [(one["kind"], one["group"], one["counts"]) for one in found["series"]] == [
        ("missing", None, [12]),
        ("value", "acme", [2]),
    ]
    for line in found["series"]:
        asked = {"experiment_id": experiment, "filter": line["filter_string"], "max_results": 100}
        traces = client.get("/api/v1/traces", params=asked).json()["traces"]
        assert len(traces) == line["traces"]
    few = ask(client, experiment, "traces", by="tenant", groups=1)
    assert (few["groups_left_out"], few["traces_left_out"], len(few["series"])) == (1, 2, 1)


def test_feedback_is_a_metric(client, experiment):
    record(client, experiment, [(MONDAY_MS + day * DAY_MS, 10, False) for day in (0, 0, 2)])
    listed = client.get("/api/v1/traces", params={"experiment_id": experiment}).json()["traces"]
    for trace, value in zip(listed, (1.0, 0.25, 0.75), strict=True):
        judged = {"assessment_name": "good", "feedback": {"value": value}}
        judged["source"] = {"source_type": "HUMAN", "source_id": "ann"}
        path = f"/api/v1/traces/{trace['info']['trace_id']}/assessments"
        client.post(path, json=judged).raise_for_status()
    found = ask(client, experiment, "feedback.good", bucket="1d")
    assert found["series"][0]["values"] == [0.5, None, 1.0]
    assert (found["source"], found["better"]) == ("traces", "higher")
    nothing = ask(client, experiment, "feedback.unheard", bucket="1d")
    assert nothing["series"][0]["values"] == [None] * 3
    assert "none of the 3 traces has a feedback.unheard" in nothing["notes"][0]


def test_versions_are_marked_where_they_began_in_the_environment(client, experiment):
    record(client, experiment, [(MONDAY_MS - DAY_MS, 10, False)], "0.9.0")
    for day, version in enumerate(("1.0.0", "1.1.0")):
        calls = [(MONDAY_MS + day * DAY_MS + n * HOUR_MS, 10, False) for n in range(3)]
        record(client, experiment, calls, version, environment="staging")
        later = [(at_ms + 5 * DAY_MS, ms, failed) for at_ms, ms, failed in calls]
        record(client, experiment, later, version)
    asked = {"since": MONDAY_MS, "until": MONDAY_MS + 7 * DAY_MS, "bucket": "1d"}
    found = ask(client, experiment, "duration_p50", environment="production", **asked)
    assert [(one["app_version"], one["at_ms"]) for one in found["markers"]] == [
        ("1.0.0", MONDAY_MS + 5 * DAY_MS),
        ("1.1.0", MONDAY_MS + 6 * DAY_MS),
    ]
    assert len(found["series"][0]["values"]) == 7
    everywhere = ask(client, experiment, "duration_p50", **asked)
    assert len(everywhere["markers"]) == 4


def test_planted_drift_is_found_on_its_day_and_a_release_is_not_drift(client, experiment):
    """1.0.0 runs 20 days; 1.1.0 is 30 % slower at once, and 20 % slower still after 12 of 24 days."""
    later = MONDAY_MS + 20 * DAY_MS
    record(client, experiment, draw(11, 20, 40, 100.0))
    record(
        client,
        experiment,
        draw(12, 24, 40, lambda hour: 130.0 if hour < 12 * 24 else 156.0, later),
        "1.1.0",
    )
    for by in (None, "environment", "app_version"):
        grouped = {} if by is None else {"by": by}
        found = ask(client, experiment, "duration_p50", bucket="1d", **grouped)
        assert found["drift_series"] == 2
        (change,) = found["changes"]
        assert (change["app_version"], change["environment"]) == ("1.1.0", "production")
        assert change["at_ms"] == later + 12 * DAY_MS
        assert change["low"] < 0.2 < change["high"]
        assert change["after"] / change["before"] == pytest.approx(1.2, rel=0.04)
        assert change["worse"] and change["releases_near"] == []
        assert change["p_value"] <= 0.005
    asked = {"experiment_id": experiment, "max_results": 1}
    for side in ("filter_before", "filter_after"):
        answer = client.get("/api/v1/traces", params={**asked, "filter": change[side]})
        assert answer.json()["traces"], side


def test_traffic_without_drift_is_silent(client, experiment):
    """Ten environments of 25 even days, and one of a week whose hours differ threefold."""
    for number in range(10):
        calls = draw(100 + number, 25, 12, 100.0, failing=0.05)
        record(client, experiment, calls, environment=f"even-{number}")
    rhythm = draw(200, 7, 24 * 12, lambda hour: 100.0 * (1 + (hour % 24 > 11) * 2))
    record(client, experiment, rhythm, environment="rhythm")
    for metric in ("duration_p50", "duration_mean", "error_rate"):
        found = ask(client, experiment, metric, bucket="1d")
        assert (found["drift_series"], found["changes"]) == (10, []), metric
    hourly = ask(client, experiment, "duration_p50", bucket="1h", environment="rhythm")
    assert (hourly["drift_series"], hourly["changes"]) == (1, [])
    values = [one for one in hourly["series"][0]["values"] if one is not None]
    assert max(values) > 2 * statistics.median(sorted(values)[: len(values) // 2])


def test_a_day_of_hours_is_not_looked_through_and_it_is_said(client, experiment):
    record(client, experiment, draw(31, 1, 24 * 12, lambda hour: 100.0 if hour < 12 else 200.0))
    found = ask(client, experiment, "duration_p50", bucket="1h")
    assert (found["drift_series"], found["changes"]) == (0, [])
    assert "drift was not looked for" in found["notes"][0]


def test_weeks_begin_on_mondays(client, experiment):
    record(client, experiment, [(MONDAY_MS + day * DAY_MS, 10, False) for day in range(8)])
    found = ask(client, experiment, "traces", bucket="1w")
    assert (found["from_ms"], found["series"][0]["counts"]) == (MONDAY_MS, [7, 1])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"metric": "latency"}, "there is no metric 'latency'"),
        ({"metric": "duration_p90"}, "did you mean 'duration_p9"),
        ({"metric": "traces", "bucket": "1 fortnight"}, "can't be read; write 30s"),
        ({"metric": "traces", "bucket": "1m"}, "take buckets of 30m"),
        ({"metric": "traces", "groups": "21"}, "between 1 and 20"),
        ({"metric": "traces", "by": "metadata."}, "can't group by"),
        ({"metric": "traces", "since": "5", "until": "5"}, "no trace lies between"),
        ({"metric": "traces", "filter": "nonsense ="}, "1"),
    ],
)
def test_what_can_not_be_drawn_is_said(client, query, said):
    experiment = "85999"
    if not client.get("/api/v1/traces", params={"experiment_id": experiment}).json()["traces"]:
        record(client, experiment, [(MONDAY_MS + day * DAY_MS, 10, False) for day in (0, 6)])
    answer = client.get("/api/v1/timeline", params={"experiment_id": experiment, **query})
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_nothing_is_an_empty_timeline(client, experiment):
    found = ask(client, experiment, "duration_p95", by="user")
    assert (found["series"], found["markers"], found["changes"]) == ([], [], [])


def test_python_asks_the_same(client, experiment, server, monkeypatch):
    record(client, experiment, [(MONDAY_MS, 10, False), (MONDAY_MS + 2 * DAY_MS, 30, True)])
    monkeypatch.setenv("WHENCE_URL", server.url)
    whence.set_tracking_uri(server.url)
    found = whence.timeline("error_rate", by="app_version", bucket="1d", locations=[experiment])
    assert found.series[0].values == [0.0, None, 1.0]
    frame = found.to_pandas()
    assert list(frame["count"]) == [1, 0, 1]
    assert str(frame["time"][0]) == "2023-11-13 00:00:00+00:00"
