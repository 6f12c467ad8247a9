"""What a move did, and what it could not do: every loss has a place and a reason.

Losses are kept up to `MAX_KEPT`; all of them are counted, and written to the report file where one
was asked for.
"""

from __future__ import annotations

import threading
from typing import IO, TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEPT = 10_000
SHOWN_PLACES, SHOWN_REASONS = 3, 20


class Loss(msgspec.Struct, frozen=True):
    """Something that was not moved: of which trace or place, and why."""

    where: str
    reason: str


class Report:
    """Counts; may be added to by several threads."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        """`file` gets a JSON line for each loss as it is found."""
        self.traces = 0
        self.spans = 0
        self.assessments = 0
        self.lost = 0
        self.losses: list[Loss] = []
        self._file = file
        self._lock = threading.Lock()

    def count(self, *, traces: int = 0, spans: int = 0, assessments: int = 0) -> None:
        """Add what was moved."""
        with self._lock:
            self.traces += traces
            self.spans += spans
            self.assessments += assessments

    def lose(self, where: str, reason: str) -> None:
        """Note what was not moved."""
        loss = Loss(where, reason)
        with self._lock:
            self.lost += 1
            if len(self.losses) < MAX_KEPT:
                self.losses.append(loss)
            if self._file is not None:
                self._file.write(msgspec.json.encode(loss) + b"\n")
                self._file.flush()

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "traces": self.traces,
            "spans": self.spans,
            "assessments": self.assessments,
            "lost": self.lost,
        }

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason: how often, and the first places."""
        by_reason: dict[str, list[str]] = {}
        for loss in self.losses:
            by_reason.setdefault(loss.reason, []).append(loss.where)
        for reason, places in list(by_reason.items())[:SHOWN_REASONS]:
            shown = ", ".join(places[:SHOWN_PLACES]) + (", …" * (len(places) > SHOWN_PLACES))
            yield f"{len(places)} × {reason} ({shown})"
        if len(by_reason) > SHOWN_REASONS or self.lost > len(self.losses):
            yield "and more: --report FILE names all of them"
