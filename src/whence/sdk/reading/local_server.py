"""The server of a local store: found by `server.json`, or started when there is none.

Only a server opens the engine, so reading from a path needs one. One that is started here listens
on a free loopback port, belongs to no terminal, writes what it has to say to `server.log`, and
exits after five idle minutes. Programs that start one at the same time end with one server: they
take turns by a lock on `starting.lock`, and the store itself lets only one process in.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence.errors import InvalidInputError, UnavailableError, WhenceError
from whence.otlp.store_folder import make_store_folder
from whence.sdk.delivery.destination import Server, parse_destination
from whence.sdk.reading.http import HttpReader, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_S = 20.0
HEALTH_TIMEOUT_S = 5.0
IDLE_EXIT_S = 300
POLL_S = 0.05
OTHERS_GRACE_S = 2.0  # for a server that somebody else has just started
LOG_TAIL_BYTES = 2000

# What the extra `server` installs, and a server can't do without.
NEEDED_MODULES = ("uvicorn", "clickhouse_connect", "typer", "fastapi")
# The started server is for this directory and this machine, whatever the program's own settings.
OTHER_SERVERS_VARIABLES = ("WHENCE_HOST", "WHENCE_PORT", "WHENCE_STORE", "WHENCE_API_KEY")


class _Address(msgspec.Struct):
    pid: int
    url: str


def find_server(store: Path) -> Server | None:
    """Return the server that holds the store's directory, or None where none answers."""
    try:
        address = msgspec.json.decode((store / "server.json").read_bytes(), type=_Address)
        server = parse_destination(address.url)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, InvalidInputError):
        return None
    if not isinstance(server, Server) or not _is_alive(address.pid) or not _serves(server, store):
        return None
    return server


def find_or_start_server(store: Path) -> Server:
    """Return a server for the store's directory; start one where there is none."""
    server = find_server(store)
    if server is not None:
        return server
    _check_extra(store)
    deadline_s = time.monotonic() + START_LIMIT_S
    try:
        make_store_folder(store)
        with _turn(store, deadline_s):
            return find_server(store) or _start(store, deadline_s)
    except OSError as error:
        raise UnavailableError(f"can't start a server for {store}: {error}") from error


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's
    except (OSError, OverflowError):
        return False
    return True


def _serves(server: Server, store: Path) -> bool:
    """Tell whether this directory's server is there, and not another on a port used again.

    One that is not ready for writes is there as well.
    """
    with HttpReader(server, timeout_s=HEALTH_TIMEOUT_S) as reader:
        try:
            answer = reader.request("GET", "/health")
        except UnreachableError:
            return False
        except WhenceError as error:
            return error.http_status == UnavailableError.http_status
    if not isinstance(answer, dict) or not isinstance(answer.get("store"), str):
        return False
    return Path(answer["store"]).resolve() == store.resolve()


def _check_extra(store: Path) -> None:
    missing = [name for name in NEEDED_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise WhenceError(
            f"reading the local store {store} starts a server, which needs {', '.join(missing)}: "
            "pip install 'whence[server]', or set WHENCE_URL to a server that runs elsewhere"
        )


@contextlib.contextmanager
def _turn(store: Path, deadline_s: float) -> Iterator[None]:
    """Wait until no other process is starting a server for this directory."""
    import fcntl

    descriptor = os.open(store / "starting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise UnavailableError(
                        f"another process has been starting a server for {store} for "
                        f"{START_LIMIT_S:.0f} s; see {store / 'server.log'}"
                    ) from None
                time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _start(store: Path, deadline_s: float) -> Server:
    log = store / "server.log"
    log_start = log.stat().st_size if log.exists() else 0
    pid = _spawn(store, log)
    ended_s: float | None = None
    while time.monotonic() < deadline_s:
        server = find_server(store)
        if server is not None:
            return server
        if ended_s is None and _has_ended(pid):
            ended_s = time.monotonic()
        if ended_s is not None and time.monotonic() - ended_s > OTHERS_GRACE_S:
            raise UnavailableError(
                f"the server for {store} ended while it started: {_read_tail(log, log_start)}"
            )
        time.sleep(POLL_S)
    raise UnavailableError(
        f"the server for {store} was not ready within {START_LIMIT_S:.0f} s; see {log}"
    )


def _spawn(store: Path, log: Path) -> int:
    """Start the server in a session of its own; it outlives this process."""
    if not sys.executable:
        raise UnavailableError(
            "Python does not know its own program here, so no server can be started: "
            f"run `whence server --store {store}`"
        )
    command = [sys.executable, "-m", "whence", "server", "--store", str(store)]
    command += ["--host", "127.0.0.1", "--port", "0", "--idle-exit", str(IDLE_EXIT_S)]
    environment = {k: v for k, v in os.environ.items() if k not in OTHER_SERVERS_VARIABLES}
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess.Popen: its object complains when it is dropped while the process lives on.
    return os.posix_spawn(
        sys.executable,
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    )


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # the program waits for its children itself
        return not _is_alive(pid)


def _read_tail(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace").strip()
    except OSError:
        text = ""
    return text or f"it left no message in {log}"
