"""Every scenario runs, and gives figures. Nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bench.__main__ import SCENARIOS

from bench import results

pytestmark = pytest.mark.timeout(900)  # beside other tests, on two cores
ROOT = Path(__file__).resolve().parents[2]
PEERLESS = {"ingest_peers"}  # it measures ours as well, but is there for the peers


def run_bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--work", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.mark.parametrize("name", [one for one in SCENARIOS if one not in PEERLESS])
def test_a_scenario_runs_without_its_peers(name: str, tmp_path: Path):
    done = run_bench(tmp_path, "--only", name)
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = results.read(tmp_path / "quick.json").outcomes
    assert outcome.name == name
    assert outcome.text
    assert outcome.figures
    assert all(figure.values for figure in outcome.figures if figure.subject == "whence")


def test_a_scenario_that_fails_is_reported_and_the_others_still_run(tmp_path: Path):
    done = run_bench(tmp_path, "--only", "no_such_scenario", "--only", "first_span")
    assert done.returncode == 1
    outcomes = {one.name: one for one in results.read(tmp_path / "quick.json").outcomes}
    assert "No module named 'bench.no_such_scenario'" in outcomes["no_such_scenario"].error
    assert outcomes["first_span"].figures


def test_a_scenario_that_takes_too_long_is_ended_and_reported(tmp_path: Path):
    done = run_bench(tmp_path, "--only", "first_span", "--limit-s", "0.1")
    assert done.returncode == 1
    (outcome,) = results.read(tmp_path / "quick.json").outcomes
    assert outcome.error == "not done within 0 s"


def test_an_unknown_peer_is_refused(tmp_path: Path):
    done = run_bench(tmp_path, "--peers", "zipkin")
    assert done.returncode == 1
    assert "no such peer: zipkin; there are opentelemetry, logfire" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["calling_thread", "delivered", "ingest_peers", "disk"])
def test_a_scenario_runs_with_all_peers(name: str, tmp_path: Path):
    """Installs them: a gigabyte."""
    peers = "opentelemetry,logfire,langfuse,mlflow,phoenix"
    done = run_bench(tmp_path, "--only", name, "--peers", peers)
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = results.read(tmp_path / "quick.json").outcomes
    assert not [figure.note for figure in outcome.figures if not figure.values]
