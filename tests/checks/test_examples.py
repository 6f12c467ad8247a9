"""Every program in examples/ runs; what each one shows is tested where its subject is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT
from test_docs import stop_server

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SERVED = {
    "fastapi_chat.py",
    "opentelemetry_sdk.py",
}  # they want a server: tests/e2e/test_examples.py


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_shows(example: Path):
    assert ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.name not in SERVED], ids=lambda path: path.name
)
def test_an_example_runs(example: Path, tmp_path: Path):
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("WHENCE", "MLFLOW", "OTEL"))
    }
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(example)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        stop_server(tmp_path)
