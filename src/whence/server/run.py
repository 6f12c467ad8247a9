"""The server's process: from settings to exit code.

A server whose store directory is removed or replaced leaves, and has written nothing meanwhile.

Order of a start: bind the address, open the store, answer requests, then write `server.json`.
Order of an end (SIGTERM, SIGINT, or idle): remove `server.json`, stop listening, answer what was
accepted (each once it is durable), close the ingestor, and leave by `os._exit`, because a Python
clean-up inside the engine can hang or crash (it is built to be killed, and so are its tables).
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import math
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from whence.errors import WhenceError
from whence.server.app import create_app
from whence.server.collector import calm_collector
from whence.server.log import configure_log
from whence.server.presence import Presence, url_of
from whence.server.services import VERSION, open_services

if TYPE_CHECKING:
    from whence.server.services import Services
    from whence.server.settings import Settings

IDLE_CHECK_S = 1.0
PLACE_CHECK_S = 0.5
CLOSE_WAIT_S = 60.0
_log = logging.getLogger(__name__)
KEEP_ALIVE_S = 75


def run_server(settings: Settings) -> NoReturn:
    """Serve until told to stop; ends the process."""
    configure_log(settings.log_level, access=settings.access_log)
    _answer_signal()
    code = 1
    try:
        code = _serve(settings)
    except WhenceError as error:
        print(f"whence server: {error.message}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:  # while the store was being opened
        code = 130
    except BaseException:  # noqa: BLE001 - os._exit would hide it
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # nobody reads it any more, or ever did
            stream.flush()
    os._exit(code)


def _serve(settings: Settings) -> int:
    directory = local_directory(settings.store)
    listener = _listen(settings)
    services = open_services(settings, directory)
    calm_collector()
    presence = None if directory is None else Presence(directory)
    # uvicorn raises the signal again when it is done; by then there is nothing left to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        _Server(services, presence, listener).run(sockets=[listener])
    finally:
        if presence is not None:
            presence.withdraw()
        failures = _close(services)
    return 1 if failures else 0


def _answer_signal() -> None:
    """Say at SIGUSR1 what every thread is doing, where there is such a signal and a stream."""
    if hasattr(faulthandler, "register"):
        with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):
            faulthandler.register(signal.SIGUSR1)


def _close(services: Services) -> list[BaseException]:
    """Close, or give up where the engine doesn't answer: nothing that was acknowledged is lost.

    Returns what went wrong, which is logged.
    """
    failures: list[BaseException] = []

    def close() -> None:
        try:
            services.close()
        except BaseException as error:  # noqa: BLE001 - a thread would only print it
            _log.exception("the store could not be closed")
            failures.append(error)

    closing = threading.Thread(target=close, name="whence-close", daemon=True)
    closing.start()
    closing.join(CLOSE_WAIT_S)
    if closing.is_alive():
        _log.error("the store could not be closed within %.0f s; leaving", CLOSE_WAIT_S)
    return failures


def local_directory(store: str) -> Path | None:
    """Return the directory of a local store, or None for a store behind a URL."""
    return None if "://" in store else Path(store).expanduser().resolve()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it every answer
    # on a kept connection waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise WhenceError(
            f"can't listen on {where}: {error.strerror}; choose another --port (0 picks a free one)"
        ) from None
    return listener


class _Server(uvicorn.Server):
    """uvicorn, with our beginning and end."""

    def __init__(
        self, services: Services, presence: Presence | None, listener: socket.socket
    ) -> None:
        settings = services.settings
        config = uvicorn.Config(
            create_app(services),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),
        )
        super().__init__(config)
        self._services = services
        self._presence = presence
        self._port = int(listener.getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        settings = self._services.settings
        url = url_of(settings.host, self._port)
        if self._presence is not None:
            self._presence.announce(host=settings.host, port=self._port, store=settings.store)
        print(f"whence {VERSION} is ready at {url}, store {self._services.store.url}", flush=True)  # noqa: T201
        if self._presence is not None:
            self._place_watch = asyncio.create_task(self._leave_when_removed())
        if settings.idle_exit_s is not None:
            self._idle_watch = asyncio.create_task(self._leave_when_idle(settings.idle_exit_s))

    async def _leave_when_removed(self) -> None:
        """Leave the directory's name to its next owner, once somebody removed the directory."""
        while not self.should_exit:
            try:
                self._services.store.check_place()
            except WhenceError as error:
                _log.error("%s; leaving", error.message)
                self.should_exit = True
            await asyncio.sleep(PLACE_CHECK_S)

    async def _leave_when_idle(self, idle_exit_s: float) -> None:
        while not self.should_exit:
            left_s = idle_exit_s - self._services.idle_s()
            if left_s <= 0:
                self.should_exit = True
            else:
                await asyncio.sleep(min(left_s, IDLE_CHECK_S))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Withdraw first, end the listeners of the live tail, then let requests finish."""
        if self._presence is not None:
            self._presence.withdraw()
        self._services.leaving.set()
        await super().shutdown(sockets=sockets)
