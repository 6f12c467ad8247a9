"""Run programs written for MLflow by MLflow's own client, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from serving import clean_environment

PROGRAMS = Path(__file__).with_name("mlflow") / "programs"
# No test waits for a client's retries, nor for prices from the network.
QUICK = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
}


def run_program(name: str, url: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """Return what every function of a program returned; `{"raised", "code", "message"}` of errors."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAMS / "run.py"), name, *arguments],
        env=clean_environment(MLFLOW_TRACKING_URI=url, **{**QUICK, **environment}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
