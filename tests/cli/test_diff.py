"""`whence diff`: from an edit in a work tree, over a traced program, to the text on the terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from serving import clean_environment
from work_trees import make_work_tree, write

PROGRAM = """
import sys
import whence

whence.set_experiment("the diff command")

@whence.trace
def answer():
    return 1

answer()
whence.flush()
print(whence.get_last_active_trace_id())
"""


@pytest.fixture
def run_program(server, tmp_path):
    """Run the program in a dirty work tree; returns its trace's id."""

    def run(edit: str, **env: str) -> str:
        folder = tmp_path / "app"
        if not folder.exists():
            make_work_tree(folder, {"app.py": PROGRAM, "settings.py": "LIMIT = 1\n"})
        write(folder, {"settings.py": edit})
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=folder,
            env=clean_environment(WHENCE_URL=server.url, **env),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    return run


def metadata_of(whence, trace_id: str) -> dict[str, str]:
    return json.loads(whence("show", trace_id, "--json").out)["info"]["trace_metadata"]


def test_the_diff_of_a_trace_is_printed_with_its_secrets_masked(whence, run_program):
    trace_id = run_program('LIMIT = 2\nPASSWORD = "hunter2"\n', WHENCE_STORE_DIFF="1")
    metadata = metadata_of(whence, trace_id)
    assert metadata["whence.git.dirty"] == "true"
    by_hash = whence("diff", metadata["whence.git.dirty_hash"])
    assert (by_hash.code, by_hash.err) == (0, "")
    assert "\n-LIMIT = 1\n+LIMIT = 2\n" in by_hash.out
    assert '+PASSWORD = "[masked]"' in by_hash.out
    assert "hunter2" not in by_hash.out
    assert whence("diff", trace_id).out == by_hash.out


def test_a_diff_that_was_not_to_be_stored_is_missed_with_the_way_to_store_it(whence, run_program):
    done = whence("diff", run_program("LIMIT = 3\n"))
    assert (done.code, done.out) == (1, "")
    assert "WHENCE_STORE_DIFF=1" in done.err


def test_a_trace_of_a_clean_tree_has_no_diff(whence, run_program):
    done = whence("diff", run_program("LIMIT = 1\n"))
    assert done.code == 1
    assert "came from a clean work tree" in done.err


def test_two_edits_are_two_versions(whence, run_program):
    hashes = [
        metadata_of(whence, run_program(edit))["whence.git.dirty_hash"]
        for edit in ("LIMIT = 4\n", "LIMIT = 5\n", "LIMIT = 4\n")
    ]
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_terminal_does_not_obey_what_a_file_holds(whence, run_program, server, tmp_path):
    trace_id = run_program("LIMIT = 6\n# \x1b[2J\x9b31m\u202e red\n", WHENCE_STORE_DIFF="1")
    assert "\x1b[2J" in whence("diff", trace_id).out
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "whence", "diff", trace_id]
    environ = clean_environment(WHENCE_URL=server.url)
    done = subprocess.run(command, env=environ, stdout=terminal, cwd=tmp_path, timeout=60)
    os.close(terminal)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert done.returncode == 0
    assert "# \\x1b[2J\\x9b31m\\u202e red" in shown
    assert "\x1b" not in shown


def test_what_is_neither_a_hash_nor_a_trace_is_an_error(whence):
    done = whence("diff", "nonsense")
    assert done.code == 1
    assert "not found" in done.err


def test_two_traces_are_shown_side_by_side(whence, traces):
    done = whence("diff", traces[0], traces[2])
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{traces[0]} (")
    assert "    -app_version = 1.0.0\n    +app_version = 2.1.0\n" in done.out
    assert "OK → ERROR" in done.out or "UNSET → ERROR" in done.out
    found = json.loads(whence("diff", traces[0], traces[2], "--json").out)
    assert found["candidate"] == traces[2]
