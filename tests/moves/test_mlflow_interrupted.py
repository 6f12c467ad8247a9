"""An import that is interrupted goes on where it stopped, and knows what it lost before."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys

import httpx
import pytest
from mlflow_stand_in import mlflow_stand_in
from running import read_all

from serving import clean_environment
from whence.entities import experiment_id_of

TRACES, HELD = 1210, 1190  # several batches, and one that never comes to its end


@pytest.fixture
def source():
    with mlflow_stand_in() as asked:
        yield asked
        asked.go_on.set()


@pytest.fixture
def interrupted(server, source, tmp_path):
    """Run an import until it waits for its last page, and press Ctrl-C; return what it said."""

    def run(*options: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "whence", "import", "mlflow", source.url, *options],
            env=clean_environment(WHENCE_URL=server.url, XDG_STATE_HOME=str(tmp_path / "state")),
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        assert source.is_held.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        source.go_on.set()
        assert process.returncode == 130, said
        return said

    return run


def fill(source, start: int) -> list[str]:
    ids = [source.add(start + number) for number in range(TRACES)]
    source.held = ids[HELD]
    return ids


def spans_of(server) -> dict[str, int]:
    found = read_all(server.url, experiment_id_of("slow"))
    return {one: len(trace["data"]["spans"]) for one, trace in found.items()}


def test_what_was_lost_before_is_named_when_it_goes_on(
    whence, server, source, interrupted, tmp_path
):
    ids = fill(source, 0)
    source.never = frozenset({ids[5], ids[700], ids[-1]})
    said = interrupted()
    moved = int(re.search(r"(\d+) traces were moved: the same command goes on there", said)[1])
    assert 250 <= moved <= HELD and "Traceback" not in said
    noted = [one for one in (tmp_path / "state").rglob("*") if one.is_file()]
    assert sorted(one.suffix for one in noted) == [".json", ".losses"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in noted} == {0o600}

    done = whence("import", "mlflow", source.url, "--report", "lost.jsonl")
    assert done.code == 3 and f"going on after {moved} traces" in done.err, done.err
    assert f"imported {TRACES - moved} traces" in done.err and f"after {moved} traces" in done.err
    lost = [json.loads(one)["where"] for one in (tmp_path / "lost.jsonl").read_text().splitlines()]
    assert lost == [ids[5], ids[700], ids[-1]] and "not moved: 3\n" in done.err
    assert spans_of(server) == {one: int(one not in source.never) for one in ids}
    assert not any(one.is_file() for one in (tmp_path / "state").rglob("*"))


def test_ctrl_c_does_not_wait_for_an_answer_that_does_not_come(source, interrupted):
    ids = [source.add(20_000 + number) for number in range(300)]
    source.held_spans = ids[100]
    assert "Traceback" not in interrupted()


def test_refused_traces_at_the_end_do_not_begin_it_anew(whence, server, source, interrupted):
    ids = fill(source, 10_000)
    source.go_on.set()
    assert whence("import", "mlflow", source.url, "--since", "2026-01-01").code == 0
    body = {"trace_ids": ids[100:HELD]}
    httpx.post(f"{server.url}/api/v1/traces/delete", json=body).raise_for_status()
    source.is_held.clear()
    source.go_on.clear()
    interrupted()
    done = whence("import", "mlflow", source.url)
    assert done.code == 3 and "going on after" in done.err, done.err
    assert "beginning anew" not in done.err
    assert f"not moved: {HELD - 100}\n" in done.err and "deleted here" in done.err
