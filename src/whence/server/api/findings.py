"""Findings: what the server found worse by itself; people may acknowledge and mute them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.entities.finding import Finding, FindingList
from whence.query.findings import (
    DEFAULT_MAX_FINDINGS,
    list_findings,
    mark_finding,
    read_finding,
)
from whence.server.api.payloads import read_struct
from whence.server.openapi import answers, takes
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.server.services import Services

MISSING = "There is no such finding"


class FindingChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may change about a finding; what is left out stays as it is."""

    acknowledged: bool | None = None
    muted: bool | None = None
    note: str | None = None


def findings_router(services: Services) -> APIRouter:
    """List, read and mark findings."""
    router = APIRouter(prefix="/api/v1/findings", tags=["findings"])

    @router.get("", operation_id="list_findings", responses=answers(FindingList))
    async def get_findings(
        request: Request,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        environment: str | None = None,
        version: Annotated[str | None, Query(description="The candidate's name")] = None,
        state: Literal["open", "resolved", "ended"] | None = None,
        muted: Annotated[bool | None, Query(description="Only those muted, or not")] = None,
        max_findings: int = DEFAULT_MAX_FINDINGS,
    ) -> Response:
        found = await services.read(
            list_findings,
            services.store,
            experiment_ids=experiment_id or (),
            environment=environment,
            version=version,
            state=state,
            muted=muted,
            max_findings=max_findings,
            aliases=services.settings.aliases,
        )
        return pack(found, request.headers)

    @router.get(
        "/{finding_id}",
        operation_id="get_finding",
        responses=answers(Finding, missing=MISSING),
    )
    async def get_finding(request: Request, finding_id: str) -> Response:
        found = await services.read(read_finding, services.store, finding_id)
        return pack(found, request.headers)

    @router.patch(
        "/{finding_id}",
        operation_id="mark_finding",
        responses=answers(Finding, missing=MISSING),
        openapi_extra=takes(FindingChange),
    )
    async def patch_finding(request: Request, finding_id: str) -> Response:
        change = await read_struct(services, request, FindingChange)
        found = await services.edit(
            mark_finding,
            services.store,
            finding_id,
            acknowledged=change.acknowledged,
            muted=change.muted,
            note=change.note,
        )
        return pack(found, request.headers)

    return router
