"""How answers of any kind, and silence, reach the caller; a scripted server plays the other side."""

from __future__ import annotations

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from whence import errors
from whence.sdk.delivery.destination import parse_destination
from whence.sdk.reading.http import HttpReader, UnreachableError, path_of


class Scripted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        seen = {
            "method": self.command,
            "path": self.path,
            "key": self.headers.get("Authorization"),
            "body": self.rfile.read(length).decode(),
            "port": self.client_address[1],
        }
        self.server.seen.append(seen)
        status, headers, body = self.server.script(seen)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = self.server.closes_silently

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    server.seen = []
    server.script = lambda seen: (200, {}, {"ok": True})
    server.closes_silently = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def reader(scripted):
    with HttpReader(parse_destination(f"http://127.0.0.1:{scripted.server_port}/base")) as opened:
        yield opened


def test_a_request_carries_its_query_its_body_and_the_key(scripted, reader, monkeypatch):
    monkeypatch.setenv("WHENCE_API_KEY", "k-1")
    answer = reader.request("POST", "/x", query={"a": ["1", "b c"], "none": None}, body={"n": "é"})
    assert answer == {"ok": True}
    [seen] = scripted.seen
    assert (seen["method"], seen["path"]) == ("POST", "/base/x?a=1&a=b+c")
    assert json.loads(seen["body"]) == {"n": "é"}
    assert seen["key"] == "Bearer k-1"


def test_a_segment_keeps_its_slashes_to_itself():
    assert path_of("a/b?c", "tags", "é ü/..") == "/a%2Fb%3Fc/tags/%C3%A9%20%C3%BC%2F.."


def test_connections_are_kept(scripted, reader):
    for _ in range(3):
        reader.request("GET", "/x")
    assert len({seen["port"] for seen in scripted.seen}) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(scripted, reader):
    scripted.closes_silently = True
    for _ in range(3):
        assert reader.request("GET", "/x") == {"ok": True}
    assert len({seen["port"] for seen in scripted.seen}) == 3


def test_threads_have_connections_of_their_own(scripted, reader):
    reader.request("GET", "/x")
    other = threading.Thread(target=lambda: (reader.request("GET", "/x"), reader.close()))
    other.start()
    other.join()
    assert len({seen["port"] for seen in scripted.seen}) == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(scripted, reader):
    reader.request("GET", "/x")
    child = os.fork()
    if child == 0:
        reader.request("GET", "/x")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.request("GET", "/x") == {"ok": True}
    ports = [seen["port"] for seen in scripted.seen]
    assert ports[0] == ports[2] != ports[1]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_PARAMETER_VALUE", errors.InvalidInputError),
        (401, "UNAUTHENTICATED", errors.UnauthenticatedError),
        (404, "RESOURCE_DOES_NOT_EXIST", errors.NotFoundError),
        (409, "RESOURCE_CONFLICT", errors.ConflictError),
        (413, "RESOURCE_EXHAUSTED", errors.PayloadTooLargeError),
        (415, "INVALID_PARAMETER_VALUE", errors.UnsupportedMediaError),
        (503, "TEMPORARILY_UNAVAILABLE", errors.UnavailableError),
        (500, "INVALID_STATE", errors.WhenceError),
    ],
)
def test_an_error_comes_back_as_the_exception_it_was(scripted, reader, status, code, kind):
    body = {"error_code": code, "message": "in words", "request_id": "r"}
    scripted.script = lambda seen: (status, {"Retry-After": "7"}, body)
    with pytest.raises(errors.WhenceError, match="in words") as caught:
        reader.request("GET", "/x")
    assert type(caught.value) is kind
    assert caught.value.error_code == code
    assert caught.value.http_status == status
    assert getattr(caught.value, "retry_after_s", 7.0) == 7.0


def test_a_wrong_filter_names_its_column(scripted, reader):
    body = {"error_code": "INVALID_PARAMETER_VALUE", "message": "no", "column": 5}
    scripted.script = lambda seen: (400, {}, body)
    with pytest.raises(errors.FilterError) as caught:
        reader.request("GET", "/x")
    assert caught.value.column == 5


@pytest.mark.parametrize("status", [200, 404, 500, 502])
@pytest.mark.parametrize("page", [b"<html>a proxy</html>", b"\xff", b"3", b"[]"])
def test_what_is_not_a_whence_server_is_an_error_of_ours(scripted, reader, status, page):
    scripted.script = lambda seen: (status, {}, page)
    if status == 200 and page in (b"3", b"[]"):
        assert reader.request("GET", "/x") in (3, [])
        return
    with pytest.raises(errors.WhenceError, match=r"GET http://127\.0\.0\.1:\d+/base/x"):
        reader.request("GET", "/x")


def test_an_address_where_nobody_listens_says_what_to_do():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with (
            HttpReader(parse_destination(f"http://127.0.0.1:{port}")) as reader,
            pytest.raises(UnreachableError, match=f"whence server --port {port}.*WHENCE_URL"),
        ):
            reader.request("GET", "/health")
