"""Hears SIGTERM while the main thread can't.

Python runs the handlers of signals in the main thread, between two of its instructions: a call
into C that takes minutes (numpy, torch, hashlib) delays them by minutes. A signal without a
handler ends a process at once, and the SDK's handler must not take that away. So a thread waits
for the byte that Python writes into the wakeup fd the moment a signal comes
(`signal.set_wakeup_fd`), leaves the main thread `PATIENCE_S` to begin with its handler, and acts
in its place if it has not.

The bytes come through a socket that names the process of each: a forked child shares it until it
has let go of it, and its signals are none of ours.

Limits: Linux only; a call that keeps the interpreter's lock keeps us waiting as well. Nobody
listens where the wakeup fd is taken, where a library is installed that warns of a taken one
(`JEALOUS`), under a monkey-patched `_thread` (gevent), and in process 1, which the kernel spares.
An event loop that sets its own fd later replaces ours; its thread is in the loop, not in C.
"""

from __future__ import annotations

import _socket
import _thread
import contextlib
import os
import signal
import sys
from importlib.machinery import PathFinder
from time import sleep
from typing import TYPE_CHECKING

from whence.sdk import diagnostics
from whence.sdk.delivery.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

PATIENCE_S = 0.2
JEALOUS = ("trio", "curio")
CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid


class Watcher:
    """Owns the thread `whence-sigterm` and the socket pair; `act` is called in that thread."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._reader, self._writer = _socket.socketpair()

    def listen(self) -> bool:
        """Begin, in the main thread; False where the wakeup fd is taken. May raise OSError."""
        self._reader.settimeout(None)  # whatever `socket.setdefaulttimeout` says
        self._reader.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        self._writer.setblocking(False)
        previous = _exchange_wakeup_fd(self._writer.fileno())
        if previous != -1:
            _put_back(previous)
            return False
        try:
            Worker(self._run, "whence-sigterm")
        except RuntimeError:  # the interpreter is going down
            _put_back(-1)
            return False
        return True

    def close(self) -> None:
        """Give the sockets up, where nobody listens."""
        self._reader.close()
        self._writer.close()

    def abandon(self) -> None:
        """In a forked child, where the thread does not exist: let go of what is the parent's."""
        previous = _exchange_wakeup_fd(-1)
        if previous in (-1, self._writer.fileno()):
            self.close()
        else:  # an event loop's, which may put ours back when it ends: it must stay valid
            _put_back(previous)
            self._reader.detach()
            self._writer.detach()

    def _run(self) -> None:
        try:
            while True:
                numbers, notes, _, _ = self._reader.recvmsg(
                    64, _socket.CMSG_SPACE(CREDENTIALS_BYTES)
                )
                if not numbers:
                    return
                if signal.SIGTERM in numbers and _find_sender(notes) == os.getpid():
                    sleep(PATIENCE_S)
                    self._act()
        except Exception as error:  # noqa: BLE001 - the program goes on without us
            diagnostics.caught("watching for SIGTERM", error)


def open_watcher(act: Callable[[], None]) -> Watcher | None:
    """Call `act` `PATIENCE_S` after each SIGTERM. Only in the main thread.

    None where nobody can listen without getting into somebody's way.
    """
    is_patched = not isinstance(_thread.start_new_thread, type(len))
    if not hasattr(_socket, "SO_PASSCRED") or is_patched or os.getpid() == 1:
        return None
    try:
        if any(name in sys.modules or PathFinder.find_spec(name) for name in JEALOUS):
            return None
        watcher = Watcher(act)
    except Exception:  # noqa: BLE001 - such as no file descriptor left
        return None
    is_listening = False
    with contextlib.suppress(OSError, ValueError):  # not the main interpreter
        is_listening = watcher.listen()
    if not is_listening:
        watcher.close()
    return watcher if is_listening else None


def die_of_sigterm(guard: AbstractContextManager[None]) -> None:
    """End the process as SIGTERM does by default, from any thread.

    `signal.signal` is for the main thread only, C's own is not. `guard` is entered while modules
    are imported. Without `ctypes` the process exits with the code that shells give to SIGTERM.
    """
    try:
        with guard:
            import ctypes
        set_handler = ctypes.CDLL(None).signal
        set_handler.argtypes, set_handler.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        set_handler(signal.SIGTERM, None)  # SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)
        sleep(1)  # it may come in another thread
    finally:
        os._exit(128 + signal.SIGTERM)


def _exchange_wakeup_fd(fd: int) -> int:
    """Set it and return the one before; a full buffer goes unmentioned."""
    return signal.set_wakeup_fd(fd, warn_on_full_buffer=False)


def _put_back(fd: int) -> None:
    try:
        _exchange_wakeup_fd(fd)
    except (OSError, ValueError):  # its owner has closed it
        _exchange_wakeup_fd(-1)


def _find_sender(notes: list[tuple[int, int, bytes]]) -> int:
    """Return the process that wrote, 0 where nobody knows."""
    for level, kind, data in notes:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_CREDENTIALS):
            return int.from_bytes(data[:4], sys.byteorder)
    return 0
