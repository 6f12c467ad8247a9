"""Saved views over HTTP: saved, replaced, listed by name, deleted."""

from __future__ import annotations

from urllib.parse import quote

import pytest


def list_names(client):
    return [one["name"] for one in client.get("/api/v1/views").json()["views"]]


def test_a_view_is_saved_replaced_and_deleted(client):
    name = "größte / letzte? 😀 100%"
    path = f"/api/v1/views/{quote(name, safe='')}"
    client.put(path, json={"search": "time=24h"}).raise_for_status()
    client.put("/api/v1/views/Errors", json={"search": "filter=x"}).raise_for_status()
    client.put(path, json={"search": "time=1h"}).raise_for_status()
    views = client.get("/api/v1/views").json()["views"]
    assert [(one["name"], one["search"]) for one in views] == [
        ("Errors", "filter=x"),
        (name, "time=1h"),
    ]
    client.delete(path).raise_for_status()
    assert list_names(client) == ["Errors"]
    answer = client.delete(path)
    assert (answer.status_code, "there is no view" in answer.text) == (404, True)
    client.put(path, json={"search": ""}).raise_for_status()
    assert list_names(client) == ["Errors", name]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("%20", {"search": ""}, "1 to 80 characters"),
        ("n" * 81, {"search": ""}, "got 81"),
        ("n", {"search": "s" * 8001}, "at most 8000 characters"),
        ("n", {}, "search"),
        ("n", {"search": "", "owner": "me"}, "owner"),
    ],
)
def test_what_can_not_be_saved_is_refused_with_the_reason(client, name, content, said):
    answer = client.put(f"/api/v1/views/{name}", json=content)
    assert (answer.status_code, said in answer.text) == (400, True), answer.text
