"""What a move did, and what it could not do: every loss has a place and a reason.

Losses are kept up to `MAX_KEPT`; all of them are counted, and written to the files that were given:
the one that was asked for, and the one beside a checkpoint. A move that goes on begins with what
was lost before; what it meets again of that is one loss.
"""

from __future__ import annotations

import threading
from typing import IO, TYPE_CHECKING

import msgspec

from whence.entities.surrogates import encode_clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_KEPT = 10_000
SHOWN_PLACES, SHOWN_REASONS = 3, 20
SHOWN_CHARS = 200  # of a place


class Loss(msgspec.Struct, frozen=True):
    """Something that was not moved: of which trace or place, and why."""

    where: str
    reason: str


class Counts(msgspec.Struct, frozen=True):
    """How much was moved."""

    traces: int = 0
    spans: int = 0
    assessments: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.traces + other.traces,
            self.spans + other.spans,
            self.assessments + other.assessments,
        )

    def __str__(self) -> str:
        return f"{self.traces} traces, {self.spans} spans, {self.assessments} assessments"


class Report:
    """Counts; may be added to by several threads."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        """`file` gets a JSON line for each loss as it is found."""
        self.counts = Counts()
        self.lost = 0
        self.losses: list[Loss] = []
        self._files = [] if file is None else [file]
        self._earlier: set[Loss] = set()
        self._lock = threading.Lock()

    def go_on(self, earlier: Iterable[Loss]) -> None:
        """Begin with what an earlier run lost."""
        for loss in earlier:
            if len(self._earlier) < MAX_KEPT:
                self._earlier.add(loss)
            self._note(loss)

    def write_to(self, file: IO[bytes]) -> None:
        """Write what is lost from now on to one more file."""
        self._files.append(file)

    def count(self, *, traces: int = 0, spans: int = 0, assessments: int = 0) -> None:
        """Add what was moved."""
        with self._lock:
            self.counts += Counts(traces, spans, assessments)

    def lose(self, where: str, reason: str) -> None:
        """Note what was not moved."""
        loss = Loss(where, reason)
        with self._lock:
            if loss not in self._earlier:
                self._note(loss)

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason: how often, and the first places."""
        by_reason: dict[str, list[str]] = {}
        for loss in self.losses:
            by_reason.setdefault(loss.reason, []).append(loss.where)
        for reason, places in list(by_reason.items())[:SHOWN_REASONS]:
            shown = ", ".join(one[:SHOWN_CHARS] for one in places[:SHOWN_PLACES])
            more = ", …" * (len(places) > SHOWN_PLACES)
            yield f"{len(places)} × {reason} ({shown}{more})"
        if len(by_reason) > SHOWN_REASONS or self.lost > len(self.losses):
            yield "and more: --report FILE names all of them"

    def _note(self, loss: Loss) -> None:
        self.lost += 1
        if len(self.losses) < MAX_KEPT:
            self.losses.append(loss)
        line = encode_clean(loss) + b"\n" if self._files else b""
        for file in self._files:
            file.write(line)
            file.flush()
