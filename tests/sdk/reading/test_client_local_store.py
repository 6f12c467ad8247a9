"""Reading from a path: a server is found, or started, and there is only ever one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving import clean_environment
from whence.sdk.reading.local_server import find_server

RECORD = """
import whence
with whence.start_span("answer") as span:
    whence.update_current_trace(metadata={"app_version": "1"})
"""
SEARCH = """
found = whence.search_traces(filter_string="metadata.app_version = '1'", return_type="list")
print(len(found), found[0].info.name)
"""


@pytest.fixture
def home(tmp_path: Path):
    """A folder to work in; whatever server is started in it ends with the test."""
    yield tmp_path
    try:
        pid = json.loads((tmp_path / ".whence" / "server.json").read_text())["pid"]
    except FileNotFoundError:
        return
    end(pid)


def end(pid: int, number: int = signal.SIGTERM) -> None:
    os.kill(pid, number)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} did not end")


def start(code: str, home: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=home,
        env=clean_environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, home: Path, **env: str) -> str:
    process = start(code, home, **env)
    out, err = process.communicate(timeout=90)
    assert (process.returncode, err) == (0, "")
    return out.strip()


def pid_of(home: Path) -> int:
    return json.loads((home / ".whence" / "server.json").read_text())["pid"]


def test_a_program_reads_back_what_it_recorded_without_a_server(home: Path):
    assert run(RECORD + SEARCH, home) == "1 answer"


def test_the_server_stays_for_the_next_program_and_no_second_one_comes(home: Path):
    assert run(RECORD + SEARCH, home) == "1 answer"
    pid = pid_of(home)
    assert run(RECORD + SEARCH, home) == "2 answer"
    assert pid_of(home) == pid


def test_programs_that_start_at_once_end_with_one_server(home: Path):
    code = "import whence\nprint(whence.search_traces(return_type='list'))"
    started = [start(code, home) for _ in range(4)]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.strip()) == (0, "[]"), err
    log = (home / ".whence" / "server.log").read_text()
    assert log.count("is ready at") == 1, log


def test_a_server_that_was_killed_has_a_successor(home: Path):
    code = (
        RECORD
        + SEARCH
        + """
import json, os, pathlib, signal
os.kill(json.loads(pathlib.Path(".whence/server.json").read_text())["pid"], signal.SIGKILL)
"""
        + SEARCH
    )
    assert run(code, home) == "1 answer\n1 answer"


def test_what_steers_other_servers_does_not_steer_this_one(home: Path):
    env = {
        "WHENCE_STORE": str(home / "other"),
        "WHENCE_PORT": "1",
        "WHENCE_HOST": "0.0.0.0",
        "WHENCE_API_KEY": "secret",
    }
    assert run(RECORD + SEARCH, home, **env) == "1 answer"
    assert run("import whence" + SEARCH, home) == "1 answer"
    assert not (home / "other").exists()


def test_without_the_server_extra_the_error_says_what_to_install(home: Path):
    code = """
import sys
sys.modules["uvicorn"] = None  # as if it were not installed
import whence
from whence.errors import WhenceError
try:
    whence.search_traces(return_type="list")
except WhenceError as error:
    print(error)
"""
    said = run(code, home)
    assert "pip install 'whence[server]'" in said
    assert not (home / ".whence" / "server.json").exists()


def test_a_server_that_cannot_start_leaves_its_words_in_the_error(home: Path):
    (home / ".whence").mkdir()
    (home / ".whence" / "db").write_text("not a folder")
    code = """
import whence
from whence.errors import UnavailableError
try:
    whence.search_traces(return_type="list")
except UnavailableError as error:
    print(error)
"""
    said = run(code, home)
    assert "ended while it started" in said
    assert "left no message" not in said


def test_a_path_that_cannot_be_a_store_is_an_error(home: Path):
    (home / "file").write_text("")
    code = """
import whence
from whence.errors import UnavailableError
try:
    whence.search_traces(return_type="list")
except UnavailableError as error:
    print(error)
"""
    assert "can't start a server" in run(code, home, WHENCE_URL="./file/store")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"pid": 1}', b'{"pid": 99999999, "url": "http://127.0.0.1:9"}', b"\xff"],
)
def test_a_server_file_that_leads_nowhere_is_no_server(tmp_path: Path, content: bytes):
    (tmp_path / "server.json").write_bytes(content)
    assert find_server(tmp_path) is None


def test_another_directorys_server_on_the_same_port_is_not_taken(tmp_path: Path, whence_server):
    address = {"pid": whence_server.process.pid, "url": whence_server.url}
    (tmp_path / "server.json").write_text(json.dumps(address))
    assert find_server(tmp_path) is None
    assert find_server(whence_server.store).url == whence_server.url
