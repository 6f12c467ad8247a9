"""What this process has recorded and not yet sent: the calling threads put in, the exporter takes.

`queue` is in the order of `add`; a `Move` in it says that what follows goes elsewhere. `held` are
the roots that wait for the rest of the process's context. Both count in the bounds: a number, and
an estimate of the memory behind it (`size_bytes` of an item, where it has one). What is beyond is
dropped and counted. `add` takes no lock; `take` and `release` may be called from several threads.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from whence.sdk.delivery.bell import Bell

if TYPE_CHECKING:
    from whence.sdk.delivery.batches import Exportable
    from whence.sdk.delivery.destination import Destination
    from whence.sdk.delivery.stats import Stats

HURRY_SPANS = 512
GATHER_S = 0.03
DEFAULT_ITEM_BYTES = 2_000


class Move:
    """In the queue: what follows goes to this destination."""

    __slots__ = ("destination",)

    def __init__(self, destination: Destination) -> None:
        self.destination = destination


class Waiter:
    """Somebody who called `flush`."""

    __slots__ = ("bell", "is_delivered")

    def __init__(self) -> None:
        self.bell = Bell()
        self.is_delivered = False


class Backlog:
    """The state that the program's threads and the exporter share."""

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_max_bytes",
        "_max_items",
        "bell",
        "ending_until_s",
        "held",
        "is_closed",
        "overflowed",
        "queue",
        "sleeps",
        "stats",
        "waiters",
    )

    def __init__(self, stats: Stats, max_items: int, max_bytes: int) -> None:
        self.stats = stats
        self.queue: deque[Exportable | Move] = deque()
        self.held: deque[Exportable] = deque()
        self.waiters: deque[Waiter] = deque()
        self.bell = Bell()
        self.sleeps = False  # the exporter has nothing to do, and wants to be called
        self.is_closed = False
        self.ending_until_s = float("-inf")  # until then nothing is gathered: each moment counts
        self.overflowed = 0
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._bytes_in = self._bytes_out = 0

    def add(self, item: Exportable) -> None:
        """Put an ended span in; never waits."""
        size = getattr(item, "size_bytes", DEFAULT_ITEM_BYTES)
        self.stats.recorded += 1
        queued = len(self.queue)
        waiting = queued + len(self.held)
        if waiting >= self._max_items or (
            self._bytes_in - self._bytes_out + size > self._max_bytes and waiting
        ):
            self.overflowed += 1
            return
        self._bytes_in += size
        self.queue.append(item)
        if self.sleeps or queued == HURRY_SPANS:
            self.sleeps = False
            self.bell.ring()

    def take(self, limit: int) -> tuple[list[Exportable], Destination | None]:
        """Take items off the queue, up to a new destination."""
        items: list[Exportable] = []
        while len(items) < limit:
            try:
                item = self.queue.popleft()
            except IndexError:
                break
            if isinstance(item, Move):
                return items, item.destination
            self._bytes_out += getattr(item, "size_bytes", DEFAULT_ITEM_BYTES)
            items.append(item)
        return items, None

    def hold(self, items: list[Exportable]) -> None:
        """Put items that were taken aside."""
        for item in items:
            self._bytes_out -= getattr(item, "size_bytes", DEFAULT_ITEM_BYTES)
        self.held.extend(items)

    def release(self) -> list[Exportable]:
        """Take everything that was put aside."""
        items: list[Exportable] = []
        while True:
            try:
                items.append(self.held.popleft())
            except IndexError:
                break
            self._bytes_out += getattr(items[-1], "size_bytes", DEFAULT_ITEM_BYTES)
        return items

    def fullness(self) -> float:
        """Return which share of the bounds is taken, 0.0 to 1.0."""
        spans = (len(self.queue) + len(self.held)) / self._max_items
        return max(spans, (self._bytes_in - self._bytes_out) / self._max_bytes)

    def is_crowded(self) -> bool:
        """Say whether what is held takes the room of what is to come."""
        return len(self.held) * 2 > self._max_items or (
            (self._bytes_in - self._bytes_out) * 2 > self._max_bytes
        )
