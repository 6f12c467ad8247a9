"""Letting a forked child end, although its parent has the engine open.

The engine's threads stay with the parent. In the child, whatever waits for one of them waits for
ever: closing a client, a connection's destructor, the library's own clean-up at exit. A child that
ends by `os._exit` (as `multiprocessing` does) meets none of it; one that returns normally would
hang. So the child forgets its clients without closing them, and leaves before the library's
clean-up, with its own exit status and after Python has flushed its files.

Limits: needs glibc's `on_exit`; elsewhere such a child must end by `os._exit`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_lock_files: set[str] = set()


def guard_client(client: Client, lock_file: Path) -> None:
    """Remember an embedded client and its engine's lock, so that a forked child can forget them."""
    _clients.add(client)
    _lock_files.add(str(lock_file))


def _forget_clients() -> None:
    clients = list(_clients)
    for client in clients:
        backend = getattr(client, "_backend", None)
        release = getattr(backend, "_release", None)
        if release is not None:
            release.detach()
        # Never freed: the connection's destructor would wait for the engine's threads.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(getattr(backend, "_handle", None)))
    if clients:
        # Run first at exit, with the status as its first argument; no Python code is left by then.
        with contextlib.suppress(AttributeError):
            libc = ctypes.CDLL(None)
            libc.on_exit(libc._exit, None)  # noqa: SLF001 - a C function of that name
        _close_lock_files()


def _close_lock_files() -> None:
    with contextlib.suppress(FileNotFoundError):
        for entry in list(Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(OSError):
                if str(entry.readlink()) in _lock_files:
                    os.close(int(entry.name))


os.register_at_fork(after_in_child=_forget_clients)
