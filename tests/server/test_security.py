"""Who may ask: hosts, origins, keys."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from serving import clean_environment, serving

KEY = "s3cret-ключ"
BEARER = {"authorization": b"Bearer " + KEY.encode()}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server beyond loopback, as its key allows."""
    store = tmp_path_factory.mktemp("guarded") / "store"
    hosts = "traces.example.org,*.internal.example"
    with serving(
        store, "--host", "0.0.0.0", WHENCE_API_KEY=KEY, WHENCE_ALLOWED_HOSTS=hosts
    ) as running:
        yield running


def test_beyond_loopback_the_server_refuses_to_start_without_a_key(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "whence", "server", "--host", "0.0.0.0", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "WHENCE_API_KEY" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / ".whence").exists()


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:4320", "127.0.0.1", "127.9.9.9:1", "[::1]:4320", "app.localhost"],
)
def test_loopback_names_are_the_server(client, host):
    assert client.get("/api/v1/experiments", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4320", "localhost.evil.example", "10.0.0.1", "[::2]", "[::1"],
)
@pytest.mark.parametrize("path", ["/api/v1/traces", "/health", "/", "/v1/traces"])
def test_another_name_is_refused_before_anything_else(client, host, path):
    answer = client.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert "WHENCE_ALLOWED_HOSTS" in answer.json()["message"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("traces.example.org", 200),
        ("TRACES.example.org.:443", 200),
        ("a.b.internal.example", 200),
        ("10.1.2.3:4320", 200),
        ("internal.example", 421),
        ("evil.example", 421),
    ],
)
def test_a_server_on_the_network_takes_configured_names_and_addresses(guarded, host, status):
    headers = {**BEARER, "host": host}
    assert httpx.get(f"{guarded.url}/api/v1/experiments", headers=headers).status_code == status


ROUTES = [
    ("GET", "/api/v1/traces"),
    ("POST", "/api/v1/traces/search"),
    ("GET", "/api/v1/traces/live"),
    ("GET", "/api/v1/traces/tr-1"),
    ("POST", "/api/v1/traces/delete"),
    ("POST", "/api/v1/traces/import"),
    ("PUT", "/api/v1/traces/tr-1/tags/a"),
    ("DELETE", "/api/v1/traces/tr-1/tags/a"),
    ("POST", "/api/v1/traces/tr-1/assessments"),
    ("GET", "/api/v1/traces/tr-1/assessments/a-1"),
    ("PATCH", "/api/v1/traces/tr-1/assessments/a-1"),
    ("DELETE", "/api/v1/traces/tr-1/assessments/a-1"),
    ("GET", "/api/v1/documents/{kind}/{hash}"),
    ("GET", "/api/v1/experiments"),
    ("POST", "/api/v1/experiments"),
    ("POST", "/api/v1/experiments/search"),
    ("PATCH", "/api/v1/experiments/7"),
    ("DELETE", "/api/v1/experiments/7"),
    ("POST", "/api/v1/experiments/7/restore"),
    ("PUT", "/api/v1/experiments/7/tags/a"),
    ("DELETE", "/api/v1/experiments/7/tags/a"),
    ("GET", "/api/v1/facets"),
    ("GET", "/api/v1/fields"),
    ("GET", "/api/v1/series"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/users"),
    ("GET", "/api/v1/views"),
    ("PUT", "/api/v1/views/mine"),
    ("DELETE", "/api/v1/views/mine"),
    ("GET", "/api/v1/versions"),
    ("GET", "/api/v1/versions/detail"),
    ("GET", "/api/v1/versions/diff"),
    ("GET", "/api/v1/environments"),
    ("GET", "/api/v1/timeline"),
    ("GET", "/api/v1/bisect"),
    ("GET", "/api/v1/compare"),
    ("GET", "/api/v1/compare/distribution"),
    ("POST", "/api/v1/compare"),
    ("GET", "/api/v1/traces/tr-1/diff/tr-2"),
    ("GET", "/api/v1/findings"),
    ("GET", "/api/v1/findings/fi-1"),
    ("PATCH", "/api/v1/findings/fi-1"),
    ("GET", "/api/v1/webhooks"),
    ("POST", "/api/v1/webhooks"),
    ("DELETE", "/api/v1/webhooks/wh-1"),
    ("POST", "/api/v1/webhooks/wh-1/test"),
    ("GET", "/api/v1/webhooks/wh-1/deliveries"),
    ("POST", "/api/v1/intake"),
    ("POST", "/v1/traces"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/nothing"),
    ("GET", "//api/v1/traces"),
    ("POST", "/"),
    ("GET", "/version"),
    ("GET", "/ajax-api/2.0/mlflow/traces"),
    ("POST", "/api/3.0/mlflow/traces"),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts/0/traces/tr-1/artifacts/traces.json"),
    ("POST", "/api/2.0/mlflow/runs/create"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer wrong", "Basic czNjcmV0", KEY.encode()],
    ids=["none", "no key", "wrong", "basic", "no scheme"],
)
def test_every_route_wants_the_key(guarded, method, path, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    answer = httpx.request(method, guarded.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_table_above_has_every_route_of_the_api(guarded):
    document = httpx.get(f"{guarded.url}/api/openapi.json", headers=BEARER).json()
    offered = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if path != "/health"
    }
    names = {
        "{trace_id}": "tr-1",
        "{assessment_id}": "a-1",
        "{key}": "a",
        "{experiment_id}": "7",
        "{candidate_id}": "tr-2",
        "{finding_id}": "fi-1",
        "{webhook_id}": "wh-1",
        "{name}": "mine",
    }
    for name, value in names.items():
        offered = {(method, path.replace(name, value)) for method, path in offered}
    assert offered <= set(ROUTES)


@pytest.mark.parametrize("path", ["/health", "/", "/traces/tr-1", "/favicon.svg"])
def test_health_and_the_pages_want_none(guarded, path):
    assert httpx.get(guarded.url + path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_opens(guarded, scheme):
    headers = {"authorization": f"{scheme} ".encode() + KEY.encode()}
    assert httpx.get(f"{guarded.url}/api/v1/traces", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("{url}", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost:1", 403),
    ],
)
def test_only_our_own_pages_may_change_something(client, server, origin, status):
    headers = {} if origin is None else {"origin": origin.format(url=server.url)}
    answer = client.post("/api/v1/experiments", json={"name": "origins"}, headers=headers)
    assert answer.status_code == status


def test_another_site_can_read_nothing(client):
    answer = client.get("/api/v1/experiments", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    preflight = client.options(
        "/api/v1/experiments",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
