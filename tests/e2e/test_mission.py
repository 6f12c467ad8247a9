"""The mission: the example's traces are found by their metadata, from Python, shell and HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from serving import clean_environment, serving

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
FILTERS = (
    "metadata.environment = 'production'",
    "metadata.app_version = '2.1.0'",
    "metadata.`mlflow.trace.session` = 'session-abc-456'",
)
HEADERS = {
    "X-Request-ID": "request-123",
    "X-Session-ID": "session-abc-456",
    "X-User-ID": "user-7",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("mission") / "store") as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command: list[str], **env: str) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def served_example(server):
    """Serve examples/fastapi_chat.py by uvicorn, ask it twice, and end it with SIGTERM."""
    port = free_port()
    env = clean_environment(WHENCE_URL=server.url, APP_VERSION="2.1.0", PORT=str(port))
    process = subprocess.Popen([sys.executable, str(EXAMPLES / "fastapi_chat.py")], env=env)
    try:
        address = f"http://127.0.0.1:{port}/chat"
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = httpx.post(address, json={"message": "hello"}, headers=HEADERS)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.05)
        assert answer.json() == {"response": "Processed message: 'hello'"}
        assert httpx.post(address, json={"message": "no headers"}).status_code == 200
    finally:
        process.terminate()
        process.wait(30)
    return server


@pytest.fixture(scope="module")
def plain_opentelemetry_program(server):
    run(
        [sys.executable, str(EXAMPLES / "opentelemetry_sdk.py")],
        OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
    )
    return server


@pytest.mark.parametrize("filter_string", FILTERS)
def test_the_example_is_found_over_http(served_example, filter_string):
    found = httpx.get(
        f"{served_example.url}/api/v1/traces", params={"filter": filter_string}
    ).json()["traces"]
    chats = [one["info"] for one in found if one["info"]["name"] == "handle_chat"]
    assert any(info["client_request_id"] == "request-123" for info in chats)


@pytest.mark.parametrize("filter_string", FILTERS)
def test_the_example_is_found_on_the_command_line(served_example, filter_string):
    command = [sys.executable, "-m", "whence", "search", filter_string, "--format", "json"]
    found = json.loads(run(command, WHENCE_URL=served_example.url))
    assert any("handle_chat" in json.dumps(one) for one in found)


@pytest.mark.parametrize("filter_string", FILTERS)
def test_the_example_is_found_from_python(served_example, filter_string):
    program = (
        "import os, whence as mlflow\n"
        "frame = mlflow.search_traces(filter_string=os.environ['FILTER'])\n"
        "print(len(frame), *frame.columns)\n"
    )
    out = run(
        [sys.executable, "-c", program], WHENCE_URL=served_example.url, FILTER=filter_string
    ).split()
    assert int(out[0]) >= 1
    assert out[1:] == [
        "trace_id",
        "trace",
        "client_request_id",
        "state",
        "request_time",
        "execution_duration",
        "request",
        "response",
        "trace_metadata",
        "tags",
        "spans",
        "assessments",
    ]


def test_an_absent_header_leaves_its_key_out(served_example):
    found = httpx.get(
        f"{served_example.url}/api/v1/traces", params={"filter": "name = 'handle_chat'"}
    ).json()
    bare = [one["info"] for one in found["traces"] if one["info"]["session"] is None]
    assert len(bare) == 1
    metadata = bare[0]["trace_metadata"]
    assert "mlflow.trace.session" not in metadata and "mlflow.trace.user" not in metadata
    assert bare[0]["client_request_id"] is None
    assert metadata["deployment_id"] == "unknown" and metadata["region"] == "us-east-1"
    assert metadata["mlflow.source.type"] == "development"
    assert "None" not in metadata.values()


@pytest.mark.parametrize("filter_string", FILTERS)
def test_a_plain_opentelemetry_program_is_found_by_the_same_filters(
    plain_opentelemetry_program, filter_string
):
    url = plain_opentelemetry_program.url
    found = httpx.get(f"{url}/api/v1/traces", params={"filter": filter_string}).json()["traces"]
    plans = [one["info"] for one in found if one["info"]["name"] == "plan"]
    assert len(plans) == 1
    assert plans[0]["input_tokens"] == 120 and plans[0]["cost_usd"] > 0
    assert plans[0]["commit"] == "0123456789abcdef0123456789abcdef01234567"


def test_the_demo_leaves_three_versions_in_three_environments(tmp_path):
    out = run(
        [
            sys.executable,
            "-m",
            "whence",
            "demo",
            "--store",
            str(tmp_path / "store"),
            "--port",
            "0",
            "--exit",
        ]
    )
    assert "metadata.environment = 'production'" in out
    with serving(tmp_path / "store") as again:
        for environment in ("development", "staging", "production"):
            for version in ("1.0.0", "1.1.0", "1.1.1"):
                where = f"environment = '{environment}' AND app_version = '{version}'"
                answer = httpx.get(f"{again.url}/api/v1/traces", params={"filter": where})
                assert answer.json()["traces"], where
    assert os.path.isdir(tmp_path / "store")
