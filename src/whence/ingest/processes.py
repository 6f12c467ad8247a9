"""The server's side of the processes that prepare requests: who is asked, and what if it dies.

A process is started when it is first needed. It has one request at work and one behind it, which
lies in its pipe already, so that it never waits for this process's threads. One that dies costs
nobody anything: what it was asked is prepared here, and the next request starts another.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from whence import errors
from whence.ingest.parcel import PREPARED, REFUSED, REQUEST, read_frame, unpack, write_frame
from whence.ingest.prepare import Envelope, Prepared, prepare

if TYPE_CHECKING:
    from typing_extensions import Self

ASKED_AT_ONCE = 2  # requests that one process has: one at work, one behind it
PIPE_BYTES = 1 << 20
RETRY_S = 5.0  # after a process could not be started
END_WAIT_S = 5.0

_COMMAND = (sys.executable, "-m", "whence.ingest.preparing")
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


class Process:
    """One process. `ask` may be called by several threads: each waits for its answer in turn."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        self.asked = 0  # requests under way; for `Processes`
        self.ended = False
        asks, self._asks = os.pipe()
        self._answers, answers = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                _COMMAND,
                stdin=asks,
                stdout=answers,
                env=_name_modules(),
                start_new_session=True,
            )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(asks)
            os.close(answers)
        for pipe in (self._asks, self._answers):
            _widen(pipe)
        self._sending = threading.Lock()
        self._last = threading.Lock()  # held by the thread whose answer comes last

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, envelope: bytes, body: bytes) -> tuple[int, bytearray, bytearray]:
        """Return the frame that answers; OSError or EOFError where the process died."""
        mine = threading.Lock()
        mine.acquire()
        try:
            with self._sending:
                before, self._last = self._last, mine
                try:
                    write_frame(self._asks, REQUEST, envelope, body)
                except BaseException:  # half a frame may be on its way: nothing after it is good
                    self._process.kill()
                    with before:
                        raise
            with before:
                return read_frame(self._answers)
        finally:
            mine.release()

    def end(self) -> int | None:
        """End it, so that whoever waits for an answer sees an EOFError; return its status."""
        self.ended = True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_WAIT_S)
        return self._process.returncode

    def close(self) -> None:
        """Close its pipes, once nobody asks any more."""
        for pipe in (self._asks, self._answers):
            os.close(pipe)


class Processes:
    """Prepares requests in processes, up to `count` of them; with 0 it does so by itself."""

    def __init__(self, count: int) -> None:
        """Start nothing yet."""
        self._count = count
        self._running: list[Process] = []
        self._lock = threading.Lock()
        self._closed = False
        self._retry_at = 0.0

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        with self._lock:
            return [process.pid for process in self._running]

    def prepare(self, body: bytes, envelope: Envelope) -> Prepared:
        """Do what `prepare.prepare` does, in another process where there is one."""
        process = self._take()
        if process is None:
            return prepare(body, envelope)
        try:
            kind, first, second = process.ask(_encode(envelope), body)
        except (OSError, EOFError):
            self._drop(process)
            return prepare(body, envelope)
        finally:
            self._give_back(process)
        if kind == PREPARED:
            return unpack(first, second)
        if kind == REFUSED:
            raise getattr(errors, first.decode())(second.decode())
        return prepare(body, envelope)  # what went wrong there is seen here

    def close(self) -> None:
        """End the processes. What is asked later is prepared here."""
        with self._lock:
            self._closed = True
            ending, self._running = self._running, []
            for process in ending:
                process.end()
                if not process.asked:
                    process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> Process | None:
        """Return the process to ask: an idle one, else a new one, else the least busy one."""
        with self._lock:
            least = min(self._running, key=lambda one: one.asked, default=None)
            if (least is None or least.asked) and len(self._running) < self._count:
                least = self._start() or least
            if least is not None:
                least.asked += 1
            return least

    def _start(self) -> Process | None:
        if self._closed or time.monotonic() < self._retry_at:
            return None
        try:
            process = Process()
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_S
            _log.warning("no process to prepare requests could be started: %s", error)
            return None
        self._running.append(process)
        return process

    def _give_back(self, process: Process) -> None:
        with self._lock:
            process.asked -= 1
            if process.ended and not process.asked:
                process.close()

    def _drop(self, process: Process) -> None:
        with self._lock:
            if process not in self._running:
                return
            self._running.remove(process)
            status = process.end()
        _log.warning(
            "the process %d that prepared requests ended with status %s; what it was asked is "
            "prepared here, and another one will be started",
            process.pid,
            status,
        )


def _name_modules() -> dict[str, str]:
    """Return an environment in which Python finds the modules that it finds here, and no others."""
    places = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": places, "PYTHONSAFEPATH": "1"}


def _widen(pipe: int) -> None:
    """Let a pipe hold a whole request, where the system can; it is slower without, and works."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
