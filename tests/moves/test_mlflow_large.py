"""A thousand traces of the real client, and an import that is killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from moved_traces import plain
from running import read_all, record

from serving import clean_environment, serving

pytestmark = pytest.mark.slow
TRACES = 1000


@pytest.mark.timeout(1200)
def test_a_thousand_traces_arrive_one_by_one_and_through_a_kill(whence, tmp_path):
    database = tmp_path / "mlflow.db"
    original = record(f"sqlite:///{database}", TRACES)
    assert len(original) == TRACES
    noted = tmp_path / "checkpoint"
    options = ("import", "mlflow", f"sqlite:///{database}", "--checkpoint", noted)
    with serving(tmp_path / "store") as running:
        command = [sys.executable, "-m", "whence", *map(str, options)]
        environment = clean_environment(WHENCE_URL=running.url)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not noted.exists() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = whence(*options, url=running.url)
        assert done.code == 0, done.err
        moved = read_all(running.url)
        again = whence(*options, url=running.url)
        assert again.code == 0 and f"imported {TRACES} traces" in again.err
        assert read_all(running.url) == moved
    assert moved.keys() == original.keys()
    different = [one for one in original if plain(moved[one]) != plain(original[one])]
    assert not different
