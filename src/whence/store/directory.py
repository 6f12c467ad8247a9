"""The directory of a local store, and the lock that keeps it to one process.

`server.lock` is held by `flock` for as long as the store is open and names the holder's pid; the
kernel lets go of it when the process dies, however it dies. A forked child drops its copy of the
descriptor, so that it can't keep the directory locked after its parent has gone.

Limits: a network file system without `flock` gives no protection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from typing import TYPE_CHECKING

import msgspec

from whence.errors import StoreError, StoreInUseError
from whence.otlp.store_folder import make_store_folder

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "server.lock"
SERVER_FILE = "server.json"

_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


class _ServerFile(msgspec.Struct):
    """The part of `server.json` that names the holder."""

    pid: int
    url: str = ""


class DirectoryLock:
    """The exclusive right to a store's directory, from `DirectoryLock(path)` to `close()`."""

    def __init__(self, directory: Path) -> None:
        """Create the directory when it is missing, and lock it.

        Raises StoreInUseError with the holder's pid, StoreError when the directory can't be used.
        """
        self._descriptor: int | None = None
        self._path = directory / LOCK_FILE
        try:
            make_store_folder(directory)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"can't use {directory} as a store: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StoreInUseError(_describe_holder(directory)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        _held.add(self)

    def is_in_place(self) -> bool:
        """Tell whether the directory is the one that was locked: not removed, not replaced."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False
        except OSError:  # nobody can tell; what is written will say so
            return True

    def close(self) -> None:
        """Let go of the directory; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _describe_holder(directory: Path) -> str:
    server = _ServerFile(pid=0)
    with contextlib.suppress(OSError, msgspec.DecodeError):
        server = msgspec.json.decode((directory / SERVER_FILE).read_bytes(), type=_ServerFile)
    pid = str(server.pid or "unknown")
    with contextlib.suppress(OSError):
        pid = (directory / LOCK_FILE).read_text().strip() or pid
    if pid == str(os.getpid()):
        return f"this process has already opened the store {directory}; share that `Store`"
    where = f", a Whence server at {server.url}" if server.url and pid == str(server.pid) else ""
    return (
        f"the store {directory} is held by process {pid}{where}; "
        "read through that server, or stop it first"
    )


def _drop_in_child() -> None:
    for lock in list(_held):
        lock.close()


os.register_at_fork(after_in_child=_drop_in_child)
