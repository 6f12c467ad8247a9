"""A trace as a piece of HTML, for a notebook's cell: what it is, and its spans as a tree.

It stands alone (no script, no style sheet, nothing loaded) and all text in it is escaped. At most
`MAX_SPANS` spans are shown, and of each value at most `MAX_VALUE_CHARS` characters.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.entities.span import Span
    from whence.entities.trace import Trace

MAX_SPANS = 200
MAX_DEPTH = 40
MAX_VALUE_CHARS = 2_000
NS_PER_MS = 1_000_000

TABLE = "border-collapse:collapse;font:12px sans-serif"
CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:top"


class Display:
    """Whether a notebook shows traces as HTML; one for the process."""

    enabled = True


def render_trace(trace: Trace) -> str:
    """Return the HTML of a trace."""
    info = trace.info
    said = {
        "state": info.state.value,
        "duration": _duration(info.duration_ns, info.execution_duration),
        "environment": info.environment,
        "version": info.app_version,
        "commit": (info.commit or "")[:12],
        "session": info.session,
        "user": info.user,
    }
    facts = " · ".join(f"{name} <b>{escape(str(text))}</b>" for name, text in said.items() if text)
    rows = list(_render_spans(trace.data.spans))
    more = len(trace.data.spans) - len(rows)
    rest = f"<p>and {more} more spans</p>" if more > 0 else ""
    return (
        f"<div><p><b>{escape(info.name or 'trace')}</b> <code>{escape(info.trace_id)}</code>"
        f"<br>{facts}</p><table style='{TABLE}'>{''.join(rows)}</table>{rest}</div>"
    )


def _render_spans(spans: list[Span]) -> Iterator[str]:
    depths: dict[str, int] = {}
    for span, depth in _walk(spans):
        if len(depths) == MAX_SPANS:
            return
        depths[span.span_id] = depth
        status = span.status
        failed = status.status_code == "ERROR"
        outcome = f"ERROR {status.description}" if failed else ""
        cells = (
            f"<span style='padding-left:{16 * min(depth, MAX_DEPTH)}px'>{escape(span.name)}</span>",
            escape(span.span_type),
            _duration(span.duration_ns, None),
            f"<span style='color:#b00020'>{escape(outcome[:MAX_VALUE_CHARS])}</span>",
            _details("inputs", span.inputs) + _details("outputs", span.outputs),
        )
        yield "<tr>" + "".join(f"<td style='{CELL}'>{cell}</td>" for cell in cells) + "</tr>"


def _walk(spans: list[Span]) -> Iterator[tuple[Span, int]]:
    """Yield spans, each after its parent; those without one here are tops."""
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        is_top = span.parent_id not in known or span.parent_id == span.span_id
        below.setdefault(None if is_top else span.parent_id, []).append(span)
    waiting = [(span, 0) for span in reversed(below.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        yield span, depth
        waiting += [(child, depth + 1) for child in reversed(below.pop(span.span_id, []))]


def _details(name: str, value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    shown = escape(text[:MAX_VALUE_CHARS]) + ("…" if len(text) > MAX_VALUE_CHARS else "")
    return f"<details><summary>{name}</summary><pre>{shown}</pre></details>"


def _duration(duration_ns: int | None, duration_ms: int | None) -> str:
    if duration_ns is not None:
        return f"{duration_ns / NS_PER_MS:,.1f} ms"
    return "" if duration_ms is None else f"{duration_ms:,} ms"
