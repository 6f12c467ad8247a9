"""The outbox: messages about findings are in the store before anything is sent, until it is done.

A message's id is made of the webhook and of what happened, so writing it twice is writing it once.
It is in the header `webhook-id`, and in the body of the generic form.
One thread sends what is due, in turn. What is not answered with 2xx is sent again after `DELAYS_S`,
with the same id and body, and given up after the last of them. Where the answer can't be written
down, it is kept and written when the store answers again, and nothing is sent meanwhile. A crash
between the answer and writing it down sends once more: receivers know a message by its id.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from whence.entities.webhook import SLACK
from whence.errors import NotFoundError, WhenceError
from whence.server.messages import TEST, Message, write_json, write_slack
from whence.server.webhook_post import NotSentError, post
from whence.store.webhooks import (
    DELIVERED,
    FAILED,
    PENDING,
    DeliveryRow,
    forget_deliveries,
    read_known,
    read_pending,
    read_webhooks,
    write_deliveries,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from whence.entities.finding import Finding
    from whence.store.connection import Store
    from whence.store.watchers import Leadership
    from whence.store.webhooks import WebhookRow

DELAYS_S = (1, 5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800)
AT_ONCE = 50
POLL_S = 30.0  # for messages of other servers
RETRY_S = 10.0  # where the store did not answer
CLOSE_WAIT_S = 2.0
KEEP_MS = 30 * 86_400_000
FORGET_EVERY_S = 86_400.0
FIRST_SUCCESS, FIRST_OTHER = 200, 300
_MAX_ERROR = 300

_log = logging.getLogger(__name__)


class Outbox:
    """Keeps and sends messages until it is closed. Safe to use from any thread."""

    def __init__(
        self, store: Store, leadership: Leadership, *, private: bool, public_url: str | None
    ) -> None:
        """Start the thread; `private`: whether private addresses may be reached."""
        self._store, self._leadership = store, leadership
        self._private, self._public_url = private, public_url
        self._news = threading.Event()
        self._closing = threading.Event()
        self._unwritten: list[DeliveryRow] = []  # of what was sent
        self._forgot_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="whence-outbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, at most after `CLOSE_WAIT_S`; what is not sent stays in the store."""
        self._closing.set()
        self._news.set()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, event: str, finding: Finding, at_ms: int, look: int = 0) -> None:
        """Have a finding sent to every webhook that wants it. Durable on return.

        What happened is told apart by the event, the finding, its episode and `look`.
        """
        hooks = [
            hook
            for hook in read_webhooks(self._store)
            if hook.environment is None or hook.environment == finding.environment
        ]
        episode = finding.reopened + 1
        what = f"{event} {finding.finding_id} {episode}" + (f" {look}" if look else "")
        rows = [self._write(hook, what, event, finding, at_ms) for hook in hooks]
        known = read_known(self._store, [row.delivery_id for row in rows])
        self._add([row for row in rows if row.delivery_id not in known])

    def test(self, webhook_id: str) -> DeliveryRow:
        """Have a test message sent. Raises NotFoundError."""
        hook = find_webhook(self._store, webhook_id)
        row = self._write(hook, secrets.token_hex(16), TEST, None, _now_ms())
        self._add([row])
        return row

    def _write(
        self, hook: WebhookRow, what: str, event: str, finding: Finding | None, at_ms: int
    ) -> DeliveryRow:
        digest = hashlib.blake2b(f"{hook.webhook_id} {what}".encode(), digest_size=16).hexdigest()
        delivery_id = f"de-{digest}"
        message = Message(delivery_id, event, finding, at_ms, self._public_url)
        now_ms = _now_ms()
        return DeliveryRow(
            delivery_id=delivery_id,
            webhook_id=hook.webhook_id,
            finding_id="" if finding is None else finding.finding_id,
            event=event,
            body=write_slack(message) if hook.form == SLACK else write_json(message),
            state=PENDING,
            attempts=0,
            created_ms=now_ms,
            next_ms=now_ms,
        )

    def _add(self, rows: Sequence[DeliveryRow]) -> None:
        if rows:
            write_deliveries(self._store, rows)
            self._news.set()

    # --- The thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                pause_s = self._work()
            except WhenceError as error:
                _log.warning("webhooks could not be sent, trying again: %s", error.message)
                pause_s = RETRY_S
            except Exception:  # noqa: BLE001 - a bug must not end the thread
                if self._closing.is_set():
                    return
                _log.exception("webhooks could not be sent")
                pause_s = RETRY_S
            self._news.wait(pause_s)
            self._news.clear()

    def _work(self) -> float | None:
        """Send what is due; return the seconds until more is, None: until somebody says so."""
        if not self._leadership.holds():
            return POLL_S
        self._write_down()
        self._forget()
        pending = read_pending(self._store, AT_ONCE)
        hooks = {hook.webhook_id: hook for hook in read_webhooks(self._store)} if pending else {}
        next_ms = None
        for row in pending:
            if self._closing.is_set():
                return 0.0
            done = row
            if row.next_ms <= _now_ms():
                done = self._send(row, hooks.get(row.webhook_id))
                self._unwritten.append(done)
                self._write_down()
            if done.state == PENDING:
                next_ms = done.next_ms if next_ms is None else min(next_ms, done.next_ms)
        if next_ms is None:
            return POLL_S if self._store.hours.shared else None
        return min(max(0.0, (next_ms - _now_ms()) / 1000), POLL_S)

    def _write_down(self) -> None:
        """Keep how sending went; raises what the store does, and then knows it still."""
        if self._unwritten:
            write_deliveries(self._store, self._unwritten)
            self._unwritten = []

    def _send(self, row: DeliveryRow, hook: WebhookRow | None) -> DeliveryRow:
        """Return the delivery after an attempt."""
        if hook is None:
            return msgspec.structs.replace(row, state=FAILED, error="the webhook was removed")
        status, error = 0, ""
        try:
            status = post(
                hook.url,
                row.body.encode(),
                message_id=row.delivery_id,
                secret=hook.secret,
                timestamp=int(time.time()),
                private=self._private,
            )
        except NotSentError as problem:
            error = str(problem)[:_MAX_ERROR]
        attempts, now_ms = row.attempts + 1, _now_ms()
        if FIRST_SUCCESS <= status < FIRST_OTHER:
            changes = {"state": DELIVERED, "delivered_ms": now_ms, "error": ""}
        else:
            error = error or f"the receiver answered {status}"
            over = attempts > len(DELAYS_S)
            delay_s = 0 if over else DELAYS_S[attempts - 1]
            changes = {
                "state": FAILED if over else PENDING,
                "next_ms": now_ms + 1000 * delay_s,
                "error": error,
            }
            _log.warning(
                "webhook %s: %s (attempt %d%s)",
                hook.webhook_id,
                error,
                attempts,
                ", given up" if over else f", again in {delay_s} s",
            )
        return msgspec.structs.replace(row, attempts=attempts, status=status, **changes)

    def _forget(self) -> None:
        now = time.monotonic()
        if now - self._forgot_at > FORGET_EVERY_S:
            if self._forgot_at > float("-inf"):
                forget_deliveries(self._store, _now_ms() - KEEP_MS)
            self._forgot_at = now


def find_webhook(store: Store, webhook_id: str) -> WebhookRow:
    """Return a webhook. Raises NotFoundError."""
    for hook in read_webhooks(store):
        if hook.webhook_id == webhook_id:
            return hook
    raise NotFoundError(f"Webhook with ID '{webhook_id[:200]}' not found.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
