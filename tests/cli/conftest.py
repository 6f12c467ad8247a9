"""The command line, run as a program against one server with a few traces."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import httpx
import pytest

from otlp_requests import body, new_trace_id, span
from serving import clean_environment, serving

JSON = {"content-type": "application/json"}
START_NS = 1_700_000_000_000_000_000


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("cli") / "store") as running:
        yield running


@pytest.fixture
def whence(server, tmp_path):
    """Run `whence` in an empty folder; the server is the one of the session."""

    def run(*arguments: str, text: str | None = None, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "whence", *arguments],
            cwd=tmp_path,
            env=clean_environment(WHENCE_URL=server.url, **env),
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL if text is None else None,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def traces(server):
    """Three traces of experiment 500, the oldest first: versions 1.0.0, 2.0.0 and 2.1.0."""
    ids = []
    for number, version in enumerate(("1.0.0", "2.0.0", "2.1.0")):
        trace_id = new_trace_id()
        start = START_NS + number * 1_000_000_000
        root = span(
            trace_id,
            "00f067aa0ba902b7",
            name="answer",
            start_ns=start,
            attributes={
                "whence.metadata.region": "eu",
                "whence.inputs": '{"question": "where, \\"exactly\\"?"}',
                "session.id": f"session-{number}",
                "mlflow.traceTag.team": "search",
            },
        )
        child = span(
            trace_id,
            "00f067aa0ba902b8",
            parentSpanId="00f067aa0ba902b7",
            name="retrieve",
            start_ns=start + 1_000_000,
            attributes={"mlflow.spanType": "RETRIEVER"},
            status={"code": 2, "message": "index is cold"} if number == 2 else {"code": 0},
        )
        resource = {
            "mlflow.experimentId": "500",
            "service.version": version,
            "deployment.environment.name": "production",
        }
        content = body(root, child, **resource)
        httpx.post(f"{server.url}/v1/traces", content=content, headers=JSON).raise_for_status()
        ids.append(f"tr-{trace_id}")
    return ids
