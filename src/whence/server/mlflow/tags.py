"""Tags of traces: set one, delete one. Both take a JSON body, also the DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from whence.server.api.payloads import DONE, stored_id
from whence.server.mlflow.requests import read_fields
from whence.server.replies import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services


def add_tags(routes: Routes, services: Services) -> None:
    """Set and delete tags."""

    async def set_tag(request: Request) -> Response:
        fields = await read_fields(services, request)
        key, value = fields.need_text("key"), fields.text("value") or ""
        await services.edit(_set, services, request.path_params["trace_id"], key, value)
        return reply(DONE)

    async def delete_tag(request: Request) -> Response:
        key = (await read_fields(services, request)).need_text("key")
        await services.edit(_delete, services, request.path_params["trace_id"], key)
        return reply(DONE)

    routes.add("PATCH", "/traces/{trace_id}/tags", set_tag)
    routes.add("DELETE", "/traces/{trace_id}/tags", delete_tag)


def _set(services: Services, trace_id: str, key: str, value: str) -> None:
    services.ingestor.set_tags(stored_id(services.store, trace_id), {key: value})


def _delete(services: Services, trace_id: str, key: str) -> None:
    services.ingestor.delete_tag(stored_id(services.store, trace_id), key)
