"""A header that comes when its trace is known already: what it may fill, and what it may not change."""

from __future__ import annotations

import itertools

import pytest

from mlflow_wire import TRACES, header
from otlp_requests import body, new_trace_id, span

OTLP = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_123_456
SPAN_ID = "00f067aa0ba902b7"
OF_MLFLOW = {"mlflow.traceRequestId": '"tr-x"'}


def send(http, trace_id, *, experiment_id=None, attributes=None, **resource):
    """Send an ended root of 5 ms, as a program of OpenTelemetry has it."""
    root = span(trace_id, SPAN_ID, start_ns=START_NS, attributes=attributes or {})
    extra = {} if experiment_id is None else {"x-mlflow-experiment-id": experiment_id}
    answer = http.post("/v1/traces", content=body(root, **resource), headers={**OTLP, **extra})
    assert answer.status_code == 200, answer.text


def agreeing(trace_id, **fields):
    """Return a header that says nothing else than the root of `send`."""
    said = {"request_time": "2023-11-14T22:13:20.000Z", "execution_duration": "0.005s"}
    return header(f"tr-{trace_id}", **{**said, "trace_metadata": {}, "tags": {}, **fields})


def read(http, trace_id):
    answer = http.get(f"/api/v1/traces/tr-{trace_id}")
    answer.raise_for_status()
    return answer.json()


CHANGED = [
    ({"service.version": "1.0"}, "app_version", {"trace_metadata": {"app_version": "HACKED"}}),
    ({"whence.metadata.team": "blue"}, "team", {"trace_metadata": {"team": "HACKED"}}),
    (
        {"vcs.ref.head.revision": "a" * 40},
        "mlflow.source.git.commit",
        {"trace_metadata": {"mlflow.source.git.commit": "deadbeef"}},
    ),
]
CHANGED_OF_SPAN = [
    ({}, "state", {"state": "ERROR"}),
    ({}, "request_time_ms", {"request_time": "1970-01-01T00:00:01.000Z"}),
    ({}, "duration_ns", {"execution_duration": "7s"}),
    ({"whence.client_request_id": "r-1"}, "client_request_id", {"client_request_id": "r-2"}),
]


@pytest.mark.parametrize(
    ("attributes", "resource", "key", "changes"),
    [
        *((said, {}, key, changes) for said, key, changes in (*CHANGED, *CHANGED_OF_SPAN)),
        *(({}, said, key, changes) for said, key, changes in CHANGED),
    ],
)
def test_a_late_header_changes_nothing_of_a_trace_that_another_program_ended(
    http, attributes, resource, key, changes
):
    trace_id = new_trace_id()
    send(http, trace_id, attributes=attributes, **resource)
    before = read(http, trace_id)
    for _ in range(2):
        refused = http.post(TRACES, json=agreeing(trace_id, **changes))
        assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
        assert f"{key!r} is" in refused.json()["message"]
    after = read(http, trace_id)
    assert after["info"] == before["info"]
    assert [(one["key"], one["source"]) for one in after["conflicts"]] == [(key, "header")]


def test_a_late_header_fills_what_is_missing(http):
    trace_id = new_trace_id()
    send(http, trace_id, **{"service.version": "1.0"})
    said = {"app_version": "1.0", "tenant": "acme"}
    answer = http.post(TRACES, json=agreeing(trace_id, trace_metadata=said))
    assert answer.status_code == 200
    trace = read(http, trace_id)
    metadata = trace["info"]["trace_metadata"]
    assert (metadata["app_version"], metadata["tenant"]) == ("1.0", "acme")
    assert trace["info"]["duration_ns"] == 5_000_000
    assert trace["info"]["provenance"]["app_version"] == "resource service.version"
    assert trace["conflicts"] == []


def test_a_late_header_moves_no_trace_to_another_experiment(http):
    trace_id = new_trace_id()
    send(http, trace_id, experiment_id="701", attributes=OF_MLFLOW)
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "702"}}
    refused = http.post(TRACES, json=agreeing(trace_id, trace_location=location))
    assert refused.status_code == 409
    assert "'mlflow.experimentId' is '701'" in refused.json()["message"]
    assert read(http, trace_id)["info"]["experiment_id"] == "701"


@pytest.mark.parametrize("order", list(itertools.permutations(["header", "spans"])))
def test_what_a_client_of_mlflow_says_of_its_own_trace_holds_in_any_order(http, order):
    """`update_current_trace(state=…, metadata=…)` says other things than the span and its resource."""
    trace_id = new_trace_id()
    said = {"app_version": "2.0", "mlflow.trace.session": "s-2"}
    own = agreeing(trace_id, state="ERROR", trace_metadata=said, execution_duration="0.004s")
    deliveries = {
        "header": lambda: http.post(TRACES, json=own),
        "spans": lambda: send(
            http,
            trace_id,
            attributes={**OF_MLFLOW, "session.id": "s-1"},
            **{"service.version": "1.0"},
        ),
    }
    for name in (*order, *order):
        answer = deliveries[name]()
        assert answer is None or answer.status_code == 200, answer.text
    trace = read(http, trace_id)
    info = trace["info"]
    assert (info["state"], info["duration_ns"]) == ("ERROR", 4_000_000)
    assert info["trace_metadata"]["app_version"] == "2.0"
    assert info["trace_metadata"]["mlflow.trace.session"] == "s-2"
    assert trace["conflicts"] == []


def test_a_header_without_a_location_is_refused_where_its_experiment_is_deleted(http):
    made = http.post("/api/2.0/mlflow/experiments/create", json={"name": "late headers"}).json()
    trace_id = new_trace_id()
    send(http, trace_id, experiment_id=made["experiment_id"])
    http.post("/api/2.0/mlflow/experiments/delete", json=made).raise_for_status()
    refused = http.post(TRACES, json=agreeing(trace_id, trace_location=None))
    assert refused.status_code == 400
    assert "must be in the 'active' state" in refused.json()["message"]


def test_a_second_header_adds_the_judgements_that_the_first_lacked(http):
    trace_id = new_trace_id()

    def judged(*names):
        return [
            {"assessment_name": name, "assessment_id": f"a-{name}", "feedback": {"value": 1}}
            for name in names
        ]

    for names in (["one"], ["one", "two"], ["two"]):
        http.post(TRACES, json=agreeing(trace_id, assessments=judged(*names))).raise_for_status()
    found = read(http, trace_id)["info"]["assessments"]
    assert sorted(one["assessment_name"] for one in found) == ["one", "two"]


def test_a_number_of_any_size_may_be_a_judgement(http):
    trace_id = new_trace_id()
    judged = [{"assessment_name": "n", "feedback": {"value": 10**30}}]
    answer = http.post(TRACES, json=agreeing(trace_id, assessments=judged))
    assert answer.status_code == 200, answer.text


def test_what_differs_only_where_it_is_cut_is_no_contradiction_and_loses_nothing(http):
    trace_id = new_trace_id()
    for tail, more in (("a", {}), ("b", {"tenant": "acme"})):
        said = {"long": "x" * 8000 + tail, **more}
        answer = http.post(TRACES, json=agreeing(trace_id, trace_metadata=said))
        assert answer.status_code == 200
    trace = read(http, trace_id)
    assert trace["info"]["trace_metadata"]["tenant"] == "acme"
    assert (trace["info"]["trace_metadata"]["long"], trace["conflicts"]) == ("x" * 8000, [])


def test_a_second_header_that_names_the_experiment_of_the_spans_is_taken(http):
    trace_id = new_trace_id()
    http.post(TRACES, json=agreeing(trace_id)).raise_for_status()  # in the default experiment
    send(http, trace_id, experiment_id="703", attributes=OF_MLFLOW)
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "703"}}
    more = agreeing(trace_id, trace_location=location, trace_metadata={"tenant": "acme"})
    assert http.post(TRACES, json=more).status_code == 200
    trace = read(http, trace_id)
    assert trace["info"]["experiment_id"] == "703"
    assert (trace["info"]["trace_metadata"]["tenant"], trace["conflicts"]) == ("acme", [])


def test_a_second_header_changes_nothing_of_what_a_client_of_mlflow_recorded(http):
    """The client's first header may outrank its spans; whoever sends the next one may not."""
    trace_id = new_trace_id()
    own = agreeing(trace_id, trace_metadata={"mlflow.user": "ana"})
    http.post(TRACES, json=own).raise_for_status()
    resource = {"service.version": "1.4", "deployment.environment.name": "production"}
    send(http, trace_id, attributes=OF_MLFLOW, **resource)
    before = read(http, trace_id)
    changed = {"app_version": "9", "environment": "dev"}
    for _ in range(2):
        refused = http.post(TRACES, json=agreeing(trace_id, trace_metadata=changed))
        assert refused.status_code == 409, refused.text
        assert http.post(TRACES, json=own).status_code == 200
    after = read(http, trace_id)
    assert after["info"] == before["info"]
    assert [one["key"] for one in after["conflicts"]] == ["app_version", "environment"]


def test_of_many_refused_values_the_first_hundred_are_kept_and_each_is_cut(http):
    trace_id = new_trace_id()
    send(http, trace_id, **{"service.version": "1.0"})
    before = read(http, trace_id)["info"]
    for number in range(103):
        changed = {"app_version": f"{number:03}" + "x" * 9_000}
        refused = http.post(TRACES, json=agreeing(trace_id, trace_metadata=changed))
        assert refused.status_code == 409
        assert f"{number:03}xx" in refused.json()["message"]
    after = read(http, trace_id)
    assert after["info"]["trace_metadata"] == before["trace_metadata"]
    assert [one["refused"][:3] for one in after["conflicts"]] == [f"{n:03}" for n in range(100)]
    assert {len(one["refused"]) for one in after["conflicts"]} == {8_000}


def test_a_field_that_differs_beyond_what_is_kept_of_it_is_no_contradiction(http):
    trace_id = new_trace_id()
    for tail in "ab":
        said = agreeing(trace_id, client_request_id="x" * 8_000 + tail)
        assert http.post(TRACES, json=said).status_code == 200
    assert http.post(TRACES, json=agreeing(trace_id, client_request_id="y" * 9_000)).is_error
    (conflict,) = read(http, trace_id)["conflicts"]
    assert (conflict["key"], conflict["refused"]) == ("client_request_id", "y" * 8_000)
