"""The notebook's name from the Jupyter server that started the kernel, where no variable tells.

The server leaves a file with its address and token beside the kernel's connection file. Only
servers on this machine are asked (loopback addresses, plain HTTP), each once, for at most a second,
and all of them for two: this runs in a background thread, never in the program's.
"""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER_FILES = ("jpserver-*.json", "nbserver-*.json")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
KERNEL_FILE = re.compile(r"^kernel-(?P<id>[\w-]+)\.json$")
REQUEST_LIMIT_S = 1.0
LIMIT_S = 2.0
MAX_ANSWER_BYTES = 4_000_000


class Server(msgspec.Struct, frozen=True):
    """What a Jupyter server writes about itself."""

    url: str
    token: str = ""
    root_dir: str = ""
    notebook_dir: str = ""


def find_kernel_file() -> Path | None:
    """Return the connection file of this process's kernel."""
    words = [word for word in getattr(sys, "argv", ()) if isinstance(word, str)]
    given = [Path(word.rpartition("=")[2]) for word in words]  # `-f path`, `--f=path`
    return next((path for path in given if KERNEL_FILE.match(path.name)), None)


def ask_servers(kernel_file: Path) -> Path | None:
    """Return the path of the notebook whose kernel has this connection file, or None."""
    match = KERNEL_FILE.match(kernel_file.name)
    if match is None:
        return None
    until = monotonic() + LIMIT_S
    for server in _read_servers(kernel_file.parent):
        left = until - monotonic()
        if left <= 0:
            break
        path = _find_path(_ask(server, min(left, REQUEST_LIMIT_S)), match["id"])
        if path:
            return Path(server.root_dir or server.notebook_dir) / path
    return None


def _read_servers(folder: Path) -> Iterator[Server]:
    for pattern in SERVER_FILES:
        for path in sorted(folder.glob(pattern)):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                yield msgspec.json.decode(path.read_bytes(), type=Server)


def _ask(server: Server, limit_s: float) -> Any:
    """Return the server's list of sessions, None where it does not give it in time."""
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(server.url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            return None
        connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=limit_s)
        try:
            headers = {"Authorization": f"token {server.token}"} if server.token else {}
            connection.request("GET", f"{parts.path.rstrip('/')}/api/sessions", headers=headers)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
        return msgspec.json.decode(body) if response.status == 200 else None  # noqa: PLR2004
    except (OSError, ValueError, HTTPException, msgspec.DecodeError):
        return None


def _find_path(sessions: Any, kernel_id: str) -> str | None:
    for session in sessions if isinstance(sessions, list) else ():
        if not isinstance(session, dict) or not isinstance(session.get("kernel"), dict):
            continue
        if session["kernel"].get("id") == kernel_id:
            notebook = session.get("notebook")
            older = notebook.get("path") if isinstance(notebook, dict) else None
            path = session.get("path") or older
            return path if isinstance(path, str) else None
    return None
