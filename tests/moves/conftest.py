"""Whence as a program, against one server for each module."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest

from serving import clean_environment, serving


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("moves") / "store") as running:
        yield running


@pytest.fixture
def whence(server, tmp_path):
    """Run `whence` in an empty folder, with a home of its own."""

    def run(*arguments: object, url: str = "", **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "whence", *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(
                WHENCE_URL=url or server.url, XDG_STATE_HOME=str(tmp_path / "state"), **env
            ),
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
