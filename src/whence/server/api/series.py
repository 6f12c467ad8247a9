"""Series: how many traces began in each stretch of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.query.series import DEFAULT_BUCKETS, DEFAULT_LINES, SPLITS, Line, count_series
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.server.services import Services


class TraceSeries(msgspec.Struct, kw_only=True):
    """Counts of buckets of `bucket_ms`, from `from_ms` on; the lines of a bucket add up.

    `counted_from_ms`: where it is not null, earlier counts are not known, and 0 here.
    """

    from_ms: int
    until_ms: int
    bucket_ms: int
    counted_from_ms: int | None
    total: int
    lines: list[Line]
    elapsed_ms: float


def series_router(services: Services) -> APIRouter:
    """Count traces by the time they began."""
    router = APIRouter(prefix="/api/v1/series", tags=["series"])

    @router.get("", operation_id="count_series", responses=answers(TraceSeries))
    async def count(
        request: Request,
        filter_string: Annotated[str, Query(alias="filter")] = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        split: Annotated[str | None, Query(description=f"One of {', '.join(SPLITS)}")] = None,
        buckets: int = DEFAULT_BUCKETS,
        lines: Annotated[int, Query(description="The rest stands together")] = DEFAULT_LINES,
    ) -> Response:
        started = time.perf_counter()
        found = await services.read(
            count_series,
            services.store,
            experiment_ids=experiment_id,
            filter_string=filter_string,
            since_ms=since,
            until_ms=until,
            split=split,
            buckets=buckets,
            lines=lines,
            environment_aliases=services.settings.aliases,
        )
        elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
        answer = TraceSeries(**msgspec.structs.asdict(found), elapsed_ms=elapsed_ms)
        return pack(answer, request.headers)

    return router
