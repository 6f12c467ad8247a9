"""A metric over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.entities.timeline import Timeline
from whence.query.arms import Scope
from whence.server.api.times import check_times
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.server.services import Services

METRIC = "duration_p50, duration_p95, error_rate, total_tokens, cost_usd, … or feedback.NAME"
BY = "environment, app_version, commit, branch, name, session, user or a metadata key"
DEFAULT_GROUPS = 8


def timeline_router(services: Services) -> APIRouter:
    """Draw a metric over time."""
    router = APIRouter(prefix="/api/v1/timeline", tags=["versions"])

    @router.get("", operation_id="get_timeline", responses=answers(Timeline))
    async def get_timeline(
        request: Request,
        metric: Annotated[str, Query(description=METRIC)],
        by: Annotated[str | None, Query(description=BY)] = None,
        bucket: Annotated[str | None, Query(description="Such as 5m, 1h, 1d, 1w")] = None,
        environment: str | None = None,
        filter_string: Annotated[str | None, Query(alias="filter")] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        groups: Annotated[int, Query(description="Lines at most")] = DEFAULT_GROUPS,
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
        return await services.read(
            _answer, services, scope, metric, by, bucket, groups, request.headers
        )

    return router


def _answer(
    services: Services,
    scope: Scope,
    metric: str,
    by: str | None,
    bucket: str | None,
    groups: int,
    headers: Mapping[str, str],
) -> Response:
    # Loaded with the first question: scipy would take a quarter of a second of every start.
    from whence.analysis.timeline import Question, draw_timeline

    question = Question(scope=scope, metric=metric, by=by, bucket=bucket, groups=groups)
    return pack(draw_timeline(services.store, question), headers)
