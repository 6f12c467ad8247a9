"""Tags: what may change about a trace. A key may hold slashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.server.api.payloads import DONE, Empty, read_struct, stored_id
from whence.server.openapi import answers, takes
from whence.server.replies import reply

if TYPE_CHECKING:
    from whence.server.services import Services


class TagValue(msgspec.Struct, forbid_unknown_fields=True):
    """The value that a tag gets."""

    value: str


def tags_router(services: Services) -> APIRouter:
    """Set and delete tags."""
    router = APIRouter(prefix="/api/v1/traces/{trace_id}/tags", tags=["tags"])

    @router.put(
        "/{key:path}",
        operation_id="set_tag",
        responses=answers(Empty, missing="There is no such trace"),
        openapi_extra=takes(TagValue),
    )
    async def set_tag(request: Request, trace_id: str, key: str) -> Response:
        tag = await read_struct(services, request, TagValue)
        await services.edit(_set, services, trace_id, key, tag.value)
        return reply(DONE)

    @router.delete(
        "/{key:path}",
        operation_id="delete_tag",
        responses=answers(Empty, missing="There is no such trace, or it has no such tag"),
    )
    async def delete_tag(trace_id: str, key: str) -> Response:
        await services.edit(_delete, services, trace_id, key)
        return reply(DONE)

    return router


def _set(services: Services, trace_id: str, key: str, value: str) -> None:
    services.ingestor.set_tags(stored_id(services.store, trace_id), {key: value})


def _delete(services: Services, trace_id: str, key: str) -> None:
    services.ingestor.delete_tag(stored_id(services.store, trace_id), key)
