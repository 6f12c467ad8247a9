"""Real servers for tests: `whence server` as a process on a free loopback port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from whence.sdk.context.platform_table import PLATFORMS
from whence.sdk.context.program.kinds import JOB_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_S = 60.0


class Running(NamedTuple):
    """A server that answers."""

    url: str
    process: subprocess.Popen[bytes]
    store: Path


def clean_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what steers Whence, plus `extra`.

    What names the platform goes too: a process in CI is of another source type than one at a desk.
    """
    steering = ("WHENCE_", "MLFLOW_", "OTEL_")
    markers = (name for one in PLATFORMS for marker in one.markers for name in marker.split(" + "))
    platforms = {*JOB_VARIABLES, *markers}
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(steering) and key not in platforms
    }
    return {**kept, **extra}


def wait_until_served(store: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address in `server.json` once the server of this very process has written it."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the server ended with status {process.returncode}")
        try:
            found = json.loads((store / "server.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("pid") == process.pid:
            return str(found["url"])
        time.sleep(0.02)
    raise AssertionError(f"no server within {START_LIMIT_S} s")


@contextmanager
def serving(store: Path, *options: str, **env: str) -> Iterator[Running]:
    """Run `whence server` on the store until the block ends; SIGTERM, then wait."""
    command = [sys.executable, "-m", "whence", "server", "--store", str(store), "--port", "0"]
    process = subprocess.Popen([*command, *options], env=clean_environment(**env))
    try:
        yield Running(wait_until_served(store, process), process, store)
    finally:
        process.terminate()
        process.wait(30)
