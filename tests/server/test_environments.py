"""The server's own spellings of environments: `WHENCE_ENVIRONMENT_ALIASES`."""

from __future__ import annotations

import httpx
import pytest

from otlp_requests import body, new_trace_id, span
from serving import serving
from whence.errors import InvalidInputError
from whence.server.settings import load_settings, read_aliases

JSON = {"content-type": "application/json"}


def test_aliases_hold_for_what_arrives_and_for_filters(tmp_path):
    aliases = "uat=staging, Canary=prod, local=local"
    with (
        serving(tmp_path / "store", WHENCE_ENVIRONMENT_ALIASES=aliases) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        for written in ("UAT", "stg", "canary", "prod", "local", "dev"):
            one = span(new_trace_id(), name=written)
            content = body(one, **{"deployment.environment.name": written})
            http.post("/v1/traces", content=content, headers=JSON).raise_for_status()

        def find(text):
            traces = http.get("/api/v1/traces", params={"filter": text}).json()["traces"]
            return {one["info"]["name"]: one["info"]["environment"] for one in traces}

        assert find("environment = 'uat'") == {"UAT": "staging", "stg": "staging"}
        assert find("environment = 'live'") == {"canary": "production", "prod": "production"}
        assert find("environment = 'CANARY'") == find("environment = 'production'")
        assert find("environment = 'local'") == {"local": "local"}
        assert find("environment = 'development'") == {"dev": "development"}
        assert find("metadata.environment = 'UAT'") == {"UAT": "staging"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("uat", "'uat' is not of the form spelling=name, such as uat=staging"),
        ("=staging", "'=staging' is not of the form"),
        ("uat=", "'uat=' is not of the form"),
        ("a=b=c", "'a=b=c' has more than one '='; separate aliases by commas"),
        ("uat=staging,UAT=production", "'uat' is given two meanings: staging, production"),
    ],
)
def test_a_wrong_alias_is_named(monkeypatch, text, problem):
    monkeypatch.setenv("WHENCE_ENVIRONMENT_ALIASES", text)
    with pytest.raises(InvalidInputError, match="WHENCE_ENVIRONMENT_ALIASES") as caught:
        load_settings()
    assert problem in caught.value.message


def test_aliases_are_read_in_any_case_and_with_blanks():
    assert read_aliases(" UAT = Staging ,, x=PRD,") == (("uat", "staging"), ("x", "production"))
    assert read_aliases("") == ()
