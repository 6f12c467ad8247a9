"""Sessions and users, with what their traces add up to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.query.sessions import DEFAULT_MAX_RESULTS, By, TraceGroup, list_groups
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from whence.server.services import Services


class TraceGroups(msgspec.Struct, kw_only=True):
    """A page of groups, the latest active first; `next_cursor` is null on the last one.

    `total` counts the groups of all pages. `counted_from_ms`: where it is not null, there are too
    many traces to count, and earlier ones are left out.
    """

    groups: list[TraceGroup]
    total: int
    next_cursor: str | None
    counted_from_ms: int | None
    elapsed_ms: float


def sessions_router(services: Services) -> APIRouter:
    """List sessions and users."""
    router = APIRouter(prefix="/api/v1", tags=["sessions"])
    for path, by in (("/sessions", "session"), ("/users", "user")):
        router.add_api_route(
            path,
            _lister(services, by),  # type: ignore[arg-type]
            methods=["GET"],
            operation_id=f"list_{by}s",
            responses=answers(TraceGroups),
            description=f"The {by}s of the traces that a filter finds, the latest active first.",
        )
    return router


def _lister(services: Services, by: By) -> Callable[..., Awaitable[Response]]:
    async def list_page(
        request: Request,
        filter_string: Annotated[str, Query(alias="filter")] = "",
        name: Annotated[str | None, Query(description="This one alone")] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        max_results: int = DEFAULT_MAX_RESULTS,
        cursor: str | None = None,
    ) -> Response:
        started = time.perf_counter()
        page = await services.read(
            list_groups,
            services.store,
            by,
            experiment_ids=experiment_id,
            filter_string=filter_string,
            name=name,
            since_ms=since,
            until_ms=until,
            max_results=max_results,
            cursor=cursor,
            environment_aliases=services.settings.aliases,
        )
        elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
        return pack(TraceGroups(**vars(page), elapsed_ms=elapsed_ms), request.headers)

    return list_page
