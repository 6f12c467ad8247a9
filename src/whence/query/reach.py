"""How far back pages of a kind of search reach, learned from those that were read.

The engine reads ahead in every part of `traces`, also in parts that are older than the whole page.
A bound on the time spares that: two thirds of the time of a page of one name, at ten million
traces. How far a page reaches, nobody knows beforehand; but pages of filters that differ only in
their values reach about as far. So a bound is guessed where the last ones were full, and what a
page lacks is read behind the bound: a wrong guess costs a statement, and never a trace.

Limits: what is learned is lost with the process. Filters that speak of times are left alone.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from whence.query.filters import comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.query.filters import Filter
    from whence.store.connection import Store

MAX_KINDS = 256
REMEMBERED = 8  # pages of a kind
NEEDED = 3
ROOM = 1.5  # how much further than the farthest of them
MIN_REACH_MS = 1000
FARTHEST_MS = 10**14
TIMES = ("timestamp_ms", "end_time_ms")

Kind = tuple[object, ...]


def kind_of(tree: Filter | None, experiment_ids: Sequence[str], size: int) -> Kind | None:
    """Return what searches have in common that differ in values only; None: nothing is learned.

    `size` is how many traces are asked for.
    """
    compared = [] if tree is None else list(comparisons(tree))
    if any(one.field.kind == "attribute" and one.field.key in TIMES for one in compared):
        return None
    return (size, tuple(experiment_ids), *((one.field, one.operator) for one in compared))


@dataclass
class _Pages:
    """What was seen of a kind: its newest trace, and how far back each of its last pages went."""

    newest_ms: int | None = None
    reaches: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Reaches:
    """What is known of one store's pages. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: OrderedDict[Kind, _Pages] = OrderedDict()

    def guess_ms(self, kind: Kind, from_ms: int | None) -> int | None:
        """Return the time that a page probably doesn't reach beyond, None where that is unknown.

        `from_ms` is the time of the position that the page begins at, None at the newest.
        """
        with self._lock:
            pages = self._kinds.get(kind)
            if pages is None or len(pages.reaches) < NEEDED:
                return None
            start_ms = pages.newest_ms if from_ms is None else from_ms
            farthest = max(pages.reaches)
        if start_ms is None or max(farthest, abs(start_ms)) > FARTHEST_MS:
            return None
        return start_ms - int(max(farthest, MIN_REACH_MS) * ROOM)

    def learn(
        self, kind: Kind, from_ms: int | None, times_ms: Sequence[int], *, full: bool
    ) -> None:
        """Take note of a page: when its traces began, in order, and whether there are more."""
        with self._lock:
            pages = self._kinds.setdefault(kind, _Pages())
            self._kinds.move_to_end(kind)
            if len(self._kinds) > MAX_KINDS:
                self._kinds.popitem(last=False)
            if times_ms and from_ms is None:
                pages.newest_ms = max(times_ms[0], pages.newest_ms or times_ms[0])
            start_ms = pages.newest_ms if from_ms is None else from_ms
            reach = start_ms - times_ms[-1] if full and start_ms is not None else math.inf
            pages.reaches.append(reach)


_of_store: WeakKeyDictionary[Store, Reaches] = WeakKeyDictionary()


def reaches_of(store: Store) -> Reaches:
    """Return what is known of a store's pages."""
    return _of_store.setdefault(store, Reaches())
