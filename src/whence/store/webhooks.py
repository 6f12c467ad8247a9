"""The tables `webhooks` (where findings are sent) and `deliveries` (the outbox, and its past).

`version` is a time in nanoseconds; the highest of a key stays. A deleted webhook keeps its row, so
that its deliveries can still be told apart; its secret goes, and what held it is overwritten.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.store.connection import list_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from whence.store.connection import Store

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


class WebhookRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send, and the secret that signs; its key is webhook_id. `environment` None: all."""

    webhook_id: str
    url: str
    form: str
    environment: str | None
    secret: str
    created_ms: int
    deleted: int = 0
    version: int = 0

    def __repr__(self) -> str:
        return f"WebhookRow({self.webhook_id!r})"  # neither the secret nor what the URL hides


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message and how sending it went; its key is delivery_id. `status` 0: no answer."""

    delivery_id: str
    webhook_id: str
    finding_id: str
    event: str
    body: str
    state: str
    attempts: int
    created_ms: int
    next_ms: int
    delivered_ms: int = 0
    status: int = 0
    error: str = ""
    version: int = 0


_WEBHOOKS = f"""\
SELECT {list_columns(WebhookRow)}
FROM webhooks FINAL
WHERE deleted = 0
ORDER BY created_ms, webhook_id
"""
_PENDING = f"""\
SELECT {list_columns(DeliveryRow)}
FROM deliveries FINAL
WHERE state = '{PENDING}'
ORDER BY next_ms, delivery_id
LIMIT {{limit:UInt64}}
"""
_KNOWN = """\
SELECT delivery_id
FROM deliveries
WHERE delivery_id IN {ids:Array(String)}
"""
_LATEST = f"""\
SELECT {list_columns(DeliveryRow, without=("body",))}
FROM deliveries FINAL
WHERE webhook_id = {{webhook_id:String}}
ORDER BY created_ms DESC, delivery_id
LIMIT {{limit:UInt64}}
"""
_FORGET = f"""\
DELETE FROM deliveries
WHERE state != '{PENDING}' AND created_ms < {{before:Int64}}
"""


def read_webhooks(store: Store) -> list[WebhookRow]:
    """Return the webhooks there are, the oldest first, with their secrets."""
    return store.query(_WEBHOOKS).structs(WebhookRow)


def write_webhook(store: Store, row: WebhookRow) -> None:
    """Add or replace a webhook; durable on return."""
    store.insert("webhooks", [msgspec.structs.replace(row, version=time.time_ns())])


def remove_webhook(store: Store, row: WebhookRow) -> None:
    """Replace a webhook by what is kept of it, and overwrite what it was.

    The table is small, so all of it is merged at once; the engine removes the old files within a
    minute. Backups of the store keep them.
    """
    write_webhook(store, msgspec.structs.replace(row, deleted=1, secret=""))
    store.command("OPTIMIZE TABLE webhooks FINAL")


def read_pending(store: Store, limit: int) -> list[DeliveryRow]:
    """Return what is still to be sent, what is due first first."""
    return store.query(_PENDING, {"limit": limit}).structs(DeliveryRow)


def read_known(store: Store, ids: Collection[str]) -> set[str]:
    """Return which of these deliveries there are, sent or not."""
    if not ids:
        return set()
    return {row[0] for row in store.query(_KNOWN, {"ids": sorted(ids)}).rows}


def read_deliveries(store: Store, webhook_id: str, limit: int) -> list[DeliveryRow]:
    """Return the newest deliveries of a webhook, without their bodies."""
    rows = store.query(_LATEST, {"webhook_id": webhook_id, "limit": limit}).dicts()
    return [DeliveryRow(**row, body="") for row in rows]


def write_deliveries(store: Store, rows: Sequence[DeliveryRow]) -> None:
    """Add or replace deliveries; durable on return."""
    version = time.time_ns()
    store.insert("deliveries", [msgspec.structs.replace(row, version=version) for row in rows])


def forget_deliveries(store: Store, before_ms: int) -> None:
    """Remove deliveries that ended and were made before a time."""
    store.derive(_FORGET, {"before": before_ms})
