"""Webhooks: where findings are sent. A secret leaves the server once, when its webhook is added."""

from __future__ import annotations

import base64
import secrets
import time
from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.entities.webhook import (
    FORMS,
    JSON,
    Delivery,
    DeliveryList,
    NewWebhook,
    Webhook,
    WebhookList,
)
from whence.errors import InvalidInputError
from whence.semconv import normalise_environment
from whence.server.api.payloads import DONE, Empty, read_struct
from whence.server.openapi import answers, takes
from whence.server.outbox import find_webhook
from whence.server.replies import pack
from whence.server.webhook_post import SECRET_PREFIX, check_url, key_of, shorten_url
from whence.store.webhooks import (
    PENDING,
    DeliveryRow,
    WebhookRow,
    read_deliveries,
    read_webhooks,
    remove_webhook,
    write_webhook,
)

if TYPE_CHECKING:
    from whence.server.services import Services

MISSING = "There is no such webhook"
SECRET_BYTES, LEAST_SECRET_BYTES = 32, 16
MAX_URL = 2000
MAX_WEBHOOKS = 100
MAX_DELIVERIES = 100


class WebhookBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What `POST /api/v1/webhooks` takes. Without a secret the server makes one."""

    url: str
    form: str = JSON
    environment: str | None = None
    secret: str | None = None


def webhooks_router(services: Services) -> APIRouter:
    """Add, list, test and remove webhooks."""
    router = APIRouter(prefix="/api/v1/webhooks", tags=["findings"])

    @router.get("", operation_id="list_webhooks", responses=answers(WebhookList))
    async def get_webhooks(request: Request) -> Response:
        return pack(await services.read(_list, services), request.headers)

    @router.post(
        "",
        operation_id="add_webhook",
        responses=answers(NewWebhook),
        openapi_extra=takes(WebhookBody),
    )
    async def add_webhook(request: Request) -> Response:
        body = await read_struct(services, request, WebhookBody)
        return pack(await services.edit(_add, services, body), request.headers)

    @router.delete(
        "/{webhook_id}", operation_id="remove_webhook", responses=answers(Empty, missing=MISSING)
    )
    async def remove_webhook(request: Request, webhook_id: str) -> Response:
        await services.edit(_remove, services, webhook_id)
        return pack(DONE, request.headers)

    @router.post(
        "/{webhook_id}/test",
        operation_id="test_webhook",
        responses=answers(Delivery, missing=MISSING),
    )
    async def test_webhook(request: Request, webhook_id: str) -> Response:
        row = await services.edit(services.outbox.test, webhook_id)
        return pack(_show_delivery(row), request.headers)

    @router.get(
        "/{webhook_id}/deliveries",
        operation_id="list_deliveries",
        responses=answers(DeliveryList, missing=MISSING),
    )
    async def get_deliveries(request: Request, webhook_id: str) -> Response:
        return pack(await services.read(_list_deliveries, services, webhook_id), request.headers)

    return router


def _list(services: Services) -> WebhookList:
    return WebhookList(
        webhooks=[_show(services, row) for row in read_webhooks(services.store)],
    )


def _list_deliveries(services: Services, webhook_id: str) -> DeliveryList:
    find_webhook(services.store, webhook_id)
    rows = read_deliveries(services.store, webhook_id, MAX_DELIVERIES)
    return DeliveryList(deliveries=[_show_delivery(row) for row in rows])


def _add(services: Services, body: WebhookBody) -> NewWebhook:
    if len(body.url) > MAX_URL:
        raise InvalidInputError(f"a webhook's URL has at most {MAX_URL} characters")
    check_url(body.url, private=services.settings.webhook_private)
    if body.form not in FORMS:
        raise InvalidInputError(f"a webhook's form is {' or '.join(FORMS)}, not {body.form!r}")
    if len(read_webhooks(services.store)) >= MAX_WEBHOOKS:
        raise InvalidInputError(f"there are {MAX_WEBHOOKS} webhooks; remove one first")
    secret = body.secret or SECRET_PREFIX + base64.b64encode(
        secrets.token_bytes(SECRET_BYTES)
    ).decode("ascii")
    if len(key_of(secret)) < LEAST_SECRET_BYTES:
        raise InvalidInputError(f"a secret has at least {LEAST_SECRET_BYTES} bytes")
    environment = body.environment
    if environment is not None:
        environment = normalise_environment(environment, services.settings.aliases)
    row = WebhookRow(
        webhook_id=f"wh-{secrets.token_hex(8)}",
        url=body.url,
        form=body.form,
        environment=environment,
        secret=secret,
        created_ms=time.time_ns() // 1_000_000,
    )
    write_webhook(services.store, row)
    return NewWebhook(webhook=_show(services, row), secret=secret)


def _remove(services: Services, webhook_id: str) -> None:
    row = find_webhook(services.store, webhook_id)
    remove_webhook(services.store, msgspec.structs.replace(row, url=shorten_url(row.url)))


def _show(services: Services, row: WebhookRow) -> Webhook:
    newest = read_deliveries(services.store, row.webhook_id, 1)
    return Webhook(
        webhook_id=row.webhook_id,
        url=shorten_url(row.url),
        form=row.form,
        environment=row.environment,
        created_ms=row.created_ms,
        last=_show_delivery(newest[0]) if newest else None,
    )


def _show_delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        event=row.event,
        finding_id=row.finding_id or None,
        state=row.state,
        attempts=row.attempts,
        created_ms=row.created_ms,
        next_ms=row.next_ms if row.state == PENDING else None,
        delivered_ms=row.delivered_ms or None,
        status=row.status or None,
        error=row.error or None,
    )
