"""How other processes find the server of a store directory: `server.json`.

It holds `{pid, port, url, store, started_ms}`, is written atomically once the server answers, and
is removed when the server leaves. After a crash it stays behind; whether a server still lives is
told by the lock on `server.lock`, which the store holds.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "server.json"


class Address(msgspec.Struct, kw_only=True):
    """What `server.json` says."""

    pid: int
    port: int
    url: str
    store: str
    started_ms: int


class Presence:
    """The server's entry in its store directory. Make it once the store is open."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE_NAME
        self._file.unlink(missing_ok=True)  # what a crashed server left

    def announce(self, *, host: str, port: int, store: str) -> Address:
        """Write `server.json`: from now on the server can be found."""
        address = Address(
            pid=os.getpid(),
            port=port,
            url=url_of(host, port),
            store=store,
            started_ms=time.time_ns() // 1_000_000,
        )
        partial = self._file.with_suffix(".json.partial")
        partial.write_bytes(msgspec.json.encode(address))
        partial.replace(self._file)
        return address

    def withdraw(self) -> None:
        """Remove `server.json`: no new request should come. Another server's stays."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            if msgspec.json.decode(self._file.read_bytes(), type=Address).pid == os.getpid():
                self._file.unlink(missing_ok=True)


def url_of(host: str, port: int) -> str:
    """Return the URL under which this machine reaches a listening address."""
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return f"http://{name}:{port}"
