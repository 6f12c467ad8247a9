"""The same programs by MLflow's client and by `import whence as mlflow`, compared as read back.

MLflow's own road is its file store, the reference; Whence's are a real server with its own client,
and with MLflow's.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from comparing import list_differences, sort_traces

from serving import clean_environment, serving

PROGRAMS = Path(__file__).with_name("programs.py")
NAMES = [
    node.name
    for module in ("recording.py", "reading.py")
    for node in ast.parse(PROGRAMS.with_name(module).read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef)
]


def run(module: str, **environment: str) -> dict[str, dict]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAMS), module],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def by_mlflow(tmp_path_factory):
    store = tmp_path_factory.mktemp("mlflow") / "store"
    return run(
        "mlflow",
        MLFLOW_TRACKING_URI=store.as_uri(),
        MLFLOW_ALLOW_FILE_STORE="true",
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false",  # else every flush takes two seconds
        MLFLOW_MODEL_CATALOG_URI="",  # else it asks the network for prices
    )


@pytest.fixture(scope="module")
def by_whence(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("whence") / "store") as server:
        return run("whence", WHENCE_URL=server.url)


@pytest.fixture(scope="module")
def by_drop_in(tmp_path_factory):
    """MLflow's client, unmodified, with our server in place of its own."""
    with serving(tmp_path_factory.mktemp("drop-in") / "store") as server:
        return run(
            "mlflow",
            MLFLOW_TRACKING_URI=server.url,
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false",
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            MLFLOW_MODEL_CATALOG_URI="",
        )


@pytest.mark.parametrize("road", ["by_whence", "by_drop_in"])
@pytest.mark.parametrize("name", NAMES)
def test_a_program_leaves_the_same_traces(request, by_mlflow, road, name):
    theirs, ours = by_mlflow[name], request.getfixturevalue(road)[name]
    found = list_differences(theirs["returned"], ours["returned"], "returned")
    found += list_differences(sort_traces(theirs["traces"]), sort_traces(ours["traces"]), "traces")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", NAMES)
def test_no_program_failed(by_mlflow, name):
    assert "raised" not in str(by_mlflow[name]["returned"])
