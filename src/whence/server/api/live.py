"""The live tail: server-sent events, `data: <trace>` for each trace that is created or changed.

Changes are gathered while a listener is served, so a trace that changes often is sent once with its
newest state. A listener too slow for `live_queue` waiting traces misses the oldest ones. A comment
is sent at the start and every `HEARTBEAT_S`, which keeps proxies from closing the connection and
tells a listener that left.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from whence.query.search import MAX_MAX_RESULTS, search_traces
from whence.server.openapi import refusals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from whence.query.views import TraceInfo
    from whence.server.services import Services

HEARTBEAT_S = 15.0
COMMENT = b": whence\n\n"
EVENT_STREAM = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def live_router(services: Services) -> APIRouter:
    """Stream changed traces. Include this router before the one that reads a trace by its id."""
    router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

    @router.get(
        "/live",
        operation_id="tail_traces",
        response_class=StreamingResponse,
        responses={
            200: {"description": "Events", "content": {EVENT_STREAM: {}}},
            **refusals(),
        },
    )
    async def tail_traces(
        filter_string: Annotated[str, Query(alias="filter")] = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        tail = _Tail(services, filter_string, tuple(experiment_id or ()))
        await services.read(tail.find, [])  # a wrong filter is an answer, not a broken stream
        return StreamingResponse(tail.events(), media_type=EVENT_STREAM, headers=HEADERS)

    return router


class _Tail:
    """One listener: which traces wait for it, and which of them it wants."""

    def __init__(
        self, services: Services, filter_string: str, experiment_ids: tuple[str, ...]
    ) -> None:
        self._services = services
        self._filter_string = filter_string
        self._experiment_ids = experiment_ids
        self._waiting: dict[str, None] = {}  # trace ids, the longest waiting first
        self._news = asyncio.Event()

    def find(self, trace_ids: list[str]) -> list[TraceInfo]:
        """Return those of the traces that the listener wants; runs on a reader thread."""
        page = search_traces(
            self._services.store,
            trace_ids=trace_ids,
            filter_string=self._filter_string,
            experiment_ids=self._experiment_ids,
            order_by=["timestamp ASC"],
            max_results=MAX_MAX_RESULTS,
            environment_aliases=self._services.settings.aliases,
        )
        return page.traces

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events until the listener or the server leaves."""
        loop = asyncio.get_running_loop()

        def hear(trace_ids: list[str]) -> None:  # in the writer's thread
            loop.call_soon_threadsafe(self._add, trace_ids)

        unsubscribe = self._services.ingestor.subscribe(hear)
        leaving = asyncio.ensure_future(self._services.leaving.wait())
        try:
            yield COMMENT
            while not leaving.done():
                if not await self._wait(leaving):
                    yield COMMENT
                    continue
                for info in await self._services.read(self.find, self._take()):
                    yield b"data: " + msgspec.json.encode(info) + b"\n\n"
        finally:
            leaving.cancel()
            unsubscribe()

    async def _wait(self, leaving: asyncio.Future[Literal[True]]) -> bool:
        """Wait for news, or the end; False after `HEARTBEAT_S` of silence."""
        news = asyncio.ensure_future(self._news.wait())
        try:
            done, _ = await asyncio.wait(
                (news, leaving), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            news.cancel()
        return bool(done)

    def _add(self, trace_ids: list[str]) -> None:
        self._waiting.update(dict.fromkeys(trace_ids))
        while len(self._waiting) > self._services.settings.live_queue:
            del self._waiting[next(iter(self._waiting))]
        self._news.set()

    def _take(self) -> list[str]:
        """Take as many ids as one search answers."""
        taken = list(self._waiting)[:MAX_MAX_RESULTS]
        for trace_id in taken:
            del self._waiting[trace_id]
        if not self._waiting:
            self._news.clear()
        return taken
