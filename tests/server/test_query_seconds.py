"""A request whose queries take too long is answered with 504; what is taken in has no such limit."""

from __future__ import annotations

import httpx
import pytest

from serving import serving

SPAN = {
    "traceId": "7e" * 16,
    "spanId": "7e" * 8,
    "name": "ask",
    "startTimeUnixNano": "1000000",
    "endTimeUnixNano": "2000000",
}
TRACES = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    """A server that gives queries less time than any takes."""
    store = tmp_path_factory.mktemp("hurried") / "store"
    with (
        serving(store, WHENCE_QUERY_SECONDS="0.00001") as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield http


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/traces?filter=user%20%3D%20'u'",
        f"/api/v1/traces/tr-{'7e' * 16}",
        "/api/v1/facets?fields=app_version,user",
        "/api/v1/versions",
    ],
)
def test_a_query_that_takes_too_long_is_answered_with_what_to_do(hurried, path):
    answer = hurried.get(path)
    assert answer.status_code == 504  # noqa: PLR2004
    assert answer.json()["error_code"] == "DEADLINE_EXCEEDED"
    assert "WHENCE_QUERY_SECONDS" in answer.json()["message"]
    assert answer.json()["request_id"]


def test_traces_are_taken_in_whatever_time_queries_have(hurried):
    assert hurried.post("/v1/traces", json=TRACES).status_code == 200  # noqa: PLR2004
    assert hurried.get("/health").status_code == 200  # noqa: PLR2004
