"""Facets and versions over HTTP, as the traces arrive."""

from __future__ import annotations

from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}


def send(client, app_version, **fields):
    resource = {"service.version": app_version, "deployment.environment.name": "facet-lab"}
    content = body(span(new_trace_id(), **fields), **resource)
    client.post("/v1/traces", content=content, headers=JSON).raise_for_status()


def test_every_acknowledged_trace_is_counted_at_once(client):
    for count in range(1, 6):
        send(client, f"1.{count % 2}")
        asked = {"filter": "environment = 'facet-lab'", "fields": "app_version,state", "own": True}
        found = client.get("/api/v1/facets", params=asked).json()
        assert found["total"] == count
        assert found["sampled"] is False
        versions, states = found["facets"]
        assert sum(one["count"] for one in versions["values"]) == count
        assert (versions["missing"], states["other"]) == (0, 0)
        table = client.get("/api/v1/versions", params={"environment": "facet-lab"}).json()
        assert sum(one["traces"] for one in table["versions"]) == count
        assert table["total"] == min(count, 2)
    newest = table["versions"][0]
    assert newest["app_version"] in ("1.0", "1.1")
    assert newest["p50_ms"] > 0
    assert newest["error_rate"] == 0


def test_a_wrong_field_is_a_problem_that_names_it(client):
    answer = client.get("/api/v1/facets", params={"fields": "latency"})
    assert answer.status_code == 400
    assert "latency" in answer.text


def test_the_document_knows_both(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/v1/facets", "/api/v1/versions"} <= paths.keys()
