"""Versions: what the traces of each version of an application say, and what changed between two."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.analysis.version_diff import diff_versions
from whence.entities.version import VersionDetail, VersionRow
from whence.entities.version_diff import VersionDiff
from whence.query.version_detail import read_version
from whence.query.version_source import select
from whence.query.version_table import DEFAULT_MAX_VERSIONS, read_versions
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.query.version_source import Selection
    from whence.server.services import Services

NAME = "An app version, or the beginning (7 digits) of a commit or of a manifest's digest"


class VersionList(msgspec.Struct, kw_only=True):
    """Versions, the newest on top; `total` counts those that are not listed too."""

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
        by: Annotated[
            Literal["environment"] | None, Query(description="A row for each environment too")
        ] = None,
        quality: Annotated[bool, Query(description="Means of feedback; takes longer")] = False,
        max_versions: int = DEFAULT_MAX_VERSIONS,
    ) -> Response:
        started = time.perf_counter()
        table = await services.read(
            read_versions,
            services.store,
            _select(services, environment, experiment_id, since, until),
            by_environment=by is not None,
            with_quality=quality,
            max_versions=max_versions,
        )
        answer = VersionList(
            versions=table.versions,
            total=table.total,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        )
        return pack(answer, request.headers)

    _add_comparison(router, services)
    return router


def _add_comparison(router: APIRouter, services: Services) -> None:
    """Read one version, and what changed between two."""

    @router.get(
        "/detail",
        operation_id="get_version",
        responses=answers(VersionDetail, missing="No trace names such a version"),
    )
    async def get_version(
        request: Request,
        version: Annotated[str, Query(description=NAME)],
        environment: str | None = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        selection = _select(services, environment, experiment_id)
        found = await services.read(read_version, services.store, selection, version)
        return pack(found, request.headers)

    @router.get(
        "/diff",
        operation_id="diff_versions",
        responses=answers(VersionDiff, missing="No trace names such a version"),
    )
    async def get_diff(
        request: Request,
        before: Annotated[str, Query(description=NAME)],
        after: Annotated[str, Query(description=NAME)],
        environment: str | None = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        selection = _select(services, environment, experiment_id)
        found = await services.read(diff_versions, services.store, selection, before, after)
        return pack(found, request.headers)


def _select(
    services: Services,
    environment: str | None,
    experiment_ids: list[str] | None,
    since: int | None = None,
    until: int | None = None,
) -> Selection:
    return select(
        environment=environment,
        experiment_ids=experiment_ids,
        since_ms=since,
        until_ms=until,
        environment_aliases=services.settings.aliases,
    )
