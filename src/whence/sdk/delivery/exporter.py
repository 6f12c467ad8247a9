"""The exporter thread's work: takes the backlog, encodes it and hands bodies to the `Delivery`.

After a quiet time it waits only `GATHER_S` for the rest of the trace, then at most `INTERVAL_S`
between two batches, less when `HURRY_SPANS` wait. About once a second it asks for the roots that
are still open. While the process's context is incomplete (`late`) it keeps roots back, so that
they carry all of it; their children go, and after a second so does what is known of the root.

Documents of the process (such as the diff of its work tree) go once to each destination, before
the first spans that follow them. Everything here runs in the exporter thread, except `rescue`,
which also takes what that thread holds at the moment: it may be about to wait for a file, a name or
a connection, and the process ends. What both bring to safety comes twice, which is harmless.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.delivery import transport
from whence.sdk.delivery.backlog import GATHER_S, HURRY_SPANS, Move, Waiter
from whence.sdk.delivery.batches import Exportable, encode_documents, encode_items
from whence.sdk.delivery.destination import (
    Destination,
    LocalStore,
    Server,
    absolute_path,
    parse_destination,
    refuge,
)
from whence.sdk.delivery.outlet import Delivery, open_delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.sdk.delivery.pipeline import Pipeline

INTERVAL_S = 0.5
PENDING_INTERVAL_S = 1.0
BATCH_SPANS = 2048
LARGE_BATCH_SPANS = 8192  # bodies are as large as they may be: fewer requests a span
SLICE_SPANS = 8
CALM_FULLNESS = 0.2  # up to here the queue has room enough to let the program go first


class Exporter:
    """Owns the way to the current destination."""

    def __init__(self, pipeline: Pipeline, destination: Destination | str | None) -> None:
        self._pipeline = pipeline
        self._backlog = pipeline.backlog
        self._late = pipeline.late
        self._stats = pipeline.backlog.stats
        self._destination = destination
        self._delivery: Delivery | None = None
        self._encoded: deque[bytes] = deque()  # bodies of a batch that wait for those before them
        self._taken: list[Exportable] = []  # off the queue, and not encoded yet
        self._handed: list[bytes] = []  # bodies that the destination has, or is about to get
        self._has_more = False
        self._resource: dict[str, Any] = {}
        self._resource_version = -1
        self._are_documents_due = True
        self._sent_documents: set[tuple[str, str]] = set()
        self._patient: list[Waiter] = []  # callers of `flush` who wait for what is held
        self._shown = 0  # of what is held, how many have been reported as pending
        self._exported_at_s = self._pending_at_s = float("-inf")

    def run(self) -> None:
        """Export until the pipeline is closed."""
        while not self._backlog.is_closed:
            try:
                self._work()
                self._wait_until_due()
            except Exception as error:  # noqa: BLE001, PERF203 - the thread must live
                diagnostics.caught("exporting spans", error)
                self._backlog.bell.wait(INTERVAL_S)
        if self._delivery is not None:
            self._delivery.close()

    def rescue(self) -> None:
        """At the process's end, from any thread: write everything that waits to disk."""
        backlog = self._backlog
        unsent = {id(item): item for item in (*backlog.release(), *self._taken)}
        items, destination = list(unsent.values()), None
        bodies = [*self._handed, *self._take_encoded()]
        delivery = self._delivery
        if delivery is None:
            if not (backlog.queue or items or bodies):
                return
            delivery = open_delivery(self._find_destination(), self._stats)  # nothing is loaded
        while True:
            self._note_incomplete(items)
            delivery.rescue([*bodies, *self._encode(items)])
            if destination is not None:
                delivery = open_delivery(destination, self._stats)
            items, destination = backlog.take(BATCH_SPANS)
            bodies = []
            if not items and destination is None:
                return

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's."""
        if self._delivery is not None:
            self._delivery.abandon()

    # --- waiting ------------------------------------------------------------------------------

    def _wait_until_due(self) -> None:
        backlog = self._backlog
        if not self._is_due():
            backlog.sleeps = True
            if not self._is_due():  # what came before it could see us asleep
                backlog.bell.wait(self._pause_s())
            backlog.sleeps = False
        due_s = max(time.monotonic() + GATHER_S, self._exported_at_s + INTERVAL_S)
        if time.monotonic() < backlog.ending_until_s:
            return
        while 0 < len(backlog.queue) < HURRY_SPANS and not self._is_called():
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return
            backlog.bell.wait(left_s)

    def _is_due(self) -> bool:
        has_spans = bool(self._backlog.queue) and not self._is_stuck()
        return has_spans or self._has_more or self._is_called()

    def _is_called(self) -> bool:
        backlog = self._backlog
        return bool(backlog.waiters) or backlog.is_closed or self._may_release()

    def _pause_s(self) -> float:
        pause_s = PENDING_INTERVAL_S
        if self._delivery is not None:
            pause_s = min(pause_s, self._delivery.pause_s())
        if self._backlog.held:
            pause_s = min(pause_s, self._late.left_s())
        return pause_s

    def _may_release(self) -> bool:
        return bool(self._backlog.held) and not self._late.is_awaited()

    def _is_stuck(self) -> bool:
        """Say whether a new destination waits until the roots for the old one may go."""
        backlog = self._backlog
        is_move = bool(backlog.queue) and isinstance(backlog.queue[0], Move)
        return is_move and bool(backlog.held) and self._late.is_awaited()

    # --- one round ----------------------------------------------------------------------------

    def _work(self) -> None:
        backlog = self._backlog
        waiters = [backlog.waiters.popleft() for _ in range(len(backlog.waiters))]
        waiters += self._patient
        self._patient.clear()
        unanswered = waiters.copy()
        try:
            self._export_held()
            self._export_queue()
            self._export_pending()
            delivery = self._current_delivery()
            self._has_more = delivery.catch_up(at_once=bool(waiters))
            if backlog.held:
                self._patient.extend(unanswered)
                unanswered.clear()
            elif self._has_more and not delivery.is_settled():
                backlog.waiters.extend(unanswered)
                unanswered.clear()
            for waiter in unanswered:
                waiter.is_delivered = delivery.is_settled()
        finally:
            for waiter in unanswered:
                waiter.bell.ring()

    def _export_held(self) -> None:
        if self._may_release():
            self._shown = 0
            self._deliver(self._backlog.release())

    def _export_queue(self) -> None:
        """Deliver everything that is queued now."""
        end = len(self._backlog.queue)
        while end > 0 and not self._is_stuck():
            is_calm = self._backlog.fullness() < 2 * CALM_FULLNESS
            batch = BATCH_SPANS if is_calm else LARGE_BATCH_SPANS
            items, destination = self._backlog.take(min(end, batch))
            end -= len(items) + (destination is not None)
            self._exported_at_s = time.monotonic()
            self._deliver(items)
            if destination is not None:
                self._redirect(destination)
            elif not items:
                return  # another thread rescued the rest

    def _export_pending(self) -> None:
        now_s = time.monotonic()
        if now_s - self._pending_at_s >= PENDING_INTERVAL_S:
            self._pending_at_s = now_s
            self._deliver([*self._pipeline.collect_pending(), *self._held_as_pending()])

    def _held_as_pending(self) -> list[Exportable]:
        """Return what is known of the roots that wait, so that a kill does not lose all of it."""
        held = list(self._backlog.held)
        if not held or self._late.age_s() < PENDING_INTERVAL_S:
            return []
        fresh, self._shown = held[self._shown :], len(held)
        return [item.as_pending() for item in fresh if hasattr(item, "as_pending")]

    # --- delivering ---------------------------------------------------------------------------

    def _deliver(self, items: list[Exportable]) -> None:
        self._encode_later(items)
        for body in self._hand_over():
            delivery = self._current_delivery()
            try:
                delivery.deliver(body)
            except Exception as error:  # noqa: BLE001 - our own fault must not lose spans
                diagnostics.caught("delivering spans", error)
                delivery.keep(body)

    def _take_encoded(self) -> Iterator[bytes]:
        """Take the bodies that wait one by one; another thread may take the rest meanwhile."""
        with suppress(IndexError):
            while True:
                yield self._encoded.popleft()

    def _hand_over(self) -> Iterator[bytes]:
        """Take the bodies that wait one by one, and hold each until it is dealt with."""
        for body in self._take_encoded():
            self._handed.append(body)
            try:
                yield body
            finally:
                self._handed.remove(body)

    def _encode_later(self, items: list[Exportable]) -> None:
        """Put items that were taken behind the bodies that wait."""
        self._taken = items
        self._taken = self._hold_back(items)
        self._encoded.extend(self._encode(self._taken))
        self._taken = []

    def _absorb(self) -> None:
        """Bring what is queued to safety while a server lets us wait."""
        self._keep_encoded()
        backlog = self._backlog
        while backlog.queue and not isinstance(backlog.queue[0], Move):
            items, destination = backlog.take(BATCH_SPANS)
            self._encode_later(items)
            self._keep_encoded()
            if destination is not None:
                backlog.queue.appendleft(Move(destination))
        if self._may_release():
            self._encode_later(backlog.release())
            self._keep_encoded()

    def _keep_encoded(self) -> None:
        for body in self._hand_over():
            self._current_delivery().keep(body)

    def _hold_back(self, items: list[Exportable]) -> list[Exportable]:
        """Put roots aside while the context is incomplete; return what may go now."""
        if not items:
            return items
        self._context()  # the first call begins to complete it
        if not self._late.is_awaited():
            self._note_incomplete(items)
            return items
        roots = [item for item in items if _is_root(item)]
        self._backlog.hold(roots)
        if self._backlog.is_crowded():
            self._late.give_up()
        return [item for item in items if not _is_root(item)] if roots else items

    def _note_incomplete(self, items: list[Exportable]) -> None:
        if self._late.is_running or self._late.is_lost:
            for _ in filter(_is_root, items):
                diagnostics.warn(
                    "late_context",
                    "The process's context took too long, or the process ended too soon; a trace "
                    "goes without the part that is missing (is the work tree dirty, the nearest "
                    "tag).",
                )

    def _encode(self, items: list[Exportable]) -> list[bytes]:
        if not items:
            return []
        context = self._context()
        documents = self._encode_documents()
        return [*documents, *encode_items(items, context, self._stats, self._slice_spans)]

    def _slice_spans(self) -> int:
        """Return how many spans to encode at a stretch: more when many wait, all in a hurry."""
        backlog = self._backlog
        if backlog.waiters or backlog.is_closed or time.monotonic() < backlog.ending_until_s:
            return BATCH_SPANS
        excess = backlog.fullness() - CALM_FULLNESS
        return SLICE_SPANS if excess <= 0 else SLICE_SPANS + int(excess * LARGE_BATCH_SPANS)

    def _encode_documents(self) -> list[bytes]:
        """Return the documents of the process that this destination does not have."""
        if not self._are_documents_due or self._late.is_running:
            return []
        self._are_documents_due = False
        try:
            fresh = {
                (one.kind, one.hash): one
                for one in self._pipeline.documents()
                if (one.kind, one.hash) not in self._sent_documents
            }
            self._sent_documents.update(fresh)
            return encode_documents(fresh.values())
        except Exception as error:  # noqa: BLE001 - spans go without them
            diagnostics.caught("encoding documents", error)
            return []

    def _context(self) -> dict[str, Any]:
        """Return the resource attributes, asked for once, and again when they have changed."""
        pipeline = self._pipeline
        version = pipeline.context_version
        if self._resource_version != version:
            with pipeline.preparing():
                try:
                    self._resource = pipeline.resource_attributes()
                except Exception as error:  # noqa: BLE001 - spans go without it
                    diagnostics.caught("reading the process's context", error)
                if pipeline.is_late_due:
                    pipeline.is_late_due = not self._late.begin()
            self._resource_version = version
            self._are_documents_due = True
        return self._resource

    # --- the way out --------------------------------------------------------------------------

    def _current_delivery(self) -> Delivery:
        if self._delivery is None:
            self._delivery = self._open()
        return self._delivery

    def _open(self) -> Delivery:
        destination = self._find_destination()
        if isinstance(destination, Server):
            with self._pipeline.preparing():
                transport.load()
        return open_delivery(destination, self._stats, self._absorb)

    def _find_destination(self) -> Destination:
        destination = self._destination
        if destination is None or isinstance(destination, str):
            destination = _read_destination(destination or settings.active_url())
        return destination

    def _redirect(self, destination: Destination) -> None:
        before, self._delivery = self._delivery, None
        self._destination = destination  # from now on, also where another thread rescues
        self._are_documents_due = True
        self._sent_documents.clear()
        if before is not None:
            before.catch_up(at_once=True)
            before.rescue([])
            before.close()


def _is_root(item: Exportable) -> bool:
    """Say whether the trace's context travels on this item."""
    return getattr(item, "carries_context", False)


def _read_destination(uri: str) -> Destination:
    """Return what a URI names; where it names nothing, a place to keep spans."""
    try:
        return parse_destination(uri)
    except InvalidInputError as error:
        try:
            instead = LocalStore(absolute_path(settings.DEFAULT_URL))
        except InvalidInputError:  # a path in a folder that is gone
            instead = refuge()
        diagnostics.warn_once("bad_settings", "%s; traces go to %s.", error.message, instead.path)
        return instead
