"""The same program by each client of MLflow 3: the newest, the oldest, and where requests changed.

The client that the tests are installed with runs in the normal tier, the others in environments of
their own (`--slow`). docs/mlflow.md shows the outcome; the slow test holds the table to it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from source_tree import ROOT

from mlflow_programs import PROGRAMS, QUICK
from serving import clean_environment

if TYPE_CHECKING:
    from pathlib import Path


class Client(NamedTuple):
    """A package and what else must be installed with it."""

    package: str
    version: str
    beside: tuple[str, ...] = ()


# Clients before 3.4 don't run with the OpenTelemetry SDK of today, against MLflow's server neither.
OLD_OPENTELEMETRY = ("opentelemetry-api<1.34", "opentelemetry-sdk<1.34")
CLIENTS = (
    Client("mlflow", "3.0.0", OLD_OPENTELEMETRY),
    Client("mlflow-skinny", "3.0.0", OLD_OPENTELEMETRY),
    Client("mlflow-tracing", "3.0.0", OLD_OPENTELEMETRY),
    Client("mlflow-skinny", "3.2.0", OLD_OPENTELEMETRY),
    Client("mlflow-skinny", "3.4.0"),
    Client("mlflow-skinny", "3.6.0"),
    Client("mlflow", "3.17.2"),
    Client("mlflow-skinny", "3.17.2"),
    Client("mlflow-tracing", "3.17.2"),
)
LACKING = "not in this client"
FOUND = {
    "experiment": [True, "active"],
    "record_and_read": [
        2_100_000,
        "OK",
        "answer",
        "blue",
        ["answer", "AGENT", {"question": "Paris"}, 2_100_000, None],
        [
            "_look_up",
            "TOOL",
            {"city": "Paris"},
            {"city": "Paris", "population": 2_100_000},
            True,
        ],
        0.5,
    ],
    "errors": ["ERROR", "ERROR", ["exception"]],
    "metadata_and_session": ["1.4", "s-1"],
    "client_request_id": ["r-1", "asked"],
    "by_hand": [["by hand", {"q": 1}, "done"], ["child", [1], [2]]],
    "tags": ["1", None],
    "feedback_and_expectation": [["city", "Paris", "judge-1"], ["grade", 0.75, "judge-1"]],
    "search": [["answer"], 1, ["ERROR"]],
    "pages": True,
    "wrong_filter": "INVALID_PARAMETER_VALUE",
    "missing_trace": True,
    "delete": [1, True],
}
SHOWN = {
    "record_and_read": "a traced function, read back",
    "errors": "an exception",
    "metadata_and_session": "metadata, session",
    "client_request_id": "`client_request_id`, preview",
    "by_hand": "spans by hand",
    "tags": "tags",
    "feedback_and_expectation": "feedback, expectations",
    "search": "search",
    "pages": "pages",
    "wrong_filter": "a wrong filter",
    "delete": "deletion",
}


def run(python: str, url: str, name: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-W", "ignore", str(PROGRAMS / "run.py"), "matrix", name],
        env=clean_environment(MLFLOW_TRACKING_URI=url, **QUICK),
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def judge(step: str, found: Any) -> str:
    """Return how a client did: `yes`, `–` where it has no such call, or what it got instead."""
    if isinstance(found, dict):
        if "Databricks" in str(found["message"]):
            return "–"  # the client refuses this call for any other server
        found = found["code"]
    if found == LACKING:
        return "–"
    return "yes" if found == FOUND[step] else f"got {found!r}"


def install(folder: Path, client: Client) -> str:
    """Make an environment with a client, from uv's cache where it is there; return its Python."""
    python = str(folder / "bin" / "python")
    wanted = [f"{client.package}=={client.version}", *client.beside]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for command in (
        ["uv", "venv", "-q", "--python", version, str(folder)],
        ["uv", "pip", "install", "-q", "--python", python, *wanted],
    ):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=folder.parent
        )
        assert done.returncode == 0, done.stderr
    return python


def write_table(rows: dict[Client, dict[str, Any]]) -> str:
    """Return the page's table: a step a line, a client a column."""
    heads = [f"`{one.package}` {one.version}" for one in rows]
    lines = [["", *heads], ["---"] * (len(heads) + 1)]
    for step, words in SHOWN.items():
        lines.append([words, *(judge(step, found[step]) for found in rows.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def test_the_client_installed_here_does_all_of_it(server):
    found = run(sys.executable, server.url, "here")
    assert {step: judge(step, one) for step, one in found.items()} == dict.fromkeys(FOUND, "yes")


@pytest.mark.slow
def test_every_client_does_what_it_can_and_the_page_says_so(server, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        pythons = [
            pool.submit(install, tmp_path / f"{one.package}-{one.version}", one) for one in CLIENTS
        ]
        rows = {
            client: run(python.result(), server.url, f"{client.package}-{client.version}")
            for client, python in zip(CLIENTS, pythons, strict=True)
        }
    table = write_table(rows)
    print(table)
    assert all(set(found) == set(FOUND) for found in rows.values())
    assert table in (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8"), table
