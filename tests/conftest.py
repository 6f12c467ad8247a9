"""What tests of every layer share: a store by either road, and an experiment of one's own.

A process may hold one embedded directory, so the stores live as long as the session and tests keep
apart by their experiment ids and trace ids. `store` runs a test twice: on the embedded engine, and
through clickhouse-connect's HTTP client on a server that `clickhouse_server.py` plays.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import pytest

from whence.store.connection import open_store

SERVER_PROGRAM = Path(__file__).with_name("clickhouse_server.py")
# The server asks for them; their special characters must survive the URL.
SERVER_USER, SERVER_PASSWORD = "whence", "p@ss/w:rd"

# Started in the background by a shell, this process ignores Ctrl-C, and so would every child.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def chdb_store(tmp_path_factory):
    """The embedded store of this test process."""
    with open_store(tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture(scope="session")
def clickhouse_server_url(tmp_path_factory):
    """The URL of a ClickHouse server without a database: append its name."""
    directory = tmp_path_factory.mktemp("clickhouse")
    command = [sys.executable, str(SERVER_PROGRAM), str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            port = int(server.stdout.readline())
            yield f"clickhouse://{SERVER_USER}:{quote(SERVER_PASSWORD, safe='')}@127.0.0.1:{port}"
        finally:
            server.stdin.close()


@pytest.fixture(scope="session")
def clickhouse_store(clickhouse_server_url):
    """A store on a ClickHouse server."""
    with open_store(f"{clickhouse_server_url}/whence_tests") as opened:
        yield opened


@pytest.fixture(scope="session", params=["chdb", "clickhouse"])
def store(request):
    """A store by both roads, one after the other."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def experiment_id(request):
    """An experiment id that only this test has (and only on this road)."""
    digest = blake2b(request.node.nodeid.encode(), digest_size=8).digest()
    return str(int.from_bytes(digest, "big") >> 14)
