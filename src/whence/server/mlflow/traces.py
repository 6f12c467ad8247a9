"""Read traces: one or many, with their spans or without.

A trace is answered with what has arrived of it. Where its client says that there are more spans,
and the trace has only just ended, a question for the whole trace waits up to `WAIT_S` for them,
without holding a thread.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from whence import semconv
from whence.errors import InvalidInputError, NotFoundError
from whence.ingest.jsontext import from_json
from whence.query.views import read_infos, read_spans_of, read_trace
from whence.server.mlflow.infos import NS_PER_MS, WireInfo, write_info
from whence.server.mlflow.requests import read_fields
from whence.server.mlflow.routes import V3
from whence.server.mlflow.spans import write_span
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from whence.query.views import TraceInfo, TraceView
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

WAIT_S = 1.0
RECENT_MS = 60_000
MAX_IDS = 500


class WireTrace(msgspec.Struct, frozen=True):
    """A trace; `spans` only where they were asked for."""

    trace_info: WireInfo
    spans: list[dict[str, Any]] | UnsetType = UNSET


class OneTrace(msgspec.Struct, frozen=True):
    """The answer to a question about one."""

    trace: WireTrace


class ManyTraces(msgspec.Struct, frozen=True, omit_defaults=True):
    """The traces that are there, in the order of the ids."""

    traces: list[WireTrace] = []


class ManyInfos(msgspec.Struct, frozen=True, omit_defaults=True):
    """The same without spans."""

    trace_infos: list[WireInfo] = []


def add_traces(routes: Routes, services: Services) -> None:
    """Answer what is asked of traces. Fixed paths come before `/traces/{trace_id}`."""

    async def get_trace(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_id = fields.need_text("trace_id")
        view = await read_whole(services, trace_id, wait=not fields.flag("allow_partial"))
        return await services.read(_answer_trace, view, request.headers)

    async def get_many(request: Request) -> Response:
        trace_ids = _check_count((await read_fields(services, request)).texts("trace_ids"))
        return await services.read(_answer_many, services, trace_ids, request.headers)

    async def get_infos(request: Request) -> Response:
        trace_ids = _check_count((await read_fields(services, request)).texts("trace_ids"))
        return await services.read(_answer_infos, services, trace_ids, request.headers)

    async def get_info(request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        return await services.read(_answer_info, services, trace_id, request.headers)

    routes.add("GET", "/traces/get", get_trace, versions=(V3,))
    routes.add("GET", "/traces/batchGet", get_many, versions=(V3,))
    routes.add("POST", "/traces/batchGetInfos", get_infos, versions=(V3,))
    routes.add("GET", "/traces/{trace_id}", get_info, versions=(V3,))


async def read_whole(services: Services, trace_id: str, *, wait: bool) -> TraceView:
    """Return a trace; where spans are known to be under way, wait for them a little."""
    view = await services.read(_read_view, services, trace_id)
    if not wait or not lacks_spans(view.info):
        return view
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    stored_id = view.info.trace_id

    def hear(trace_ids: list[str]) -> None:  # in the writer's thread
        if stored_id in trace_ids:
            loop.call_soon_threadsafe(news.set)

    unsubscribe = services.ingestor.subscribe(hear)
    deadline = loop.time() + WAIT_S
    try:
        while True:
            view = await services.read(_read_view, services, stored_id)
            if not lacks_spans(view.info):
                return view
            try:
                await asyncio.wait_for(news.wait(), deadline - loop.time())
            except asyncio.TimeoutError:
                return view
            news.clear()
    finally:
        unsubscribe()


def lacks_spans(info: TraceInfo) -> bool:
    """Tell whether a trace that has just ended has more spans than have arrived."""
    ended_ms = info.request_time_ms + (info.duration_ns or 0) // NS_PER_MS
    if time.time_ns() // NS_PER_MS - ended_ms > RECENT_MS:
        return False
    stats = from_json(info.trace_metadata.get(semconv.SIZE_STATS, ""))
    count = stats.get("num_spans") if isinstance(stats, dict) else None
    return isinstance(count, int) and count > info.span_count


def find_info(services: Services, trace_id: str) -> TraceInfo:
    """Return a trace without its spans, or raise NotFoundError."""
    found = read_infos(services.store, [trace_id])
    if not found:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return found[0]


def _read_view(services: Services, trace_id: str) -> TraceView:
    view = read_trace(services.store, trace_id)
    if view is None:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return view


def _answer_trace(view: TraceView, headers: Mapping[str, str]) -> Response:
    spans = [write_span(span) for span in view.spans]
    return pack(OneTrace(WireTrace(write_info(view.info), spans)), headers)


def _answer_many(services: Services, trace_ids: list[str], headers: Mapping[str, str]) -> Response:
    infos = read_infos(services.store, trace_ids)
    spans = read_spans_of(services.store, [info.trace_id for info in infos])
    traces = [
        WireTrace(write_info(info), [write_span(span) for span in spans[info.trace_id]])
        for info in infos
    ]
    return pack(ManyTraces(traces), headers)


def _answer_infos(services: Services, trace_ids: list[str], headers: Mapping[str, str]) -> Response:
    found = read_infos(services.store, trace_ids)
    return pack(ManyInfos([write_info(info) for info in found]), headers)


def _answer_info(services: Services, trace_id: str, headers: Mapping[str, str]) -> Response:
    return pack(OneTrace(WireTrace(write_info(find_info(services, trace_id)))), headers)


def _check_count(trace_ids: list[str]) -> list[str]:
    if len(trace_ids) > MAX_IDS:
        raise InvalidInputError(
            f"{len(trace_ids)} trace ids in one request; ask for at most {MAX_IDS}"
        )
    return trace_ids
