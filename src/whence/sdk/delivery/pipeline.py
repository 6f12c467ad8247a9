"""From ended spans to their destination, without the traced program noticing.

`submit` appends to a queue and returns: it takes no lock, never waits and never raises. One daemon
thread takes the queue, groups the spans by experiment, encodes them and hands the bodies to the
`Delivery`. After a quiet time it waits only `GATHER_S` for the rest of the trace, then at most
`INTERVAL_S` between two batches, less when `HURRY_SPANS` wait. About once a second it asks
`collect_pending` for the roots that are still open.

The queue is bounded by its count and by the estimated memory behind it (`size_bytes` of an item,
where it has one); a span beyond that is dropped and counted. A killed process loses at most what
it recorded within the last `INTERVAL_S`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, settings
from whence.sdk.delivery import signals, transport
from whence.sdk.delivery.batches import Exportable, encode_items
from whence.sdk.delivery.bell import Bell
from whence.sdk.delivery.destination import Destination, LocalStore, Server, parse_destination
from whence.sdk.delivery.outlet import Delivery, open_delivery
from whence.sdk.delivery.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Exportable", "Pipeline", "Stats"]

GATHER_S = 0.03
INTERVAL_S = 0.5
PENDING_INTERVAL_S = 1.0
HURRY_SPANS = 512
BATCH_SPANS = 2048
MAX_ITEMS = 100_000
MAX_QUEUE_BYTES = 64 << 20
DEFAULT_ITEM_BYTES = 2_000
FORK_PATIENCE_S = 2.0


class _Waiter:
    """Somebody who called `flush`."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.is_delivered = False


class Pipeline:
    """Owns the queue and the exporter thread of one process."""

    def __init__(
        self,
        resource_attributes: Callable[[], dict[str, Any]],
        collect_pending: Callable[[], list[Exportable]] = list,
        *,
        destination: Destination | None = None,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_QUEUE_BYTES,
    ) -> None:
        self._resource_attributes = resource_attributes
        self._collect_pending = collect_pending
        self._destination = destination  # where the next span goes; None: see the settings
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._renew()
        self.start()

    def _renew(self) -> None:
        """Set everything that a forked child must not share with its parent."""
        self._queue: deque[Exportable | Server | LocalStore] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._bell = Bell()
        self._starting = threading.Lock()
        self._preparing = threading.Lock()
        self._preparing_is_held = False
        self._thread: threading.Thread | None = None
        self._delivery: Delivery | None = None
        self._delivers_to = self._destination  # the exporter's, behind by what is queued
        self._has_more = False
        self._resource: dict[str, Any] | None = None
        self._stats = Stats(drop_reasons={})
        self._bytes_in = self._bytes_out = 0
        self._overflowed = 0
        self._sleeps = False
        self._is_closed = False
        self._exported_at_s = self._pending_at_s = float("-inf")

    # --- the traced program's side ------------------------------------------------------------

    def submit(self, item: Exportable) -> None:
        """Hand an ended span over. Never waits, never raises."""
        try:
            size = getattr(item, "size_bytes", DEFAULT_ITEM_BYTES)
            self._stats.recorded += 1
            waiting = len(self._queue)
            if waiting >= self._max_items or (
                self._bytes_in - self._bytes_out + size > self._max_bytes and waiting
            ):
                self._overflowed += 1
                return
            self._bytes_in += size
            self._queue.append(item)
            if self._sleeps or waiting == HURRY_SPANS:
                self._sleeps = False
                self._bell.ring()
            if self._thread is None:
                self.start()
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("handing a span over", error)

    def start(self) -> None:
        """Start the exporter thread if there is none; after `shutdown`, write to disk instead."""
        if self._is_closed:
            self._rescue()
            return
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._thread is None:
                signals.watch(self)
                thread = threading.Thread(target=self._run, name="whence-exporter", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the interpreter is going down
            self._is_closed = True
            self._rescue()
        finally:
            self._starting.release()

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Deliver what was submitted before this call; True where it has arrived.

        False says that it waits in the spool (the server is away), or that time ran out.
        """
        thread = self._thread
        if thread is None or thread is threading.current_thread() or not thread.is_alive():
            return False
        waiter = _Waiter()
        self._waiters.append(waiter)
        self._bell.ring()
        return waiter.bell.wait(timeout_s) and waiter.is_delivered

    def hurry(self, timeout_s: float) -> bool:
        """Flush; what has not left by then goes to disk. For a process about to end."""
        is_delivered = False
        try:
            is_delivered = self.flush(timeout_s)
        finally:  # Ctrl-C in the meantime
            if not is_delivered:
                self._rescue()
        return is_delivered

    def shutdown(self, timeout_s: float = signals.EXIT_FLUSH_S) -> bool:
        """Flush, stop the thread, give files and connections up."""
        if self._is_closed:
            return True
        is_delivered = False
        try:
            is_delivered = self.flush(timeout_s)
        finally:
            self._is_closed = True
            self._bell.ring()
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(1.0 if is_delivered else 0.1)
            self._thread = None
            self._rescue()
        return is_delivered

    def set_destination(self, destination: Destination) -> None:
        """Send what is submitted from now on elsewhere."""
        if destination != self._destination:
            self._destination = destination
            self._queue.append(destination)

    def invalidate_resource(self) -> None:
        """Ask for the resource attributes anew."""
        self._resource = None

    def stats(self) -> Stats:
        """Return a copy of the counts."""
        snapshot = msgspec.structs.replace(
            self._stats, drop_reasons=dict(self._stats.drop_reasons), queued=len(self._queue)
        )
        snapshot.drop("queue full", self._overflowed)
        return snapshot

    # --- the exporter thread ------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closed:
            try:
                self._wait_until_due()
                self._work()
            except Exception as error:  # noqa: BLE001, PERF203 - the thread must live
                diagnostics.caught("exporting spans", error)
                self._bell.wait(INTERVAL_S)
        if self._delivery is not None:
            self._delivery.close()

    def _wait_until_due(self) -> None:
        if not (self._queue or self._has_more or self._is_called()):
            self._sleeps = True
            if not (self._queue or self._is_called()):  # what came before it could see us asleep
                pause_s = self._delivery.pause_s() if self._delivery else PENDING_INTERVAL_S
                self._bell.wait(min(pause_s, PENDING_INTERVAL_S))
            self._sleeps = False
        due_s = max(time.monotonic() + GATHER_S, self._exported_at_s + INTERVAL_S)
        while 0 < len(self._queue) < HURRY_SPANS and not self._is_called():
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return
            self._bell.wait(left_s)

    def _is_called(self) -> bool:
        return bool(self._waiters) or self._is_closed

    def _work(self) -> None:
        waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
        unanswered = waiters.copy()
        try:
            self._export_queue()
            self._export_pending()
            delivery = self._current_delivery()
            self._has_more = delivery.catch_up(at_once=bool(waiters))
            if not delivery.is_settled() and self._has_more:
                self._waiters.extend(waiters)
                unanswered.clear()
            for waiter in unanswered:
                waiter.is_delivered = delivery.is_settled()
        finally:
            for waiter in unanswered:
                waiter.bell.ring()

    def _export_queue(self) -> None:
        """Deliver everything that is queued now."""
        end = len(self._queue)
        while end > 0:
            items, destination = self._take(min(end, BATCH_SPANS))
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
            self._deliver(self._collect_pending())

    def _deliver(self, items: list[Exportable]) -> None:
        for body in self._encode(items):
            delivery = self._current_delivery()
            try:
                delivery.deliver(body)
            except Exception as error:  # noqa: BLE001 - our own fault must not lose spans
                diagnostics.caught("delivering spans", error)
                delivery.keep(body)

    def _absorb(self) -> None:
        """Bring what is queued to safety while a server lets us wait."""
        while self._queue and not isinstance(self._queue[0], (Server, LocalStore)):
            items, destination = self._take(BATCH_SPANS)
            for body in self._encode(items):
                self._current_delivery().keep(body)
            if destination is not None:
                self._queue.appendleft(destination)

    def _rescue(self) -> None:
        """Write everything that is queued to disk, whatever the exporter thread is at."""
        if not self._queue and self._delivery is None:
            return
        try:
            delivery = self._delivery or self._open()
            while True:
                items, destination = self._take(BATCH_SPANS)
                delivery.rescue(self._encode(items))
                if destination is not None:
                    delivery = open_delivery(destination, self._stats)
                elif not items:
                    return
        except Exception as error:  # noqa: BLE001 - nothing may disturb the process's end
            diagnostics.caught("bringing spans to disk", error)

    def _take(self, limit: int) -> tuple[list[Exportable], Destination | None]:
        """Take items off the queue, up to a new destination. Safe from several threads."""
        items: list[Exportable] = []
        while len(items) < limit:
            try:
                item = self._queue.popleft()
            except IndexError:
                break
            if isinstance(item, (Server, LocalStore)):
                return items, item
            self._bytes_out += getattr(item, "size_bytes", DEFAULT_ITEM_BYTES)
            items.append(item)
        return items, None

    def _encode(self, items: list[Exportable]) -> list[bytes]:
        return encode_items(items, self._context(), self._stats) if items else []

    def _context(self) -> dict[str, Any]:
        """Return the resource attributes, asked for once."""
        if self._resource is None:
            with self._prepare():
                try:
                    self._resource = self._resource_attributes()
                except Exception as error:  # noqa: BLE001 - spans go without it
                    diagnostics.caught("reading the process's context", error)
                    self._resource = {}
        return self._resource

    # --- the way out --------------------------------------------------------------------------

    def _current_delivery(self) -> Delivery:
        if self._delivery is None:
            self._delivery = self._open()
        return self._delivery

    def _open(self) -> Delivery:
        destination = self._delivers_to
        if destination is None:
            try:
                destination = parse_destination(settings.active_url())
            except InvalidInputError as error:
                destination = parse_destination(settings.DEFAULT_URL)
                diagnostics.warn_once(
                    "bad_settings", "%s; traces go to %s.", error.message, settings.DEFAULT_URL
                )
        if isinstance(destination, Server):
            with self._prepare():
                transport.load()
        return open_delivery(destination, self._stats, self._absorb)

    def _redirect(self, destination: Destination) -> None:
        old = self._current_delivery()
        old.catch_up(at_once=True)
        old.rescue([])
        old.close()
        self._delivers_to, self._delivery = destination, None

    @contextlib.contextmanager
    def _prepare(self) -> Iterator[None]:
        """Do what may import modules: a fork waits for it."""
        is_held = self._preparing.acquire(timeout=FORK_PATIENCE_S)
        try:
            yield
        finally:
            if is_held:
                self._preparing.release()

    # --- fork ---------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait for imports of the exporter thread: the child could never finish them."""
        self._preparing_is_held = self._preparing.acquire(timeout=FORK_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Let the exporter thread go on."""
        if self._preparing_is_held:
            self._preparing.release()

    def after_fork_in_child(self) -> None:
        """Start empty: what was queued is the parent's to send."""
        if self._delivery is not None:
            self._delivery.abandon()
        self._renew()
