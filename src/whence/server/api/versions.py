"""Versions: what the traces of each version of an application say, in one environment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.query.version_table import DEFAULT_MAX_VERSIONS, VersionRow, read_versions
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.server.services import Services


class VersionList(msgspec.Struct, kw_only=True):
    """Versions, the one first seen last on top; `total` counts those that are not listed too."""

    versions: list[VersionRow]
    total: int
    elapsed_ms: float


def versions_router(services: Services) -> APIRouter:
    """List versions."""
    router = APIRouter(prefix="/api/v1/versions", tags=["versions"])

    @router.get("", operation_id="list_versions", responses=answers(VersionList))
    async def list_versions(
        request: Request,
        environment: str | None = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        max_versions: int = DEFAULT_MAX_VERSIONS,
    ) -> Response:
        started = time.perf_counter()
        table = await services.read(
            read_versions,
            services.store,
            environment=environment,
            experiment_ids=experiment_id,
            since_ms=since,
            until_ms=until,
            max_versions=max_versions,
            environment_aliases=services.settings.aliases,
        )
        answer = VersionList(
            versions=table.versions,
            total=table.total,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        )
        return pack(answer, request.headers)

    return router
