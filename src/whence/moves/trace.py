"""A trace on its way from one store to another, and what of a source can't be one.

What a source does not say is None: the server finds it out from the spans. Ids are those of the
source. OTLP has place for 32 hex digits only, so another id is stood for by a digest of it there
(`digits_of`), and travels beside the spans.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities import experiment_id_of
from whence.entities.surrogates import clean

if TYPE_CHECKING:
    from whence.otlp.records import SpanRecord

TRACE_ID_PREFIX = "tr-"
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8
HEX = frozenset("0123456789abcdef")
MAX_TIME_NS = 2**63 - 1
OVERHEAD_BYTES = 400  # what a span weighs beside its payloads, about


class MovedTrace(msgspec.Struct, kw_only=True):
    """A trace with all that its source keeps of it.

    `experiment` is a name. `assessments` are in MLflow's JSON. `resource` is what all its spans
    share. `problems` are parts that could not be read. `place` says of parts of the source how far
    they are read with it. `size_bytes` is about what it takes in memory. `is_part`: more of the
    same trace may come apart from it.
    """

    trace_id: str
    experiment: str | None = None
    request_time_ms: int | None = None
    duration_ns: int | None = None
    state: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    resource: dict[str, Any] = {}
    spans: list[SpanRecord] = []
    problems: list[str] = []
    place: dict[str, Any] | None = None
    size_bytes: int = 0
    is_part: bool = False

    @property
    def experiment_id(self) -> str | None:
        """The id that the experiment has in a Whence store."""
        return None if self.experiment is None else experiment_id_of(clean(self.experiment))


class Unreadable(msgspec.Struct, frozen=True):
    """Something of a source that is no trace: where it lies, and why."""

    where: str
    reason: str


Found = MovedTrace | Unreadable


def digits_of(trace_id: str) -> str:
    """Return the 32 hex digits that stand for a trace in OTLP: its own, or a digest of its id.

    >>> digits_of("tr-0af7651916cd43dd8448eb211c80319c")
    '0af7651916cd43dd8448eb211c80319c'
    >>> len(digits_of("request 7"))
    32
    """
    digits = trace_id.removeprefix(TRACE_ID_PREFIX)
    if digits != trace_id and is_hex(digits, TRACE_ID_BYTES):
        return digits
    return blake2b(
        trace_id.encode("utf-8", "surrogatepass"), digest_size=TRACE_ID_BYTES
    ).hexdigest()


def span_digits_of(span_id: str) -> str:
    """Return a span's id in OTLP: the 16 hex digits that it has, or a digest of it."""
    lower = span_id.lower()
    if is_hex(lower, SPAN_ID_BYTES):
        return lower
    return _digest(span_id, SPAN_ID_BYTES)


def is_hex(text: str, size: int) -> bool:
    """Tell whether a text is `size` bytes in lowercase hex, and not all zeros."""
    return len(text) == 2 * size and HEX.issuperset(text) and text.strip("0") != ""


def own_id_of(text: str) -> str:
    """Return the id of a trace whose source names it as OpenTelemetry does: `tr-` and the digits.

    Any other id stays as it is.
    """
    lower = text.lower()
    return TRACE_ID_PREFIX + lower if is_hex(lower, TRACE_ID_BYTES) else text


def clamp_ns(time_ns: int) -> int:
    """Return a time as OTLP can say it."""
    return min(max(time_ns, 0), MAX_TIME_NS)


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
