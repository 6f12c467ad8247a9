"""Traces: search, read, delete.

Pages are encoded on reader threads. `cursor` goes on where a page ended, also while traces arrive;
it belongs to its filter, order and experiments.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.errors import NotFoundError
from whence.query.search import DEFAULT_MAX_RESULTS, search_traces
from whence.query.views import Span, TraceInfo, TraceView, read_spans_of, read_trace
from whence.server.api.payloads import read_struct, stored_id
from whence.server.openapi import answers, takes
from whence.server.replies import pack, reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.server.services import Services


class SearchBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What `POST /api/v1/traces/search` takes. No experiment ids mean all experiments."""

    filter_string: str | None = None
    experiment_ids: list[str] | None = None
    order_by: list[str] | None = None
    max_results: int = DEFAULT_MAX_RESULTS
    cursor: str | None = None
    include_spans: bool = False
    since: int | None = None
    until: int | None = None


class FoundTrace(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A trace of a page; `spans` only where they were asked for."""

    info: TraceInfo
    spans: list[Span] | msgspec.UnsetType = msgspec.UNSET


class TracePage(msgspec.Struct, kw_only=True):
    """A page of traces; `next_cursor` is null on the last one."""

    traces: list[FoundTrace]
    next_cursor: str | None
    elapsed_ms: float


class DeleteBody(msgspec.Struct, forbid_unknown_fields=True):
    """The traces to delete."""

    trace_ids: list[str]


class Deleted(msgspec.Struct):
    """How many of them were there."""

    deleted: int


def traces_router(services: Services) -> APIRouter:
    """Search, read and delete traces."""
    router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

    @router.get("", operation_id="list_traces", responses=answers(TracePage))
    async def list_traces(
        request: Request,
        filter_string: Annotated[str, Query(alias="filter")] = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
        order_by: Annotated[list[str] | None, Query()] = None,
        max_results: int = DEFAULT_MAX_RESULTS,
        cursor: str | None = None,
        include_spans: bool = False,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
    ) -> Response:
        search = SearchBody(
            filter_string=filter_string,
            experiment_ids=experiment_id,
            order_by=order_by,
            max_results=max_results,
            cursor=cursor,
            include_spans=include_spans,
            since=since,
            until=until,
        )
        return await services.read(_answer_search, services, search, request.headers)

    @router.post(
        "/search",
        operation_id="search_traces",
        responses=answers(TracePage),
        openapi_extra=takes(SearchBody),
    )
    async def search(request: Request) -> Response:
        body = await read_struct(services, request, SearchBody)
        return await services.read(_answer_search, services, body, request.headers)

    @router.get(
        "/{trace_id}",
        operation_id="get_trace",
        responses=answers(TraceView, missing="There is no such trace"),
    )
    async def get_trace(request: Request, trace_id: str) -> Response:
        return await services.read(_answer_trace, services, trace_id, request.headers)

    @router.post(
        "/delete",
        operation_id="delete_traces",
        responses=answers(Deleted),
        openapi_extra=takes(DeleteBody),
    )
    async def delete_traces(request: Request) -> Response:
        body = await read_struct(services, request, DeleteBody)
        return reply(Deleted(await services.edit(_delete, services, body.trace_ids)))

    return router


def _answer_search(services: Services, search: SearchBody, headers: Mapping[str, str]) -> Response:
    started = time.perf_counter()
    page = search_traces(
        services.store,
        filter_string=search.filter_string,
        experiment_ids=search.experiment_ids,
        order_by=search.order_by,
        max_results=search.max_results,
        cursor=search.cursor,
        since_ms=search.since,
        until_ms=search.until,
        environment_aliases=services.settings.aliases,
    )
    found = [FoundTrace(info=info) for info in page.traces]
    if search.include_spans:
        spans = read_spans_of(services.store, [info.trace_id for info in page.traces])
        found = [FoundTrace(info=info, spans=spans[info.trace_id]) for info in page.traces]
    elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
    answer = TracePage(traces=found, next_cursor=page.next_cursor, elapsed_ms=elapsed_ms)
    return pack(answer, headers)


def _answer_trace(services: Services, trace_id: str, headers: Mapping[str, str]) -> Response:
    trace = read_trace(services.store, trace_id)
    if trace is None:
        raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
    return pack(trace, headers)


def _delete(services: Services, trace_ids: list[str]) -> int:
    return services.ingestor.delete_traces([stored_id(services.store, one) for one in trace_ids])
