"""What is known of traces that are still open, so that a crash does not lose their context.

The exporter asks about once a second. A trace open for over a second gives the record of its root
as it stands, again whenever its context changed. Where span processors are set, they run on a
copy first, so nothing leaves unredacted; if one raises, that copy is not sent.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from whence.sdk import diagnostics, settings
from whence.sdk.capture import active, processors
from whence.sdk.capture.record import PendingRoot

if TYPE_CHECKING:
    from whence.sdk.capture.span import LiveSpan
    from whence.sdk.delivery.batches import Exportable


def collect_pending() -> list[Exportable]:
    """Return the roots to report as pending now. Never raises."""
    found: list[Exportable] = []
    try:
        for trace in active.changed_traces():
            span: LiveSpan | None = trace.root
            if settings.current.span_processors:
                span = redacted_copy(trace.root)
            if span is not None:
                found.append(PendingRoot(span))
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("collecting unfinished traces", error)
    return found


def report_inherited(trace_id: int) -> PendingRoot | None:
    """Return, once, the root of a trace that was open at the fork, as its parent knew it then.

    The child's topmost spans end before that root does. A server that has heard of nothing else
    would take them for all of the trace.
    """
    trace = active.inherited.pop(trace_id, None)
    if trace is None:
        return None
    span: LiveSpan | None = trace.root
    if settings.current.span_processors:
        span = redacted_copy(trace.root)
    return PendingRoot(span) if span is not None else None


def redacted_copy(span: LiveSpan) -> LiveSpan | None:
    """Return a copy of an open root after the span processors, or None where one raised."""
    trace = copy.copy(span.active_trace)
    trace.metadata = trace.metadata.copy()
    trace.tags = trace.tags.copy()
    trace.sources = trace.sources.copy()
    twin = object.__new__(type(span))
    span.copy_into(twin)
    twin.active_trace = trace
    trace.root = twin
    return twin if processors.run_before_end(twin) else None
