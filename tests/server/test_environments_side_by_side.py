"""Environments side by side over HTTP, and hints whose filters give exactly their traces."""

from __future__ import annotations

import itertools

import pytest

import whence
from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
_numbers = itertools.count(81_000)


@pytest.fixture
def experiment():
    return str(next(_numbers))


def record(client, experiment, environment, count=1, *, ms=10, status=0, session=None, **metadata):
    """Send traces of a process; `metadata` are further resource attributes, `_` for `.`."""
    named = {"mlflow.experimentId": experiment}
    if environment is not None:
        named["deployment.environment.name"] = environment
    named |= {name.replace("_", "."): value for name, value in metadata.items()}
    spans = []
    for number in range(count):
        start = START_NS + number * 1000 * MS
        given = {"session.id": session} if session else {}
        spans.append(
            span(
                new_trace_id(),
                name="answer",
                start_ns=start,
                endTimeUnixNano=str(start + ms * MS),
                status={"code": status},
                attributes=given,
            )
        )
    client.post("/v1/traces", content=body(*spans, **named), headers=JSON).raise_for_status()


def ask(client, experiment, **query):
    query = {"experiment_id": experiment, **query}
    return client.get("/api/v1/environments", params=query).raise_for_status().json()


def count(client, experiment, filter_string):
    query = {"experiment_id": experiment, "filter": filter_string, "max_results": 500}
    found = client.get("/api/v1/traces", params=query).raise_for_status().json()
    return len(found["traces"])


def hints_of(client, experiment, found):
    """Return the hints by kind, once each filter was seen to give exactly the hint's traces."""
    for hint in found["hints"]:
        assert count(client, experiment, hint["filter_string"]) == hint["traces"], hint
        assert 0 < hint["share"] <= 1
    return {hint["kind"]: hint for hint in found["hints"]}


VERSION = {"service_version": "1.0.0"}
CLEAN = {**VERSION, "whence_metadata_whence_git_dirty": "false"}
DIRTY = {**VERSION, "whence_metadata_whence_git_dirty": "true"}


def test_a_version_stands_side_by_side_from_development_to_production(client, experiment):
    record(client, experiment, "production", 8, ms=40, session="s", **VERSION)
    record(client, experiment, "production", 2, ms=40, status=2, **VERSION)
    record(client, experiment, "eu-lab", 1, **VERSION)
    record(client, experiment, "dev", 3, ms=10, **VERSION)
    record(client, experiment, "staging", 4, ms=20, **VERSION)
    record(client, experiment, "production", 5, service_version="0.9.0")
    found = ask(client, experiment, version="1.0.0")
    assert (found["version"], found["kind"]) == ("1.0.0", "app_version")
    rows = found["environments"]
    assert [(row["environment"], row["traces"], row["units"]) for row in rows] == [
        ("development", 3, 3),
        ("staging", 4, 4),
        ("production", 10, 3),
        ("eu-lab", 1, 1),
    ]
    production = rows[2]
    assert production["error_rate"] == pytest.approx(0.2)
    assert production["p50_ms"] == pytest.approx(40, rel=0.011)
    assert (production["tokens_per_trace"], production["versions"]) == (None, 1)
    for row in rows:
        assert count(client, experiment, row["filter_string"]) == row["traces"]
    everything = ask(client, experiment)["environments"]
    assert [(row["environment"], row["traces"], row["versions"]) for row in everything][2] == (
        "production",
        15,
        2,
    )


def test_well_labelled_traffic_has_no_hints(client, experiment):
    for environment, host in (("development", "desk-1"), ("production", "web-7f9c")):
        record(client, experiment, environment, 5, host_name=host, mlflow_user="app", **CLEAN)
    found = ask(client, experiment)
    assert (found["hints"], found["notes"]) == ([], [])


def test_a_dirty_work_tree_is_a_hint_in_production_only(client, experiment):
    record(client, experiment, "production", 6, **CLEAN)
    record(client, experiment, "prod", 2, **DIRTY)
    record(client, experiment, "development", 9, **DIRTY)
    found = hints_of(client, experiment, ask(client, experiment))
    dirty = found["dirty_work_tree"]
    assert (dirty["environment"], dirty["traces"], dirty["of"]) == ("production", 2, 8)
    assert "uncommitted changes" in dirty["text"]


def test_a_trace_that_has_not_ended_is_counted_as_its_filter_finds_it(client, experiment):
    record(client, experiment, "production", 1, **CLEAN)
    child = span(new_trace_id(), "00f067aa0ba902b8", parentSpanId="00f067aa0ba902b7")
    named = {name.replace("_", "."): value for name, value in DIRTY.items()}
    named |= {"mlflow.experimentId": experiment, "deployment.environment.name": "production"}
    client.post("/v1/traces", content=body(child, **named), headers=JSON).raise_for_status()
    found = hints_of(client, experiment, ask(client, experiment))
    assert (found["dirty_work_tree"]["traces"], found["dirty_work_tree"]["of"]) == (1, 2)


def test_computers_of_persons_send_no_production_traffic(client, experiment):
    record(client, experiment, "production", 20, host_name="ip-10-0-0-7", **CLEAN)
    record(client, experiment, "production", 1, host_name="Anns-MacBook-Pro.local", **CLEAN)
    record(client, experiment, "production", 2, host_name="LAPTOP-4F7K2Q9", **CLEAN)
    record(client, experiment, "production", 3, host_name="build-4", os_type="darwin", **CLEAN)
    record(client, experiment, "production", 4, host_name="macbook-prices-7f9c-x2", **CLEAN)
    notebook = {"whence_metadata_mlflow_source_type": "NOTEBOOK"}
    record(client, experiment, "production", 5, host_name="ip-10-0-0-8", **notebook, **CLEAN)
    found = hints_of(client, experiment, ask(client, experiment))
    seen = {one["value"]: one["count"] for one in found["person_computer"]["values"]}
    assert seen == {"Anns-MacBook-Pro.local": 1, "LAPTOP-4F7K2Q9": 2, "build-4": 3}
    assert found["notebook"]["traces"] == 5


def test_a_host_of_development_that_sends_production_traffic_is_named(client, experiment):
    record(client, experiment, "production", 10, host_name="web-1", mlflow_user="app", **CLEAN)
    record(client, experiment, "production", 3, host_name="box", mlflow_user="ann", **CLEAN)
    record(client, experiment, "development", 4, host_name="box", mlflow_user="ann", **CLEAN)
    record(client, experiment, "development", 4, host_name="web-9", mlflow_user="app", **CLEAN)
    found = hints_of(client, experiment, ask(client, experiment))
    assert set(found) == {"shared_host"}
    assert found["shared_host"]["values"] == [{"value": "box", "count": 3}]
    record(client, experiment, "production", 2, host_name="web-1", mlflow_user="ann", **CLEAN)
    record(client, experiment, "development", 2, service_version="2.0.0", host_name="web-1")
    found = hints_of(client, experiment, ask(client, experiment, version="1.0.0"))
    assert found["shared_host"]["traces"] == 15


def test_unknown_versions_and_environments_are_counted(client, experiment):
    record(client, experiment, "production", 7, **VERSION)
    record(client, experiment, "production", 3)
    record(client, experiment, "production", 2, vcs_ref_head_revision="a" * 40)
    record(client, experiment, None, 4, **VERSION)
    found = hints_of(client, experiment, ask(client, experiment))
    assert set(found) == {"unknown_version", "unknown_environment"}
    unknown = found["unknown_version"]
    assert (unknown["environment"], unknown["traces"], unknown["of"]) == ("production", 3, 12)
    nowhere = found["unknown_environment"]
    assert (nowhere["traces"], nowhere["of"]) == (4, 16)
    assert ask(client, experiment)["environments"][-1]["environment"] is None


def test_environments_written_in_other_ways_are_named(client, experiment):
    for name, traces in (("production", 9), ("Prod", 2), ("prod", 1), ("producton", 3)):
        record(client, experiment, name, traces, **CLEAN)
    for name, traces in (("eu_lab", 1), ("eu-lab", 5), ("production-eu", 4)):
        record(client, experiment, name, traces, **CLEAN)
    answer = ask(client, experiment)
    found = hints_of(client, experiment, answer)
    other = found["other_spelling"]
    assert (other["traces"], other["of"]) == (3, 12)
    assert other["values"] == [{"value": "Prod", "count": 2}, {"value": "prod", "count": 1}]
    near = [hint for hint in answer["hints"] if hint["kind"] == "like_another"]
    assert [hint["environment"] for hint in near] == ["producton", "eu_lab"]
    assert 'WHENCE_ENVIRONMENT_ALIASES="producton=production"' in near[0]["mend"]


def test_one_version_of_several_commits_is_a_hint(client, experiment):
    for commit, traces in (("c" * 40, 5), ("d" * 40, 2)):
        named = {"service_version": "1.2.0", "vcs_ref_head_revision": commit}
        record(client, experiment, "production", traces, **named)
    found = hints_of(client, experiment, ask(client, experiment))
    several = found["version_of_several"]
    assert (several["version"], several["traces"], several["of"]) == ("1.2.0", 2, 7)
    assert several["values"] == [{"value": "d" * 40, "count": 2}]


def test_names_with_both_quotes_break_nothing(client, experiment):
    record(client, experiment, 'it\'s "prod"', 2, host_name="a'b\"c", service_version="1'\"")
    (row,) = ask(client, experiment)["environments"]
    assert (row["traces"], row["filter_string"]) == (2, None)


def test_time_and_version_bound_what_is_counted(client, experiment):
    record(client, experiment, "production", 10, **DIRTY)
    since = START_NS // MS + 4000
    answer = ask(client, experiment, since=since, version="1.0.0")
    assert answer["environments"][0]["traces"] == 6
    assert hints_of(client, experiment, answer)["dirty_work_tree"]["traces"] == 6
    asked = {"experiment_id": experiment, "version": "9.9.9"}
    missing = client.get("/api/v1/environments", params=asked)
    assert missing.status_code == 404
    assert "9.9.9" in missing.json()["message"]
    bare = ask(client, experiment, hints=False, quality=False)
    assert (bare["hints"], bare["environments"][0]["units"]) == ([], 10)


def test_python_asks_the_same(client, experiment, server, monkeypatch):
    record(client, experiment, "production", 2, **DIRTY)
    monkeypatch.setenv("WHENCE_URL", server.url)
    whence.set_tracking_uri(server.url)
    found = whence.environments("1.0.0", locations=[experiment])
    assert [row.environment for row in found.environments] == ["production"]
    assert [hint.kind for hint in found.hints] == ["dirty_work_tree"]
