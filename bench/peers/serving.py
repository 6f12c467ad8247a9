"""The servers of the peers, each with its store in a folder, as its documentation starts it.

MLflow: `mlflow server` with SQLite, its default store, and its default number of workers.
Phoenix: `phoenix serve` with SQLite, its default store. Neither reports anything to its makers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.environments import python_of

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_S = 120
STOP_LIMIT_S = 20
STORE_LIMIT_S = 30  # without a new span


class PeerServer(msgspec.Struct, frozen=True):
    """How to start a peer's server; `{port}`, `{grpc_port}` and `{folder}` are filled in."""

    program: str  # in the environment's bin
    arguments: tuple[str, ...]
    variables: dict[str, str]
    health: str
    store: str  # its SQLite file, in the folder
    headers: tuple[str, ...] = ()  # that its OTLP endpoint needs, NAME=VALUE


SERVERS = {
    "mlflow": PeerServer(
        program="mlflow",
        arguments=(
            "server",
            *("--host", "127.0.0.1", "--port", "{port}"),
            *("--backend-store-uri", "sqlite:///{folder}/mlflow.db"),
            *("--artifacts-destination", "{folder}/artifacts"),
        ),
        variables={"MLFLOW_DISABLE_TELEMETRY": "true"},
        health="/health",
        store="mlflow.db",
        headers=("x-mlflow-experiment-id=0",),
    ),
    "phoenix": PeerServer(
        program="phoenix",
        arguments=("serve",),
        variables={
            "PHOENIX_WORKING_DIR": "{folder}",
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": "{port}",
            "PHOENIX_GRPC_PORT": "{grpc_port}",
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        },
        health="/healthz",
        store="phoenix.db",
    ),
}


@contextlib.contextmanager
def serving_peer(name: str, folder: Path, work: Path) -> Iterator[str]:
    """Run a peer's server with its store in `folder`; yield its URL once it is healthy."""
    server = SERVERS[name]
    port, grpc_port = _free_ports(2)
    known = {"port": port, "grpc_port": grpc_port, "folder": folder}
    program = Path(python_of(name, work)).with_name(server.program)
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(
            [str(program), *(one.format(**known) for one in server.arguments)],
            cwd=folder,
            env=os.environ | {key: one.format(**known) for key, one in server.variables.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it has workers of its own; they are ended with it
        ) as process,
    ):
        try:
            _wait_until_healthy(url + server.health, process, folder / "server.log")
            yield url
        finally:
            _end(process)


def count_spans(name: str, folder: Path) -> int:
    """Return how many spans a peer's store holds."""
    file = folder / SERVERS[name].store
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        store.execute("PRAGMA busy_timeout = 10000")
        (spans,) = store.execute("SELECT count(*) FROM spans").fetchone()
    return int(spans)


def wait_until_stored(name: str, folder: Path, spans: int) -> None:
    """Wait until a peer's store holds so many spans: Phoenix acknowledges before it writes.

    Raises:
        RuntimeError: it gains no more, and holds fewer.

    """
    held, gained_at = -1, time.monotonic()
    while (now := count_spans(name, folder)) < spans:
        if now > held:
            held, gained_at = now, time.monotonic()
        elif time.monotonic() - gained_at > STORE_LIMIT_S:
            raise RuntimeError(f"{name} stored {held} of {spans} spans")
        time.sleep(0.5)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_LIMIT_S
    while time.monotonic() < ends and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(url, timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not get healthy: {log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
