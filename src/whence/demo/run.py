"""`whence demo`: a server, three versions in three environments as real processes.

Each of the nine processes runs `whence.demo.chat` with its own `APP_VERSION` and `ENVIRONMENT`,
sends to the server, and ends. Limits: the traces go to the experiment "demo" of the store; each
run adds to it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from whence.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = ("1.0.0", "1.1.0", "1.1.1")
SESSIONS = {"development": 8, "staging": 14, "production": 100}
SEED = "42"
START_LIMIT_S = 60.0


@contextmanager
def serve(store: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start `whence server` on the store; yield it and its address, and end it afterwards."""
    store.mkdir(parents=True, exist_ok=True)
    port = port if port and _is_free(port) else 0
    command = [sys.executable, "-m", "whence", "server", "--store", str(store), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:  # noqa: S603 - our own command
        try:
            yield server, _wait_for_server(server, store)
        finally:
            server.terminate()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_for_server(server: subprocess.Popen[bytes], store: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise UnavailableError("the server ended while it started; its message stands above")
        try:
            found = json.loads((store / "server.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("pid") == server.pid:
            return str(found["url"])
        time.sleep(0.05)
    raise UnavailableError(f"the server did not become ready within {START_LIMIT_S:.0f} s")


def record_traces(url: str) -> int:
    """Run the application for each version and environment; return how many processes ran."""
    processes = []
    for version in VERSIONS:
        for environment, sessions in SESSIONS.items():
            context = {
                "APP_VERSION": version,
                "ENVIRONMENT": environment,
                "DEPLOYMENT_ID": f"{environment}-{version.replace('.', '-')}",
                "WHENCE_URL": url,
            }
            processes.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [sys.executable, "-m", "whence.demo.chat", str(sessions), SEED],
                    env={**os.environ, **context},
                )
            )
    for process in processes:
        if process.wait() != 0:
            raise UnavailableError(f"a demo process ended with status {process.returncode}")
    return len(processes)
