"""Assessments: feedback and expectations about a trace, in MLflow's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.errors import NotFoundError
from whence.query.views import Assessment, view_assessment
from whence.server.api.payloads import DONE, Empty, read_struct, stored_id
from whence.server.openapi import answers, takes
from whence.server.replies import reply
from whence.store.assessments import read_assessments

if TYPE_CHECKING:
    from whence.server.services import Services


class AssessmentChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an assessment: `update_mask` names the fields, `assessment` has them.

    The fields are assessment_name, feedback, expectation, issue, rationale and metadata, which is
    merged key by key.
    """

    assessment: dict[str, Any]
    update_mask: list[str]


def assessments_router(services: Services) -> APIRouter:
    """Log, read, change and delete assessments."""
    router = APIRouter(prefix="/api/v1/traces/{trace_id}/assessments", tags=["assessments"])

    @router.post(
        "",
        operation_id="log_assessment",
        responses=answers(Assessment, missing="There is no such trace"),
        openapi_extra=takes(dict[str, Any]),
    )
    async def log_assessment(request: Request, trace_id: str) -> Response:
        given = await read_struct(services, request, dict[str, Any])
        return reply(await services.edit(_log, services, trace_id, given))

    @router.get(
        "/{assessment_id}",
        operation_id="get_assessment",
        responses=answers(Assessment, missing="There is no such assessment"),
    )
    async def get_assessment(trace_id: str, assessment_id: str) -> Response:
        return reply(await services.read(_read, services, trace_id, assessment_id))

    @router.patch(
        "/{assessment_id}",
        operation_id="update_assessment",
        responses=answers(Assessment, missing="There is no such assessment"),
        openapi_extra=takes(AssessmentChange),
    )
    async def update_assessment(request: Request, trace_id: str, assessment_id: str) -> Response:
        change = await read_struct(services, request, AssessmentChange)
        return reply(await services.edit(_update, services, trace_id, assessment_id, change))

    @router.delete(
        "/{assessment_id}",
        operation_id="delete_assessment",
        responses=answers(Empty, missing="There is no such trace"),
    )
    async def delete_assessment(trace_id: str, assessment_id: str) -> Response:
        await services.edit(_delete, services, trace_id, assessment_id)
        return reply(DONE)

    return router


def _log(services: Services, trace_id: str, given: dict[str, Any]) -> Assessment:
    stored = stored_id(services.store, trace_id)
    return view_assessment(services.ingestor.log_assessment(stored, given))


def _update(
    services: Services, trace_id: str, assessment_id: str, change: AssessmentChange
) -> Assessment:
    stored = stored_id(services.store, trace_id)
    row = services.ingestor.update_assessment(
        stored, assessment_id, change.assessment, change.update_mask
    )
    return view_assessment(row)


def _read(services: Services, trace_id: str, assessment_id: str) -> Assessment:
    stored = stored_id(services.store, trace_id)
    for row in read_assessments(services.store, [stored]):
        if row.assessment_id == assessment_id and not row.deleted:
            return view_assessment(row)
    raise NotFoundError(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'.")


def _delete(services: Services, trace_id: str, assessment_id: str) -> None:
    services.ingestor.delete_assessment(stored_id(services.store, trace_id), assessment_id)
