"""The server's side of the processes that prepare requests: who is asked, and what if it dies.

A process is started when it is first needed. It has one request at work and one behind it, which
lies in its pipe already, so that it never waits for this process's threads. One that dies keeps
nothing from anybody: what it was asked is prepared here, and the next request starts another. Only
a large body that it was killed over is refused, because it might kill the server too.

The processes import the files of this program as they are now. Where those are of another version
than what runs here, as after an upgrade in place, everything is prepared here.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import select
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from whence import errors
from whence.ingest.parcel import (
    OTHER_FORM,
    PREPARED,
    REFUSED,
    REQUEST,
    name_form,
    read_frame,
    unpack,
    write_frame,
)
from whence.ingest.prepare import Envelope, Prepared, prepare
from whence.otlp.compression import IDENTITY

if TYPE_CHECKING:
    from typing_extensions import Self

ASKED_AT_ONCE = 2  # requests that one process has: one at work, one behind it
PIPE_BYTES = 1 << 20
RETRY_S = 5.0  # after a process could not be started, or never answered; twice as long each time
MAX_RETRY_S = 60.0
MAX_RISKED_BYTES = 1 << 20  # of a body that is prepared here after a process was killed over it
END_WAIT_S = 5.0

_PROGRAM = (
    "import sys; form = sys.argv[1]; sys.path[:] = sys.argv[2:]; "
    "from whence.ingest.preparing import main; main(form)"
)
_COMMAND = (sys.executable, "-I", "-c", _PROGRAM)
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


class Process:
    """One process. `ask` may be called by several threads: each waits for its answer in turn."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        self.asked = 0  # requests under way; for `Processes`
        self.ended = False
        self.has_answered = False
        self.was_killed = False  # by a signal that was not ours
        asks, self._asks = os.pipe()
        try:
            self._answers, answers = os.pipe()
        except OSError:
            os.close(asks)
            os.close(self._asks)
            raise
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [*_COMMAND, name_form(), *(place for place in sys.path if place)],
                stdin=asks,
                stdout=answers,
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
        self._ending = threading.Lock()
        self._last = threading.Lock()  # held by the thread whose answer comes last

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, envelope: bytes, body: bytes) -> tuple[int, bytearray, bytearray]:
        """Return the frame that answers.

        OSError where the process died before it had all of the request, EOFError where later.
        """
        mine = threading.Lock()
        mine.acquire()
        try:
            with self._sending:
                before, self._last = self._last, mine
                try:
                    write_frame(self._asks, REQUEST, envelope, body)
                except BaseException:  # half a frame may be on its way: nothing after it is good
                    self.end()
                    with before:
                        raise
            with before:
                frame = read_frame(self._answers)
                self.has_answered = True
                return frame
        finally:
            mine.release()

    def end(self) -> int | None:
        """End it, so that whoever waits for an answer sees an EOFError; return its status."""
        with self._ending:
            if self.ended:
                return self._process.returncode
            self.ended = True
            died = _has_hung_up(self._answers)
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_WAIT_S)
            self.was_killed = died and (self._process.returncode or 0) < 0
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
        self._failures = 0  # processes in a row that could not be started, or never answered

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        with self._lock:
            return [process.pid for process in self._running]

    def prepare(self, body: bytes, envelope: Envelope) -> Prepared:
        """Do what `prepare.prepare` does, in another process where there is one.

        Raises UnavailableError, too, for a large body that a process was killed over.
        """
        process = self._take()
        if process is None:
            return prepare(body, envelope)
        try:
            kind, first, second = process.ask(_encode(envelope), body)
        except OSError:
            self._drop(process)
            return prepare(body, envelope)
        except EOFError:
            self._drop(process)
            if process.was_killed and _is_risky(body, envelope):
                raise errors.UnavailableError(
                    "the process that decoded the request was killed, for want of memory perhaps; "
                    "send smaller batches",
                    retry_after_s=RETRY_S,
                ) from None
            return prepare(body, envelope)
        finally:
            self._give_back(process)
        if kind == PREPARED:
            try:
                return unpack(first, second)
            except Exception:  # noqa: BLE001 - whatever it is, the request can be prepared here
                _log.exception("what the process %d prepared can't be read", process.pid)
                process.has_answered = False  # nothing that could be read
                self._drop(process)
        if kind == REFUSED and (refusal := getattr(errors, first.decode(), None)) is not None:
            raise refusal(second.decode())
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
            self._pause()
            _log.warning("no process to prepare requests could be started: %s", error)
            return None
        self._running.append(process)
        return process

    def _pause(self) -> None:
        """Start none for a while, which is the longer the more often it failed."""
        self._retry_at = time.monotonic() + min(RETRY_S * 2**self._failures, MAX_RETRY_S)
        self._failures = min(self._failures + 1, 10)

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
            if status == OTHER_FORM:
                self._retry_at = math.inf
            elif process.has_answered:
                self._failures = 0
            else:
                self._pause()
        if status == OTHER_FORM:
            _log.warning(
                "the files of Whence are of another version than this server, which prepares "
                "large requests by itself until it is started again"
            )
            return
        _log.warning(
            "the process %d that prepared requests ended with status %s; what it was asked is "
            "prepared here, and another one will be started",
            process.pid,
            status,
        )


def _is_risky(body: bytes, envelope: Envelope) -> bool:
    """Tell whether a body may be what a process died of; a compressed one says not how large."""
    return envelope.encoding != IDENTITY or len(body) > MAX_RISKED_BYTES


def _has_hung_up(pipe: int) -> bool:
    """Tell whether nobody writes to a pipe any more."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def _widen(pipe: int) -> None:
    """Let a pipe hold a whole request, where the system can; it is slower without, and works."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
