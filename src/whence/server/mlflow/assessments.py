"""Assessments of traces: create, read, change, delete.

An override makes the overridden one invalid until the override is deleted. An update merges
metadata key by key and changes only what its mask names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from whence.errors import NotFoundError
from whence.query.views import Assessment, view_assessment
from whence.server.api.payloads import DONE, stored_id
from whence.server.mlflow.infos import write_assessment
from whence.server.mlflow.judgements import read_judgement, read_mask
from whence.server.mlflow.requests import read_fields
from whence.server.mlflow.routes import V3
from whence.server.replies import reply
from whence.store.assessments import read_assessments

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services
    from whence.store.rows import AssessmentRow

PATH = "/traces/{trace_id}/assessments"
PATH_OF_ONE = f"{PATH}/{{assessment_id}}"


class OneAssessment(msgspec.Struct, frozen=True):
    """The answer: what is stored."""

    assessment: Assessment


def add_assessments(routes: Routes, services: Services) -> None:
    """Take, answer, change and delete assessments."""

    async def create(request: Request) -> Response:
        fields = await read_fields(services, request)
        payload = read_judgement(fields.need_inner("assessment"))
        trace_id = request.path_params["trace_id"]
        return _answer(await services.edit(_log, services, trace_id, payload))

    async def get(request: Request) -> Response:
        return _answer(await services.read(_find, services, *_read_ids(request)))

    async def update(request: Request) -> Response:
        fields = await read_fields(services, request)
        payload = read_judgement(fields.need_inner("assessment"))
        mask = read_mask(fields)
        return _answer(await services.edit(_update, services, *_read_ids(request), payload, mask))

    async def delete(request: Request) -> Response:
        await services.edit(_delete, services, *_read_ids(request))
        return reply(DONE)

    routes.add("POST", PATH, create, versions=(V3,))
    routes.add("GET", PATH_OF_ONE, get, versions=(V3,))
    routes.add("PATCH", PATH_OF_ONE, update, versions=(V3,))
    routes.add("DELETE", PATH_OF_ONE, delete, versions=(V3,))


def _read_ids(request: Request) -> tuple[str, str]:
    return request.path_params["trace_id"], request.path_params["assessment_id"]


def _answer(row: AssessmentRow) -> Response:
    return reply(OneAssessment(write_assessment(view_assessment(row))))


def _log(services: Services, trace_id: str, payload: dict[str, Any]) -> AssessmentRow:
    return services.ingestor.log_assessment(stored_id(services.store, trace_id), payload)


def _find(services: Services, trace_id: str, assessment_id: str) -> AssessmentRow:
    for row in read_assessments(services.store, [stored_id(services.store, trace_id)]):
        if row.assessment_id == assessment_id and not row.deleted:
            return row
    raise NotFoundError(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")


def _update(
    services: Services,
    trace_id: str,
    assessment_id: str,
    payload: dict[str, Any],
    mask: list[str],
) -> AssessmentRow:
    stored = stored_id(services.store, trace_id)
    return services.ingestor.update_assessment(stored, assessment_id, payload, mask)


def _delete(services: Services, trace_id: str, assessment_id: str) -> None:
    services.ingestor.delete_assessment(stored_id(services.store, trace_id), assessment_id)
