"""Open spans found again by their ids, for programs that keep the ids and not the spans.

MLflow's client works that way: `start_trace` gives ids, `end_trace` takes them. What was started
by it is kept until it ends, at most `MAX_KEPT` spans; beyond that the oldest can no longer be found
(it is still recorded where the program has kept it). Of spans that were started otherwise the root
of an open trace is found, the current span and those above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.sdk.capture import active, ids
from whence.sdk.capture.span import LiveSpan
from whence.sdk.capture.start import current_span

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEPT = 10_000
MAX_REMEMBERED = 1_000

_kept: dict[tuple[str, str], LiveSpan] = {}  # by trace id and span id
_ended: dict[str, None] = {}  # traces that were ended by their ids, the last ones


def keep(span: LiveSpan) -> None:
    """Keep a span, so that `find_span` finds it until it ends."""
    _kept[span.trace_id, span.span_id] = span
    if len(_kept) > MAX_KEPT:
        _forget_ended()
    if len(_kept) > MAX_KEPT:
        _kept.pop(next(iter(_kept)), None)


def find_span(trace_id: str, span_id: str) -> LiveSpan | None:
    """Return an open span of this process, or None."""
    span = _kept.get((trace_id, span_id))
    if span is None:
        around = (one for one in _others(trace_id) if one.span_id == span_id)
        span = next(around, None)
    return span if span is not None and _is_open(span) else None


def find_root(trace_id: str) -> LiveSpan | None:
    """Return the topmost span of a trace that is open in this process, or None."""
    trace = active.find_open(trace_id)
    return None if trace is None else trace.root


def let_go(span: LiveSpan) -> None:
    """Forget a span that has ended."""
    _kept.pop((span.trace_id, span.span_id), None)


def let_trace_go(trace_id: str) -> None:
    """Forget the spans of a trace that has ended, and remember that it has."""
    for key in [key for key in list(_kept) if key[0] == trace_id and not _is_open(_kept[key])]:
        _kept.pop(key, None)
    _ended[trace_id] = None
    if len(_ended) > MAX_REMEMBERED:
        _ended.pop(next(iter(_ended)), None)


def has_ended(trace_id: str) -> bool:
    """Return whether a trace was ended by its id, or was the last one to end."""
    return trace_id in _ended or active.last.trace_id == ids.parse_trace_id(trace_id)


def _others(trace_id: str) -> Iterator[LiveSpan]:
    span = current_span()
    while isinstance(span, LiveSpan):
        if span.trace_id == trace_id:
            yield span
        above = span.parent_span
        span = above if isinstance(above, LiveSpan) else None
    root = find_root(trace_id)
    if root is not None:
        yield root


def _is_open(span: LiveSpan) -> bool:
    return span.is_recording() and span.generation == active.generation


def _forget_ended() -> None:
    for key in [key for key, span in list(_kept.items()) if not _is_open(span)]:
        _kept.pop(key, None)
