"""What a running server holds: store, ingestor, intake, and the threads that work for requests.

The event loop only moves bytes. Queries run on `readers` threads (the store gives each its own
client), all inserts on the ingestor's one writer thread. Large bodies are prepared by `decoders`
processes, each with threads that wait for it; small ones here, so that none waits behind a large
one.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from whence.entities import experiment_id_of
from whence.errors import UnavailableError, WhenceError
from whence.ingest.ingestor import Ingestor
from whence.ingest.intake import Intake
from whence.ingest.prepare import prepare
from whence.ingest.processes import ASKED_AT_ONCE, Processes
from whence.ingest.rollups import Roller
from whence.otlp.compression import IDENTITY
from whence.server.activity import Activity
from whence.server.body import Budget
from whence.server.outbox import Outbox
from whence.server.watcher import Watcher
from whence.store.connection import open_store
from whence.store.time_limit import limit_time
from whence.store.watchers import Leadership

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from whence.ingest.header import Header
    from whence.ingest.ingestor import IngestResult
    from whence.ingest.moved import Refused
    from whence.ingest.prepare import Envelope, Prepared
    from whence.otlp.records import ResourceSpans
    from whence.server.settings import Settings
    from whence.store.connection import Store

P = ParamSpec("P")
T = TypeVar("T")
SPOOL_NAME = "spool"
EDITORS = 16  # they only wait; the writer takes the changes of all in one group
SMALL_DECODERS = 2  # threads for bodies that are not worth the way to another process
LARGE_BYTES, LARGE_COMPRESSED_BYTES = 32 << 10, 4 << 10
DURABLE_WAIT_S = 60.0  # how long a request waits for its spans to be durable
READY_WAIT_S = 10.0  # how long a health check waits for the engine
RETRY_AFTER_S = 5.0
SPARE_READERS = 2  # for the writer's own questions and for health checks
VERSION = version("whence")


class Services:
    """Owns everything that must be closed when the server leaves."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        ingestor: Ingestor,
        intake: Intake | None,
        roller: Roller,
        outbox: Outbox | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.ingestor = ingestor
        self.intake = intake
        self.roller = roller
        self._outbox = outbox
        self._watcher = watcher
        self.activity = Activity()
        self._spooled_spans = 0
        self.budget = Budget(settings.max_inflight_bytes)
        self.leaving = asyncio.Event()  # set when the server stops: listeners of the tail end
        self._readers = ThreadPoolExecutor(settings.readers, thread_name_prefix="whence-reader")
        self._editors = ThreadPoolExecutor(EDITORS, thread_name_prefix="whence-editor")
        self._health = ThreadPoolExecutor(1, thread_name_prefix="whence-health")
        self._decoders = ThreadPoolExecutor(SMALL_DECODERS, thread_name_prefix="whence-decoder")
        self._processes = Processes(settings.decoder_processes)
        self._askers = ThreadPoolExecutor(
            ASKED_AT_ONCE * max(1, settings.decoder_processes), thread_name_prefix="whence-asker"
        )

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on a reader thread, within the time that queries may take."""

        def run() -> T:
            with limit_time(self.settings.query_seconds):
                return function(*args, **kwargs)

        return await asyncio.wrap_future(self._readers.submit(run))

    async def edit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a change that ends when it is durable, on a thread that may wait for it."""
        return await asyncio.wrap_future(self._editors.submit(function, *args, **kwargs))

    async def decode(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run decoding work on a decoder thread."""
        return await asyncio.wrap_future(self._decoders.submit(function, *args, **kwargs))

    async def store_body(self, body: bytes, envelope: Envelope) -> IngestResult:
        """Store the spans of a request's body; returns when they are durable."""

        def submit() -> Future[IngestResult]:
            return self.ingestor.submit_prepared(take(body, envelope))

        threads, take = self._choose(body, envelope)
        return await self._settle(await asyncio.wrap_future(threads.submit(submit)))

    async def store_moved(
        self, headers: list[Header], body: bytes, envelope: Envelope
    ) -> tuple[IngestResult, list[Refused]]:
        """Store what another store had of traces, and their spans; returns when all is durable.

        Spans that can't be read fail the whole call before anything of it is stored.
        """

        def submit() -> tuple[Future[IngestResult], Future[list[Refused]]]:
            prepared = take(body, envelope)  # first, so that both go into one group
            refused = self.ingestor.submit_moved(headers)
            return self.ingestor.submit_prepared(prepared), refused

        threads, take = self._choose(body, envelope)
        stored, refused = await asyncio.wrap_future(threads.submit(submit))
        return await self._settle(stored), await self._settle(refused)

    def _choose(
        self, body: bytes, envelope: Envelope
    ) -> tuple[ThreadPoolExecutor, Callable[[bytes, Envelope], Prepared]]:
        """Return where a body is prepared, and by what."""
        large = LARGE_BYTES if envelope.encoding == IDENTITY else LARGE_COMPRESSED_BYTES
        if len(body) < large:
            return self._decoders, prepare
        return self._askers, self._processes.prepare

    async def store_header(self, header: Header) -> IngestResult:
        """Store what an MLflow client says of a trace; returns when it is durable.

        Raises ConflictError where it contradicts what is stored.
        """
        return await self._settle(await self.decode(self.ingestor.submit_header, header))

    async def store_groups(
        self, groups: list[ResourceSpans], experiment_id: str | None
    ) -> IngestResult:
        """Store spans that are decoded already; returns when they are durable."""
        submitted = await self.decode(self.ingestor.submit, groups, experiment_id=experiment_id)
        return await self._settle(submitted)

    async def _settle(self, stored: Future[T]) -> T:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(_mirror(stored)), DURABLE_WAIT_S)
        except asyncio.TimeoutError:  # the spans may still be stored: a second time does no harm
            raise UnavailableError(
                f"the spans were not on the disk within {DURABLE_WAIT_S:.0f} s; the log of the "
                "server says what it waits for; send them again",
                retry_after_s=RETRY_AFTER_S,
            ) from None

    async def why_not_ready(self) -> str | None:
        """Return why the store can't take traces now, or None."""
        if self.leaving.is_set():
            return "the server is stopping"
        try:
            asked = asyncio.wrap_future(self._health.submit(self.store.ready))
            await asyncio.wait_for(asked, READY_WAIT_S)
        except WhenceError as error:
            return error.message
        except asyncio.TimeoutError:
            return f"the store did not answer within {READY_WAIT_S:.0f} s"
        return None

    @property
    def outbox(self) -> Outbox:
        """Where messages about findings are kept and sent."""
        if self._outbox is None:
            raise UnavailableError("this server sends nothing", retry_after_s=RETRY_AFTER_S)
        return self._outbox

    def idle_s(self) -> float:
        """Return for how long there has been no request, and nothing in the spool."""
        if self.intake is not None and self.intake.stats.spans != self._spooled_spans:
            self._spooled_spans = self.intake.stats.spans
            self.activity.touch()
        return self.activity.idle_s()

    def close(self) -> None:
        """Finish what was accepted; the engine itself is left to the end of the process."""
        if self._watcher is not None:
            self._watcher.close()
        if self._outbox is not None:
            self._outbox.close()
        if self.intake is not None:
            self.intake.close()
        self.ingestor.close()
        self.roller.close()
        for threads in (
            self._readers,
            self._editors,
            self._health,
            self._decoders,
            self._askers,
        ):
            threads.shutdown(wait=False, cancel_futures=True)
        self._processes.close()


def _mirror(future: Future[T]) -> Future[T]:
    """Return a future that ends as the other one does, which stays when this one is cancelled.

    A job that nobody waits for any more is still in the queue, and counts there until it is done.
    """
    mirror: Future[T] = Future()

    def copy(done: Future[T]) -> None:
        if not mirror.set_running_or_notify_cancel():
            return
        error = done.exception()
        if error is None:
            mirror.set_result(done.result())
        else:
            mirror.set_exception(error)

    future.add_done_callback(copy)
    return mirror


def open_services(settings: Settings, directory: Path | None) -> Services:
    """Open the store and start what feeds it; `directory` is None for a store behind a URL."""
    store = open_store(
        settings.store,
        readers=settings.readers + SPARE_READERS,
        memory_bytes=settings.memory_bytes,
        disk_reserve_bytes=settings.disk_reserve_bytes,
    )
    given = settings.default_experiment
    experiment_id = given if given.isdigit() else experiment_id_of(given)
    ingestor = Ingestor(
        store,
        default_experiment_id=experiment_id,
        environment_aliases=settings.aliases,
        max_queue_bytes=settings.max_queue_bytes,
    )
    if not given.isdigit():
        ingestor.create_experiment(given)
    intake = None if directory is None else Intake(ingestor, directory / SPOOL_NAME)
    roller = Roller(store)
    outbox = Outbox(
        store,
        Leadership(store, "sends"),
        private=settings.webhook_private,
        public_url=settings.public_url,
    )
    watcher = None
    if settings.watch:
        seconds = settings.query_seconds
        leadership = Leadership(store, "watches")
        watcher = Watcher(store, ingestor, outbox, leadership, query_seconds=seconds)
    return Services(settings, store, ingestor, intake, roller, outbox, watcher)
