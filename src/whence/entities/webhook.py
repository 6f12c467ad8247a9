"""Webhooks: where the server sends what it found, and how sending went. Times are Unix ms."""

from __future__ import annotations

import msgspec

JSON, SLACK = "json", "slack"
FORMS = (JSON, SLACK)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a webhook. `state` is `pending`, `delivered` or `failed` (given up).

    `status` is the receiver's last answer, None where there was none; `error` says what went wrong.
    `next_ms` is when it is sent (again), None once that is over.
    """

    delivery_id: str
    event: str
    finding_id: str | None
    state: str
    attempts: int
    created_ms: int
    next_ms: int | None
    delivered_ms: int | None
    status: int | None
    error: str | None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver. `url` shows the host and the first step of the path: the rest may be a secret.

    `environment`: only findings of this one, None: of all. `last` is the newest delivery.
    """

    webhook_id: str
    url: str
    form: str
    environment: str | None
    created_ms: int
    last: Delivery | None = None


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was just added, with its secret, which is never shown again."""

    webhook: Webhook
    secret: str


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """All webhooks, the oldest first."""

    webhooks: list[Webhook]


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of a webhook, the newest first."""

    deliveries: list[Delivery]
