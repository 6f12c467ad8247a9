"""A real MLflow: recording with its client, reading what came, running its server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from mlflow_programs import QUICK
from serving import clean_environment
from whence.entities.rest import trace_from_api
from whence.sdk.reading.client import Client

RECORD = Path(__file__).with_name("programs") / "record.py"
START_LIMIT_S = 90.0


def record(address: str, *arguments: object, **environment: str) -> dict[str, dict]:
    """Record traces with the real client, or read them; return them as it writes them down."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(RECORD), address, *map(str, arguments)],
        env=clean_environment(**QUICK, **environment),
        cwd=RECORD.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def read_all(url: str, *experiments: str) -> dict[str, dict]:
    """Return every trace of a Whence server, in MLflow's form."""
    with Client(url) as client:
        answers = list(client.iter_answers(experiment_ids=experiments, include_spans=True))
    return {one["info"]["trace_id"]: trace_from_api(one).to_dict() for one in answers}


@contextmanager
def mlflow_serving(database: Path):
    """Run a real MLflow server on a database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--workers", "1",
        "--backend-store-uri", f"sqlite:///{database}", "--host", "127.0.0.1", "--port", str(port),
        "--artifacts-destination", str(database.parent / "artifacts"),
    ]  # fmt: skip
    quiet = {**QUICK, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (database.parent / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=clean_environment(**quiet), stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            assert process.poll() is None and time.monotonic() < deadline, "MLflow did not start"
            try:
                if httpx.get(f"{url}/health").text == "OK":
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)
