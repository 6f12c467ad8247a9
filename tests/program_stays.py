"""For programs that tests start: stay until a signal comes, without missing one."""

from __future__ import annotations

import select
import signal
import socket


def stay() -> None:
    """Print "up", then wait for ever.

    A signal that arrives just before `time.sleep` begins is handled when it ends, a minute later;
    a byte in a socket wakes `select` whenever it was written.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    print("up", flush=True)
    while True:
        select.select([reader], [], [])
