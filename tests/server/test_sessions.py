"""Sessions and users over HTTP: listed at once, page by page, by name."""

from __future__ import annotations

from otlp_requests import body, new_trace_id, span

JSON = {"content-type": "application/json"}


def send(client, session, user):
    attributes = {"session.id": session, "user.id": user, "service.version": "7"}
    client.post(
        "/v1/traces", content=body(span(new_trace_id()), **attributes), headers=JSON
    ).raise_for_status()


def test_sessions_and_users_are_listed_by_what_their_traces_add_up_to(client):
    name = "lab/'\"✓"
    for number in range(6):
        send(client, f"{name}{number // 2}", name)
    scope = {"filter": "session LIKE 'lab/%'"}
    first = client.get("/api/v1/sessions", params={**scope, "max_results": 2}).json()
    assert (first["total"], first["counted_from_ms"]) == (3, None)
    assert [(one["traces"], one["users"]) for one in first["groups"]] == [(2, [name])] * 2
    rest = {**scope, "cursor": first["next_cursor"]}
    second = client.get("/api/v1/sessions", params=rest).json()
    names = [one["name"] for one in (*first["groups"], *second["groups"])]
    assert sorted(names) == [f"{name}{number}" for number in range(3)]
    assert second["next_cursor"] is None
    [user] = client.get("/api/v1/users", params={"name": name}).json()["groups"]
    assert (user["traces"], user["others"], user["app_versions"]) == (6, 3, ["7"])


def test_a_cursor_of_another_list_is_refused(client):
    answer = client.get("/api/v1/users", params={"cursor": "WyJzZXNzaW9uIiwxLCJhIl0="})
    assert answer.status_code == 400
    assert "start again" in answer.text
