"""Fields: what a filter can name, and the most frequent values seen; for autocompletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from whence.query.fields import SeenField, field_values
from whence.server.openapi import answers
from whence.server.replies import reply

if TYPE_CHECKING:
    from whence.server.services import Services


class FieldList(msgspec.Struct):
    """The fields whose name begins as asked for."""

    fields: list[SeenField]


def fields_router(services: Services) -> APIRouter:
    """List fields and their values."""
    router = APIRouter(prefix="/api/v1/fields", tags=["fields"])

    @router.get("", operation_id="list_fields", responses=answers(FieldList))
    async def list_fields(
        filter_prefix: str = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        found = await services.read(field_values, services.store, experiment_id, filter_prefix)
        return reply(FieldList(found))

    return router
