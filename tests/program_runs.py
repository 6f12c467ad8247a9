"""Real programs for the tests of the source's name: a repository of them, and how one is run.

Each records a trace into a sink; the tests look at the trace's resource.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otlp_sink import Sink

PROGRAMS = Path(__file__).parent / "sdk" / "context" / "programs"
SCRIPTS = Path(sys.executable).parent
LIMIT_S = 60.0
NAME = "whence.metadata.mlflow.source.name"
TYPE = "whence.metadata.mlflow.source.type"
BRANCH = "vcs.ref.head.name"


def make_repository(folder: Path) -> Path:
    """Copy the programs into a new repository whose branch is `shop-main`."""
    repository = folder / "repository"
    shutil.copytree(PROGRAMS, repository, ignore=shutil.ignore_patterns("__pycache__"))
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for words in (["init", "-q", "-b", "shop-main"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=repository, env={**os.environ, **quiet}, check=True)
    return repository


def make_environment(sink: Sink, home: Path, **extra: str) -> dict[str, str]:
    """Return a small environment in which traces go to the sink."""
    return {
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "USER": "ann",
        "WHENCE_URL": sink.url,
        "PYTHONDONTWRITEBYTECODE": "1",
        **extra,
    }


def find_port() -> int:
    """Return a port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(words: list[str], cwd: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a process group of its own, and end the group with the block."""
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end_group(process)


def end_group(process: subprocess.Popen[str]) -> None:
    """Ask the program and its children to end; after ten seconds end them."""
    for number, limit_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            continue


def ask_server(process: subprocess.Popen[str], port: int) -> int:
    """Return the process that answered a request, as soon as the server listens."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return int(answer.read())
        except (OSError, urllib.error.URLError):
            if process.poll() is not None:
                raise AssertionError(f"ended early:\n{process.communicate()[0]}") from None
            time.sleep(0.05)
    raise AssertionError(f"no answer within {LIMIT_S} s")


def find_resource(sink: Sink) -> dict[str, Any]:
    """Return the resource of the trace of `ask`."""
    sink.wait_for("ask", timeout_s=LIMIT_S)
    return next(
        group.resource.attributes
        for request in sink.requests
        for group in request.groups
        for span in group.spans
        if span.name == "ask"
    )


def run_to_end(words: list[str], cwd: Path, env: dict[str, str], text: str | None = None) -> str:
    """Run a program that ends by itself, and return what it printed."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=env,
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout
