"""What becomes of an encoded batch: appended to a local store's spool, or posted to a server.

A server that is away costs nothing but disk: bodies wait in the outbox and go when it is back,
after waiting at least as long as its `Retry-After`, else with a growing, jittered pause. A body
that is on its way for longer than `SAFETY_S` is kept in the outbox meanwhile, so that a kill at
that moment loses nothing. A body that is too large for the server is split. Delivering twice is
harmless, losing is counted.

Only the exporter thread calls these, except `rescue`.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol

from whence.otlp.store_folder import make_store_folder
from whence.sdk import diagnostics
from whence.sdk.delivery.batches import count_spans, split_body
from whence.sdk.delivery.destination import Destination, LocalStore, Server
from whence.sdk.delivery.spool import Outbox, Receipt, outbox_directory
from whence.sdk.delivery.transport import HttpTransport, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.sdk.delivery.stats import Stats

SAFETY_S = 0.4
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
CATCH_UP_INTERVAL_S = 30.0
CATCH_UP_BUDGET_S = 0.5
FAILED_JUST_NOW_S = 0.1


class Delivery(Protocol):
    """The way to one destination."""

    def deliver(self, body: bytes) -> None:
        """Bring a body to its destination, or keep it for later, or count it dropped."""

    def keep(self, body: bytes) -> None:
        """Keep a body for later without trying to send it."""

    def catch_up(self, *, at_once: bool = False) -> bool:
        """Deliver what waits, for a moment, if it is time; True where more could go now.

        `at_once` doesn't wait for the end of a pause, unless the server asked for it.
        """

    def pause_s(self) -> float:
        """Return in how many seconds `catch_up` wants to be called."""

    def is_settled(self) -> bool:
        """Say whether everything that this process handed over has arrived or is counted lost."""

    def rescue(self, bodies: list[bytes]) -> None:
        """At the process's end, from any thread: bring bodies to disk, and what is in memory."""

    def close(self) -> None:
        """Give files and connections up."""

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's."""


def open_delivery(
    destination: Destination, stats: Stats, absorb: Callable[[], None] = lambda: None
) -> Delivery:
    """Return the way to a destination; `absorb` is called while a server makes us wait."""
    if isinstance(destination, LocalStore):
        return StoreDelivery(destination, stats)
    return ServerDelivery(destination, stats, absorb)


class StoreDelivery:
    """Appends to the segments of a local store; the server takes them in from there."""

    def __init__(self, store: LocalStore, stats: Stats) -> None:
        self._folder = store.path
        self._spool = Outbox(store.path / "spool")
        self._stats = stats

    def deliver(self, body: bytes) -> None:
        """Append a body."""
        self.catch_up()
        self.keep(body)

    def keep(self, body: bytes) -> None:
        """Append a body; the spool is the destination."""
        if not self._append(body):
            self._stats.spooled += count_spans(body)

    def catch_up(self, *, at_once: bool = False) -> bool:
        """Write what had to wait in memory."""
        del at_once  # a disk asks for no pause
        for body in self._spool.take_memory():
            self._append(body)
        return False

    def pause_s(self) -> float:
        """Ask for a call when something waits for the disk."""
        return FIRST_PAUSE_S if self._spool.has_memory() else MAX_PAUSE_S

    def is_settled(self) -> bool:
        """Say whether everything is written."""
        return not self._spool.has_memory()

    def _append(self, body: bytes) -> bool:
        """Put a body into the spool; False where it has to wait in memory."""
        spans = count_spans(body)
        self._make_folder()
        receipt = self._spool.put(body)
        if receipt is None:
            _drop_for_lack_of_room(self._stats, spans)
        elif isinstance(receipt, tuple):
            self._stats.exported += spans
        return not isinstance(receipt, bytes)

    def rescue(self, bodies: list[bytes]) -> None:
        """Append bodies through a segment of their own."""
        waiting = self._spool.take_memory() + bodies
        self._make_folder()
        kept = self._spool.rescue(waiting)
        self._stats.exported += sum(map(count_spans, waiting[:kept]))
        self._stats.drop("at exit", sum(map(count_spans, waiting[kept:])))

    def close(self) -> None:
        """Give the segment up."""
        self._spool.close()

    def abandon(self) -> None:
        """Segments see to a fork themselves."""

    def _make_folder(self) -> None:
        with contextlib.suppress(OSError):  # the outbox meets it again, and says so
            make_store_folder(self._folder)


class ServerDelivery:
    """Posts to a server; owns the connection and the outbox."""

    def __init__(self, server: Server, stats: Stats, absorb: Callable[[], None]) -> None:
        self._server = server
        self._stats = stats
        self._absorb = absorb
        self._transport = HttpTransport(server)
        self._outbox = Outbox(outbox_directory(server.url), directory_mode=0o700)
        self._failures = 0
        self._away_until_s = self._asked_until_s = float("-inf")
        self._failed_at_s = self._catch_up_at_s = float("-inf")
        self._in_flight: bytes | None = None
        self._in_flight_since_s = 0.0
        self._receipt: Receipt | None = None

    def deliver(self, body: bytes) -> None:
        """Post a body, or keep it where the server is away."""
        if time.monotonic() < self._away_until_s:
            self.keep(body)
            return
        self._in_flight = body
        try:
            settled = self._try(body)
        finally:
            receipt, self._in_flight, self._receipt = self._receipt, None, None
        if not settled and receipt is None:
            self.keep(body)
        elif settled and receipt is not None:
            self._outbox.mark_delivered(receipt)
            self._catch_up_at_s = float("-inf")

    def keep(self, body: bytes) -> None:
        """Put a body into the outbox."""
        spans = count_spans(body)
        if self._outbox.put(body) is None:
            _drop_for_lack_of_room(self._stats, spans)
        else:
            self._stats.spooled += spans
            self._catch_up_at_s = float("-inf")

    def catch_up(self, *, at_once: bool = False) -> bool:
        """Send what waits in the outbox, of this process and of dead ones."""
        now_s = time.monotonic()
        # At once, but not a second time for a batch that failed just now.
        pause_until_s = self._away_until_s
        if at_once:
            pause_until_s = max(self._asked_until_s, self._failed_at_s + FAILED_JUST_NOW_S)
        if now_s < max(pause_until_s, self._catch_up_at_s):
            return False
        self._catch_up_at_s = now_s + CATCH_UP_INTERVAL_S
        deadline_s = now_s + CATCH_UP_BUDGET_S
        sent = 0
        is_late = False

        def send(body: bytes) -> bool:
            nonlocal sent, is_late
            is_late = sent > 0 and time.monotonic() > deadline_s
            sent += 1
            return not is_late and self._try(body)

        if not self._outbox.drain(send):
            self._catch_up_at_s = float("-inf")
        return is_late

    def pause_s(self) -> float:
        """Ask for a call when the server may be back, or when a dead process may have left some."""
        return max(self._away_until_s, self._catch_up_at_s) - time.monotonic()

    def is_settled(self) -> bool:
        """Say whether nothing of this process waits in the outbox."""
        return not self._outbox.holds_own()

    def rescue(self, bodies: list[bytes]) -> None:
        """Bring everything to the outbox on disk."""
        in_flight = self._in_flight
        if in_flight is not None:
            bodies = [body for body in bodies if body is not in_flight]
            if self._receipt is None:
                bodies = [in_flight, *bodies]
                self._receipt = in_flight
        waiting = self._outbox.take_memory() + bodies
        kept = self._outbox.rescue(waiting)
        self._stats.spooled += sum(map(count_spans, waiting[:kept]))
        self._stats.drop("at exit", sum(map(count_spans, waiting[kept:])))

    def close(self) -> None:
        """Close the connection and give the segment up."""
        self._transport.close()
        self._outbox.close()

    def abandon(self) -> None:
        """Let go of the parent's connection."""
        self._transport.abandon()

    def _while_waiting(self) -> None:
        waited_s = time.monotonic() - self._in_flight_since_s
        if waited_s < SAFETY_S:
            return
        if self._in_flight is not None and self._receipt is None:
            self._receipt = self._outbox.put(self._in_flight)
        self._absorb()

    def _try(self, body: bytes) -> bool:
        """Post a body; True where it is done with, False where it must wait."""
        self._in_flight_since_s = time.monotonic()
        outcome = self._transport.send(body, self._while_waiting)
        if outcome.verdict == "delivered":
            self._note_delivered(body, outcome)
            return True
        if outcome.verdict == "too_large":
            return self._split(body, outcome)
        if outcome.verdict == "refused":
            diagnostics.warn(
                "refused", "The server %s refused spans: %s", self._server.url, outcome.message
            )
            self._stats.drop("refused", count_spans(body))
            return True
        self._note_away(body, outcome)
        return False

    def _note_delivered(self, body: bytes, outcome: Outcome) -> None:
        self._failures = 0
        self._away_until_s = self._asked_until_s = float("-inf")
        spans = count_spans(body)
        rejected = min(outcome.rejected, spans)
        self._stats.exported += spans - rejected
        self._stats.drop("rejected", rejected)
        if outcome.message:
            diagnostics.warn(
                "partial_success",
                "The server %s took %d of %d spans as they were: %s",
                self._server.url,
                spans - rejected,
                spans,
                outcome.message,
            )

    def _note_away(self, body: bytes, outcome: Outcome) -> None:
        import random

        self._stats.retried += count_spans(body)
        grown_s = MAX_PAUSE_S if outcome.verdict == "hold" else FIRST_PAUSE_S * 2**self._failures
        pause_s = min(MAX_PAUSE_S, grown_s) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        # Its wish is a lower bound: spread the clients behind it.
        asked_s = outcome.retry_after_s * random.uniform(1.0, 1.1)  # noqa: S311
        now_s = time.monotonic()
        self._failures = min(self._failures + 1, 10)
        self._failed_at_s = now_s
        self._asked_until_s = now_s + asked_s
        self._away_until_s = now_s + max(pause_s, asked_s)
        diagnostics.warn(
            "server_away",
            "The server %s can't take spans now (%s); they wait in %s.",
            self._server.url,
            outcome.message,
            self._outbox.directory,
        )

    def _split(self, body: bytes, outcome: Outcome) -> bool:
        halves = split_body(body)
        if halves:
            return all(self._try(half) for half in halves)
        diagnostics.warn(
            "too_large",
            "A %s of %d bytes is too large for the server %s (%s) and was dropped.",
            "span" if count_spans(body) else "document or unfinished span",
            len(body),
            self._server.url,
            outcome.message,
        )
        self._stats.drop("too large", count_spans(body))
        return True


def _drop_for_lack_of_room(stats: Stats, spans: int) -> None:
    stats.drop("spool full", spans)
    diagnostics.warn("spool_full", "The spool is full; %d spans were dropped.", spans)
