"""Findings on the terminal. What a terminal would obey in stored names is escaped."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from whence.cli.frame import print_text
from whence.cli.results import new_table, print_table
from whence.cli.terminal_text import escape_line
from whence.entities.comparison_text import (
    describe_metric,
    format_effect,
    format_interval,
    format_value,
    name_metric,
)
from whence.entities.finding import CLOSING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from whence.entities.comparison import MetricComparison
    from whence.entities.finding import Evidence, Finding, FindingEvent

COLUMNS = (
    "finding",
    "state",
    "environment",
    "version",
    "against",
    "metrics",
    "change",
    "interval",
    "first seen",
    "last seen",
)


def print_findings(found: Sequence[Finding]) -> None:
    """Print a table, a line each."""
    from rich.text import Text

    table = new_table()
    for column in COLUMNS:
        keep = column in {"finding", "state"}
        table.add_column(Text(column), no_wrap=keep)
    for one in found:
        figures = one.figures
        cells = (
            one.finding_id,
            _state(one),
            one.environment or "-",
            one.candidate,
            one.baseline,
            ", ".join(name_metric(row.metric) for row in one.metrics),
            format_effect(figures.effect, figures),
            format_interval(figures),
            _time(one.first_seen_ms),
            _time(one.last_seen_ms),
        )
        table.add_row(*(Text(escape_line(cell)) for cell in cells))
    print_table(table)


def print_finding(found: Finding) -> None:
    """Print one with all that is known."""
    print_text("".join(f"{escape_line(line)}\n" for line in _lines(found)))


def _lines(found: Finding) -> Iterator[str]:
    yield f"{found.finding_id} ({_state(found)})"
    yield found.summary
    for one in found.metrics:
        yield (
            f"{describe_metric(one)}: {format_value(one.baseline, one.unit)} → "
            f"{format_value(one.candidate, one.unit)}, of {one.n_baseline:,} and "
            f"{one.n_candidate:,} traces"
        )
    if found.resolved_reason is not None:
        yield f"{found.state}: {found.resolved_reason}"
    if found.note:
        yield f"note: {found.note}"
    if found.evidence is not None:
        yield from _evidence(found.evidence)
    yield f"traces: whence search {_quote(found.figures.candidate_filter)}"
    units = {one.metric: one for one in found.metrics}
    for event in found.history:
        yield f"{_time(event.at_ms)} {event.kind}: {_describe(event, units)}"


def _describe(event: FindingEvent, known: Mapping[str, MetricComparison]) -> str:
    """Return an event in words; the effect of a metric that is no longer listed has no unit."""
    reason = f" ({event.reason})" if event.reason else ""
    told = ", ".join(map(name_metric, event.metrics))
    figures = known.get(event.metric)
    if figures is None or event.kind in CLOSING:
        return told + reason
    seen = msgspec.structs.replace(figures, effect=event.effect, low=event.low, high=event.high)
    others = "".join(f", {name_metric(one)}" for one in event.metrics if one != event.metric)
    return describe_metric(seen) + others + reason


def _evidence(evidence: Evidence) -> Iterator[str]:
    for span in evidence.spans:
        yield (
            f"why: {span.name} {span.difference_ms:+.3g} ms a trace: "
            f"{format_value(span.baseline_ms, 'ms')} → {format_value(span.candidate_ms, 'ms')}"
        )
    for error in evidence.errors:
        text = f"{error.type}: {error.message}".strip(": ")
        yield f"error {error.status}: {text} in {error.span} ({error.baseline} → {error.candidate})"
    for value in evidence.overrepresented:
        yield (
            f"{value.selected} traces: {value.field} = {value.value} in "
            f"{value.share_selected:.0%} of them, in {value.share_rest:.0%} of the rest"
        )
    for pair in evidence.exemplars:
        yield f"look: whence diff {pair.baseline} {pair.candidate} ({pair.reason}, {pair.basis})"
    for note in evidence.notes:
        yield f"note: {note}"


def _state(one: Finding) -> str:
    marks = [
        name for name, is_set in (("muted", one.muted), ("known", one.acknowledged_ms)) if is_set
    ]
    return ", ".join([one.state, *marks])


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
