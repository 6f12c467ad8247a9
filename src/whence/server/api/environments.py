"""Environments side by side, with hints at mislabelled traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.analysis.environments import list_environments
from whence.entities.environments import EnvironmentOverview
from whence.query.version_source import select
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.server.services import Services

NAME = "An app version, or the beginning (7 digits) of a commit or of a manifest's digest"


def environments_router(services: Services) -> APIRouter:
    """Put environments side by side."""
    router = APIRouter(prefix="/api/v1/environments", tags=["versions"])

    @router.get(
        "",
        operation_id="list_environments",
        responses=answers(EnvironmentOverview, missing="No trace names such a version"),
    )
    async def list_all(
        request: Request,
        version: Annotated[str | None, Query(description=NAME)] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        quality: Annotated[bool, Query(description="Means of feedback; takes longer")] = True,
        hints: Annotated[bool, Query(description="Look for mislabelled traffic")] = True,
    ) -> Response:
        selection = select(experiment_ids=experiment_id, since_ms=since, until_ms=until)
        found = await services.read(
            list_environments,
            services.store,
            selection,
            version,
            with_quality=quality,
            with_hints=hints,
        )
        return pack(found, request.headers)

    return router
