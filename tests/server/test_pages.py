"""The web pages' files, health, ids of requests, and the form of errors."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from whence.server.pages import pages_router
from whence.server.problems import add_problem_handlers


@pytest.fixture
def static(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<p nonce="{CSP_NONCE}">the page</p>')
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    return tmp_path


@pytest.fixture
def pages(static):
    app = FastAPI()
    app.include_router(pages_router(static))
    add_problem_handlers(app)
    with TestClient(app) as http:
        yield http


@pytest.mark.parametrize("path", ["/", "/traces/tr-1", "/compare?a=1", "/index.html"])
def test_the_page_is_served_for_every_path_of_the_client(pages, path):
    answer = pages.get(path)
    assert answer.status_code == 200 and "the page" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert pages.head(path).status_code == 200


def test_every_answer_lets_in_the_styles_of_its_own_nonce_only(pages):
    seen = set()
    for _ in range(2):
        answer = pages.get("/")
        nonce = re.search('nonce="([^"]+)"', answer.text).group(1)
        policy = answer.headers["content-security-policy"]
        assert f"style-src 'self' 'nonce-{nonce}';" in policy
        assert "unsafe" not in policy
        assert "etag" not in answer.headers
        seen.add(nonce)
    assert len(seen) == 2


def test_files_with_a_hash_in_their_name_are_kept_for_ever(pages):
    answer = pages.get("/assets/index-abc.js")
    assert answer.text == "1" and "immutable" in answer.headers["cache-control"]
    assert "javascript" in answer.headers["content-type"]


def test_large_files_are_sent_compressed_to_whom_that_suits(pages, static):
    text = "const answer = 42;\n" * 5_000
    (static / "assets" / "large-abc.js").write_text(text)
    sizes = {}
    for encoding in ("gzip, br", "identity"):
        answer = pages.get("/assets/large-abc.js", headers={"accept-encoding": encoding})
        assert answer.text == text and answer.headers["vary"] == "accept-encoding"
        sizes[answer.headers.get("content-encoding")] = int(answer.headers["content-length"])
    assert sizes[None] == len(text) and sizes["gzip"] < len(text) / 50
    (static / "assets" / "large-abc.js").write_text("new")
    assert pages.get("/assets/large-abc.js").text == "new"


@pytest.mark.parametrize(
    "path",
    ["/assets/other.js", "/assets/%2e%2e/index.html", "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd"],
)
def test_what_is_no_asset_is_not_found(pages, path):
    assert pages.get(path).status_code == 404


def test_no_file_outside_the_folder_is_served(pages, static):
    (static.parent / "secret.txt").write_text("secret")
    for path in ("/%2e%2e/secret.txt", "/..%2fsecret.txt", "//etc/passwd", "/%00"):
        assert "secret" not in pages.get(path).text


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/ajax-api/x", "/v1/nothing"])
def test_an_unknown_path_of_the_api_is_an_error_in_our_form(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_server_without_pages_says_how_to_build_them(tmp_path):
    app = FastAPI()
    app.include_router(pages_router(tmp_path / "missing"))
    with TestClient(app) as http:
        assert "not built" in http.get("/").text


def test_health_tells_version_and_store(client, server):
    answer = client.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "ready" and told["store"] == str(server.store.resolve())
    head = client.head("/health")
    assert head.status_code == 200 and head.headers["content-type"] == "application/json"


@pytest.mark.parametrize("given", ["my-id.1:a_b", "x" * 128])
def test_a_plain_request_id_is_kept(client, given):
    answer = client.get("/api/nothing", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given == answer.json()["request_id"]


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", '"<script>'])
def test_another_request_id_is_replaced(client, given):
    answer = client.get("/api/nothing", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 32


def test_a_wrong_method_names_the_path(client):
    answer = client.delete("/api/v1/experiments")
    assert answer.status_code == 405
    assert "/api/v1/experiments" in answer.json()["message"]


def test_every_answer_forbids_sniffing_and_framing(client):
    for path in ("/", "/health", "/api/v1/traces", "/api/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_the_openapi_document_names_every_schema_it_uses(client):
    document = client.get("/api/openapi.json").json()
    text = httpx.Response(200, json=document).text
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= set(document["components"]["schemas"])
    span = document["components"]["schemas"]["Span"]["properties"]
    assert span["events"]["items"] == {"$ref": "#/components/schemas/SpanEvent"}
