"""Real web servers for tests: uvicorn and gunicorn as processes on free loopback ports."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from serving import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATIONS = Path(__file__).parent / "sdk" / "web" / "applications"
START_LIMIT_S = 60
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
UVICORN = ("uvicorn", "--port", "0", "--no-access-log")
GUNICORN = ("gunicorn", "-b", "127.0.0.1:0", "--threads", "8", "--no-control-socket")


class Served(NamedTuple):
    """An application that answers."""

    url: str
    log: list[str]


@contextmanager
def serving_application(server: tuple[str, ...], target: str, **env: str) -> Iterator[Served]:
    """Run a server program for `module:name` of the applications until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", *server, target],
        cwd=APPLICATIONS,
        env=clean_environment(**env, PYTHONPATH=str(APPLICATIONS), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log: list[str] = []
    addresses: queue.SimpleQueue[str] = queue.SimpleQueue()

    def follow() -> None:
        for line in process.stdout:
            log.append(line)
            found = ADDRESS.search(line)
            if found:
                addresses.put(found[0])
        addresses.put("")

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    try:
        url = addresses.get(timeout=START_LIMIT_S)
        assert url, f"{server[0]} did not start:\n{''.join(log)}"
        yield Served(url, log)
    finally:
        process.terminate()
        process.wait(30)
        reader.join(10)
        process.stdout.close()
