"""Bisecting: which version moved a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.entities.bisection import Bisection
from whence.query.arms import Scope
from whence.server.api.compare import read_margins
from whence.server.api.times import check_times
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.server.services import Services

NAME = "An app version, or a commit (7 hex digits or more)"
METRIC = "A metric of the comparison: duration, duration_p95, error_rate, cost_usd, feedback.NAME"


def bisect_router(services: Services) -> APIRouter:
    """Find the version that moved a metric."""
    router = APIRouter(prefix="/api/v1/bisect", tags=["versions"])

    @router.get("", operation_id="bisect_versions", responses=answers(Bisection))
    async def bisect(
        request: Request,
        good: Annotated[str, Query(description=NAME)],
        bad: Annotated[str, Query(description=NAME)],
        metric: Annotated[str, Query(description=METRIC)] = "duration",
        environment: str | None = None,
        filter_string: Annotated[str | None, Query(alias="filter")] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        margins: Annotated[str, Query(description="Such as duration=0.2,error_rate=0.01")] = "",
        by: Annotated[str, Query(description="Strata, separated by commas")] = "",
    ) -> Response:
        check_times(since, until)
        scope = Scope(
            environment=environment,
            filter_string=filter_string,
            experiment_ids=tuple(experiment_id or ()),
            since_ms=since,
            until_ms=until,
            aliases=dict(services.settings.aliases),
        )
        strata = tuple(one.strip() for one in by.split(",") if one.strip())
        return await services.read(
            _answer,
            services,
            scope,
            (good, bad),
            metric,
            read_margins(margins),
            strata or None,
            request.headers,
        )

    return router


def _answer(
    services: Services,
    scope: Scope,
    ends: tuple[str, str],
    metric: str,
    margins: dict[str, float],
    by: tuple[str, ...] | None,
    headers: Mapping[str, str],
) -> Response:
    # Loaded with the first question: scipy would take a quarter of a second of every start.
    from whence.analysis.bisect import Asked, bisect_versions

    asked = Asked(scope=scope, good=ends[0], bad=ends[1], metric=metric, margins=margins, by=by)
    return pack(bisect_versions(services.store, asked), headers)
