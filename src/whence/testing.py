"""For tests of traced programs: spans in memory, ids and times that repeat.

>>> import whence, whence.testing
>>> with whence.testing.capture_spans() as spans:
...     with whence.start_span("plan"):
...         pass
>>> spans.names()
['plan']
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.sdk import runtime
from whence.sdk.capture import ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.otlp.records import SpanRecord
    from whence.sdk.delivery.batches import Exportable

START_NS = 1_700_000_000_000_000_000
TICK_NS = 1_000_000


class CapturedSpans:
    """The spans that ended inside a `capture_spans` block, in the order in which they ended."""

    def __init__(self) -> None:
        self._items: list[Exportable] = []

    def append(self, item: Exportable) -> None:
        """Take a span in."""
        self._items.append(item)

    @property
    def items(self) -> list[Exportable]:
        """The spans as they were handed to the exporter."""
        return list(self._items)

    @property
    def records(self) -> list[SpanRecord]:
        """The spans as they would be sent."""
        return [item.to_record() for item in self._items]

    def names(self) -> list[str]:
        """Return the names, in the order in which the spans ended."""
        return [record.name for record in self.records]

    def one(self, name: str | None = None) -> SpanRecord:
        """Return the only span, or the only one of this name."""
        found = [record for record in self.records if name is None or record.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} spans, not 1, among {self.names()}")
        return found[0]

    def metadata(self, name: str | None = None) -> dict[str, str]:
        """Return the trace metadata that this span carries."""
        return strip_prefix(self.one(name).attributes, semconv.METADATA_PREFIX)

    def tags(self, name: str | None = None) -> dict[str, str]:
        """Return the trace tags that this span carries."""
        return strip_prefix(self.one(name).attributes, semconv.TRACE_TAG_PREFIX)

    def __len__(self) -> int:
        return len(self._items)


def strip_prefix(attributes: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the attributes whose keys start with a prefix, without it."""
    return {
        key[len(prefix) :]: value for key, value in attributes.items() if key.startswith(prefix)
    }


@contextmanager
def capture_spans() -> Iterator[CapturedSpans]:
    """Collect the spans that end inside, of all threads; none of them is delivered."""
    captured = CapturedSpans()
    before = runtime.redirect(captured.append)
    try:
        yield captured
    finally:
        runtime.redirect(before)


@contextmanager
def deterministic(*, start_ns: int = START_NS, tick_ns: int = TICK_NS) -> Iterator[None]:
    """Make ids count from 1, and every look at the clock one tick later than the one before."""
    before = vars(ids.sources).copy()
    numbers = itertools.count(1)
    ticks = itertools.count(0, tick_ns)
    ids.sources.draw = lambda _bits: next(numbers)
    ids.sources.wall_ns = lambda: start_ns
    ids.sources.monotonic_ns = lambda: next(ticks)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(ids.sources, name, value)
