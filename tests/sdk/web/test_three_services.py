"""A trace over three processes, A → B → C, each with its own version; deliveries in every order."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations

import pytest

import whence
from serving import clean_environment
from web_servers import APPLICATIONS
from whence import semconv

NAMES = ("A", "B", "C")
VERSIONS = {"A": "1.0.0", "B": "2.0.0", "C": "3.0.0"}
ENVIRONMENTS = {"A": "production", "B": "staging", "C": "canary"}


class Gate:
    """Stands between a service and the server: holds deliveries back until it is opened."""

    def __init__(self, target: str) -> None:
        self.is_open = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gate.is_open.wait(30)
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in {"host", "connection", "content-length"}
                }
                request = urllib.request.Request(target + self.path, body, headers)
                with urllib.request.urlopen(request, timeout=30) as answer:
                    content = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"] or "")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.is_open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@contextmanager
def running_service(name: str, url: str, experiment: str, next_url: str | None):
    """Run one of the three; yields its address."""
    env = clean_environment(
        NAME=name,
        WHENCE_URL=url,
        WHENCE_EXPERIMENT=experiment,
        WHENCE_APP_VERSION=VERSIONS[name],
        WHENCE_ENVIRONMENT=ENVIRONMENTS[name],
        WHENCE_BAGGAGE="mlflow.trace.session,tenant",
        **({"NEXT_URL": next_url} if next_url else {}),
    )
    process = subprocess.Popen(
        [sys.executable, str(APPLICATIONS / "service.py")],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def post(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, b"", headers), timeout=30) as answer:
        return answer.read().decode()


@pytest.fixture
def services(whence_server, experiment):
    """Return the three addresses and gates; the whole row reports to one experiment."""
    with ExitStack() as stack:
        gates = {}
        urls: dict[str, str] = {}
        for name in NAMES:
            gates[name] = Gate(whence_server.url)
            stack.callback(gates[name].close)
        next_url = None
        for name in reversed(NAMES):
            next_url = urls[name] = stack.enter_context(
                running_service(name, gates[name].url, experiment.name, next_url)
            )
        yield urls, gates
        for gate in gates.values():
            gate.is_open.set()


def test_each_span_keeps_its_services_version_and_the_trace_the_roots(services):
    urls, gates = services
    for number, order in enumerate(permutations(NAMES)):
        trace_id = post(f"{urls['A']}/run", **{"X-Session-ID": f"session-{number}"})
        for name in order:  # what the others recorded waits at their gates
            gates[name].is_open.set()
            assert post(f"{urls[name]}/flush") == "0"
            gates[name].is_open.clear()

        trace = whence.get_trace(trace_id)
        metadata = trace.info.trace_metadata
        assert metadata["app_version"] == "1.0.0", order
        assert metadata["environment"] == "production", order
        assert metadata[semconv.SESSION] == f"session-{number}", order
        assert (metadata["tenant"], metadata["secret"]) == ("t-1", "stays at home")
        provenance = trace.info.provenance
        assert provenance["app_version"] == "env WHENCE_APP_VERSION"
        assert provenance[semconv.SESSION] == provenance["tenant"] == "context()"
        spans = {span.name: span for span in trace.data.spans}
        assert set(spans) == {name for one in NAMES for name in (one, f"inside {one}")}
        for name in NAMES:
            for span in (spans[name], spans[f"inside {name}"]):
                assert span.resource["service.version"] == VERSIONS[name], order
                assert span.resource["deployment.environment.name"] == ENVIRONMENTS[name]
        assert spans["B"].parent_id == spans["inside A"].span_id
        assert spans["C"].parent_id == spans["inside B"].span_id
        for name in ("B", "C"):  # they travelled as baggage, and only what is on the list did
            assert spans[name].attributes["whence.metadata.tenant"] == "t-1"
            assert "whence.metadata.secret" not in spans[name].attributes

    found = whence.search_traces(
        filter_string=f"metadata.`{semconv.SESSION}` = 'session-3' AND metadata.app_version = '1.0.0'",
        return_type="list",
    )
    assert len(found) == 1
    for version in ("2.0.0", "3.0.0"):
        assert not whence.search_traces(
            filter_string=f"metadata.app_version = '{version}'", return_type="list"
        )
