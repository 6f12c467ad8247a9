"""Saved views: named addresses of the Traces tab, shared by all who use the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.errors import InvalidInputError, NotFoundError
from whence.server.api.payloads import DONE, Empty, read_struct
from whence.server.openapi import answers, takes
from whence.server.replies import pack, reply
from whence.store.saved_views import SavedViewRow, read_saved_views, write_saved_view

if TYPE_CHECKING:
    from whence.server.services import Services

MAX_NAME = 80
MAX_SEARCH = 8_000
MAX_VIEWS = 500
MISSING = "There is no view of this name"


class SavedView(msgspec.Struct, frozen=True):
    """A view: its name, the query part of the page's address without `?`, when it was saved."""

    name: str
    search: str
    saved_ms: int


class SavedViews(msgspec.Struct, frozen=True):
    """All views, by name."""

    views: list[SavedView]


class ViewSearch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a name stands for."""

    search: str


def saved_views_router(services: Services) -> APIRouter:
    """List, save and delete views."""
    router = APIRouter(prefix="/api/v1/views", tags=["views"])

    @router.get("", operation_id="list_views", responses=answers(SavedViews))
    async def list_views(request: Request) -> Response:
        rows = await services.read(read_saved_views, services.store)
        views = [SavedView(row.name, row.search, row.saved_ms) for row in rows]
        return pack(SavedViews(views), request.headers)

    @router.put(
        "/{name:path}",
        operation_id="save_view",
        responses=answers(Empty),
        openapi_extra=takes(ViewSearch),
    )
    async def save_view(request: Request, name: str) -> Response:
        given = await read_struct(services, request, ViewSearch)
        await services.edit(_save, services, name, given.search)
        return reply(DONE)

    @router.delete(
        "/{name:path}", operation_id="delete_view", responses=answers(Empty, missing=MISSING)
    )
    async def delete_view(name: str) -> Response:
        await services.edit(_delete, services, name)
        return reply(DONE)

    return router


def _save(services: Services, name: str, search: str) -> None:
    if not name.strip() or len(name) > MAX_NAME:
        raise InvalidInputError(f"a view's name has 1 to {MAX_NAME} characters, got {len(name)}")
    if len(search) > MAX_SEARCH:
        raise InvalidInputError(f"search has at most {MAX_SEARCH} characters, got {len(search)}")
    names = {row.name for row in read_saved_views(services.store)}
    if name not in names and len(names) >= MAX_VIEWS:
        raise InvalidInputError(f"there are {MAX_VIEWS} views already; delete one first")
    write_saved_view(services.store, SavedViewRow(name=name, search=search, saved_ms=_now_ms()))


def _delete(services: Services, name: str) -> None:
    if name not in {row.name for row in read_saved_views(services.store)}:
        raise NotFoundError(f"there is no view {name[:MAX_NAME]!r}; GET /api/v1/views lists them")
    write_saved_view(
        services.store, SavedViewRow(name=name, search="", saved_ms=_now_ms(), deleted=1)
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
