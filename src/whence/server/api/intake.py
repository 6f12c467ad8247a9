"""The intake: readers of a store's directory ask that the spool be taken in before they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from whence.server.openapi import answers
from whence.server.replies import reply

if TYPE_CHECKING:
    from whence.server.services import Services


class TakenIn(msgspec.Struct):
    """How many segments and spans were new."""

    segments: int
    spans: int


def intake_router(services: Services) -> APIRouter:
    """Take the spool in."""
    router = APIRouter(prefix="/api/v1/intake", tags=["intake"])

    @router.post("", operation_id="take_in", responses=answers(TakenIn))
    async def take_in() -> Response:
        if services.intake is None:  # a store behind a URL has no spool
            return reply(TakenIn(0, 0))
        segments, spans = await services.edit(services.intake.drain)
        return reply(TakenIn(segments, spans))

    return router
