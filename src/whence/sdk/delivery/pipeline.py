"""From ended spans to their destination, without the traced program noticing.

`submit` appends to a queue and returns: it takes no lock, never waits and never raises. One daemon
thread does the rest (`exporter`). It imports what it needs itself, and only once there is something
to send, so that the program's first span costs as little as the others.

A span beyond the bounds of the queue (`backlog`) is dropped and counted. A killed process loses at
most what it recorded within the last half second; of a trace whose root waits for the process's
context (`late`), at most the end.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from whence.sdk import diagnostics
from whence.sdk.delivery import signals
from whence.sdk.delivery.backlog import GATHER_S, HURRY_SPANS, Backlog, Move, Waiter
from whence.sdk.delivery.late import LateContext
from whence.sdk.delivery.stats import Stats
from whence.sdk.delivery.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from whence.sdk.delivery.batches import Exportable, ProcessDocument
    from whence.sdk.delivery.destination import Destination
    from whence.sdk.delivery.exporter import Exporter

FIRST_PENDING_S = 1.0
MAX_ITEMS = 100_000
MAX_QUEUE_BYTES = 64 << 20
FORK_PATIENCE_S = 2.0
ENDING_S = 60.0
CONTEXT_PATIENCE_S = 1.5  # a process about to end waits so long for the rest of its context


class Pipeline:
    """Owns the queue and the exporter thread of one process.

    The functions that it is given are called in its own threads only. `destination` may be text
    (a tracking URI), which is read when the first span leaves.
    """

    def __init__(
        self,
        resource_attributes: Callable[[], dict[str, Any]],
        collect_pending: Callable[[], list[Exportable]] = list,
        *,
        is_settled: Callable[[], bool] = lambda: True,
        resolve_late: Callable[[], object] = lambda: None,
        documents: Callable[[], Sequence[ProcessDocument]] = list,
        report_again: Callable[[], None] = lambda: None,
        destination: Destination | str | None = None,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_QUEUE_BYTES,
    ) -> None:
        self.resource_attributes = resource_attributes
        self.collect_pending = collect_pending
        self.documents = documents
        self._is_settled = is_settled
        self._report_again = report_again
        self._resolve_late = resolve_late
        self._destination = destination  # where the next span goes; None: see the settings
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._renew()
        self.start()

    def _renew(self) -> None:
        """Set everything that a forked child must not share with its parent."""
        self._stats = Stats(drop_reasons={})
        self.backlog = Backlog(self._stats, self._max_items, self._max_bytes)
        self.context_version = 0
        self.is_late_due = True
        self.late = LateContext(
            self._is_settled, self._resolve_late, self.refresh, self.backlog.bell
        )
        self._first_destination = self._destination
        self._starting = threading.Lock()
        self._preparing = threading.Lock()
        self._preparing_is_held = False
        self._thread: Worker | None = None
        self._exporter: Exporter | None = None

    # --- the traced program's side ------------------------------------------------------------

    def submit(self, item: Exportable) -> None:
        """Hand an ended span over. Never waits, never raises."""
        try:
            self.backlog.add(item)
            if self._thread is None:
                self.start()
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("handing a span over", error)

    def report(self, item: Exportable) -> None:
        """Hand over what is no ended span, such as a root that is still open elsewhere."""
        self.submit(item)
        self._stats.recorded -= 1

    def start(self) -> None:
        """Start the exporter thread if there is none; after `shutdown`, write to disk instead."""
        if self.backlog.is_closed:
            self._rescue()
            return
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._thread is None:
                signals.watch(self)
                self._thread = Worker(self._run, "whence-exporter")
        except RuntimeError:  # the interpreter is going down
            self.backlog.is_closed = True
            self._rescue()
        finally:
            self._starting.release()

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Deliver what was submitted before this call; True where it has arrived.

        False says that it waits in the spool (the server is away), or that time ran out.
        """
        thread = self._thread
        if thread is None or thread.is_current() or not thread.is_alive():
            return False
        if self._exporter is None and not self.backlog.queue:
            return True  # nothing was submitted yet
        waiter = Waiter()
        self.backlog.waiters.append(waiter)
        self.backlog.bell.ring()
        return waiter.bell.wait(timeout_s) and waiter.is_delivered

    def hurry(self, timeout_s: float) -> bool:
        """Flush; what has not left by then goes to disk. For a process about to end.

        It may go on for a while, as a server that finishes its requests does; what ends meanwhile
        leaves at once, for the end may come without notice.
        """
        is_delivered = False
        self.backlog.ending_until_s = time.monotonic() + ENDING_S
        try:
            self.late.hasten(CONTEXT_PATIENCE_S)
            is_delivered = self.flush(timeout_s)
        finally:  # Ctrl-C in the meantime
            if not is_delivered:
                self._rescue()
        return is_delivered

    def shutdown(self, timeout_s: float = signals.EXIT_FLUSH_S) -> bool:
        """Flush, stop the thread, give files and connections up."""
        if self.backlog.is_closed:
            return True
        is_delivered = False
        try:
            self.late.hasten(CONTEXT_PATIENCE_S)
            is_delivered = self.flush(timeout_s)
        finally:
            self.backlog.is_closed = True
            self.backlog.bell.ring()
            if self._thread is not None and not self._thread.is_current():
                self._thread.join(1.0 if is_delivered else 0.1)
            self._thread = None
            self._rescue()
        return is_delivered

    def set_destination(self, destination: Destination) -> None:
        """Send what is submitted from now on elsewhere."""
        if destination != self._destination:
            self._destination = destination
            self.backlog.queue.append(Move(destination))

    def invalidate_resource(self) -> None:
        """Ask for the resource attributes anew, and for the late ones if they are missing."""
        self.is_late_due = True
        self.context_version += 1

    def stats(self) -> Stats:
        """Return a copy of the counts."""
        backlog = self.backlog
        snapshot = msgspec.structs.replace(
            self._stats,
            drop_reasons=dict(self._stats.drop_reasons),
            queued=len(backlog.queue) + len(backlog.held),
        )
        snapshot.drop("queue full", backlog.overflowed)
        return snapshot

    # --- the exporter thread ------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.late.start()
            if self._wait_for_work():
                with self.preparing():
                    exporter = self._get_exporter()
                exporter.run()
        except Exception as error:  # noqa: BLE001 - such as an import that fails
            diagnostics.caught("starting the exporter", error)

    def _wait_for_work(self) -> bool:
        """Wait without the interpreter's lock; False where there will be none."""
        backlog = self.backlog
        began_s = time.monotonic()
        backlog.sleeps = True
        while not backlog.queue and not backlog.waiters and not backlog.is_closed:
            backlog.bell.wait(FIRST_PENDING_S)
            if time.monotonic() - began_s >= FIRST_PENDING_S:
                break  # open traces may have to be reported
        backlog.sleeps = False
        due_s = time.monotonic() + GATHER_S
        while 0 < len(backlog.queue) < HURRY_SPANS and not backlog.waiters:
            left_s = due_s - time.monotonic()
            if left_s <= 0 or backlog.is_closed:
                break
            backlog.bell.wait(left_s)
        return not backlog.is_closed

    def _get_exporter(self) -> Exporter:
        if self._exporter is None:
            from whence.sdk.delivery.exporter import Exporter

            self._exporter = self._exporter or Exporter(self, self._first_destination)
        return self._exporter

    def _rescue(self) -> None:
        """Write everything that waits to disk, whatever the exporter thread is at."""
        try:
            if self._exporter is not None or self.backlog.queue:
                self._get_exporter().rescue()
        except Exception as error:  # noqa: BLE001 - nothing may disturb the process's end
            diagnostics.caught("bringing spans to disk", error)

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """Do what may import modules: a fork waits for it."""
        is_held = self._preparing.acquire(timeout=FORK_PATIENCE_S)
        try:
            yield
        finally:
            if is_held:
                self._preparing.release()

    def refresh(self) -> None:
        """Ask for the resource attributes anew, because the late ones are there.

        Open traces that were reported without them are reported again.
        """
        self.context_version += 1
        self._report_again()

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
        if self._exporter is not None:
            self._exporter.abandon()
        self._renew()
