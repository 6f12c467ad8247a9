"""Error signatures: what failed traces have in common — exception type, message, span.

Of a failed trace its deepest failed span counts: the one without a failed child, the first of
several. Numbers, ids and quoted texts in messages stand for any, so that "order 17 not found" and
"order 18 not found" are one error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from whence.query.compared_spans import ErrorSpan

MESSAGE_CHARS = 160
# In this order: what is an id must not be taken for a number first.
_ANY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\"|`[^`]{1,200}`"), "<text>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[0-9]+(?:[.,:][0-9]+)*"), "<n>"),
)
_TYPE = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Timeout|Interrupt|Exit|Warning)): ?")


class Signature(msgspec.Struct, frozen=True, order=True):
    """What errors alike share; any of it may be ''."""

    type: str
    message: str
    span: str


class Failure(msgspec.Struct, frozen=True):
    """The error of one failed trace."""

    key: int
    trace_id: str
    signature: Signature
    message: str


def normalise_message(text: str) -> str:
    """Return the first line of a message with numbers, ids, addresses and quotes made any."""
    line = next(iter(text.strip().splitlines()), "")
    for pattern, name in _ANY:
        line = pattern.sub(name, line)
    line = " ".join(line.split())
    return line if len(line) <= MESSAGE_CHARS else line[: MESSAGE_CHARS - 1] + "…"


def sign(span: ErrorSpan) -> Signature:
    """Return a span's signature; a type in front of the message counts where none is recorded."""
    kind, message = span.type, span.message
    found = _TYPE.match(message)
    if found:
        kind = kind or found[1]
        message = message[found.end() :]
    return Signature(kind.rpartition(".")[2], normalise_message(message), span.name)


def find_failures(spans: Sequence[ErrorSpan]) -> list[Failure]:
    """Return one failure a trace, in the order of their keys."""
    failures = []
    for of_trace in _by_trace(spans):
        parents = {one.parent_id for one in of_trace}
        deepest = next((one for one in of_trace if one.span_id not in parents), of_trace[0])
        failures.append(Failure(deepest.key, deepest.trace_id, sign(deepest), deepest.message))
    return failures


def _by_trace(spans: Iterable[ErrorSpan]) -> list[list[ErrorSpan]]:
    traces: dict[int, list[ErrorSpan]] = {}
    for span in spans:
        traces.setdefault(span.key, []).append(span)
    return list(traces.values())
