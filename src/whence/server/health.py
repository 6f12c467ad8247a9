"""`GET /health`: whether the server takes and answers requests now. Asks for no key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from whence.server.openapi import answers
from whence.server.replies import reply
from whence.server.services import VERSION

if TYPE_CHECKING:
    from whence.server.services import Services


class Health(msgspec.Struct, kw_only=True):
    """Status 200 where ready, 503 where not; `reason` then says why."""

    status: Literal["ready", "not ready"]
    version: str
    store: str
    reason: str | None = None


def health_router(services: Services) -> APIRouter:
    """Answer health checks."""
    router = APIRouter(tags=["health"])

    @router.head("/health", include_in_schema=False)
    @router.get("/health", responses=answers(Health), operation_id="get_health")
    async def get_health() -> Response:
        reason = await services.why_not_ready()
        health = Health(
            status="ready" if reason is None else "not ready",
            version=VERSION,
            store=services.store.url,
            reason=reason,
        )
        return reply(health, status=200 if reason is None else 503)

    return router
