"""A bisection as text: the outcome, a line for each version, and what to record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.cli.results import show
from whence.cli.terminal_text import escape_line
from whence.entities.bisection import NARROWED, UNDECIDED

if TYPE_CHECKING:
    from whence.entities.bisection import BisectedVersion, Bisection

GAP, NOTHING = "   ", "-"
SHORT = 12
COLUMNS = ("", "traces", "units", "value", "against good", "moved", "first to move")


def write_bisection(found: Bisection) -> str:
    """Return the text, lines ending with a line feed."""
    scale = _interval(found, found.effect, found.low, found.high)
    lines = [
        escape_line(found.summary),
        escape_line(f"{found.bad} against {found.good}: {found.metric} {scale}, {found.verdict}"),
        "",
    ]
    rows = [COLUMNS, *(_write(one, found) for one in found.versions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for head, *cells in rows:
        row = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append(GAP.join([head.ljust(widths[0]), *row]).rstrip())
    wanted = [one for one in found.versions if one.record is not None and _matters(one, found)]
    if wanted:
        lines.append("")
    for one in wanted:
        lines += [
            escape_line(f"more of {_name(one)}: about {one.needed:,} units would tell"),
            f"  record: {escape_line(one.record or '')}",
        ]
    lines += [f"note: {escape_line(one)}" for one in found.notes]
    return "\n".join(lines) + "\n"


def _matters(one: BisectedVersion, found: Bisection) -> bool:
    """Tell whether more of a version would help: it may be the first, or stands before that."""
    if found.outcome != NARROWED:
        return found.outcome == UNDECIDED
    names = [each.name for each in found.versions]
    place = names.index(one.name)
    return not set(names[place : place + 2]).isdisjoint(found.candidates)


def _write(one: BisectedVersion, found: Bisection) -> tuple[str, ...]:
    is_first = one.name == found.first
    return (
        ("> " if is_first else "  ") + escape_line(_name(one)),
        f"{one.traces:,}",
        f"{one.units:,}",
        _value(one.value, found.unit),
        _interval(found, one.effect, one.low, one.high),
        one.state,
        f"{one.first:.1%}" if found.first is not None and one.name != found.good else NOTHING,
    )


def _name(one: BisectedVersion) -> str:
    return one.name[:SHORT] if one.name == one.commit else show(one.name)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    if unit == "share":
        return f"{value:.2%}"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits
    return f"{text} {unit}".strip()


def _interval(found: Bisection, effect: float | None, low: float | None, high: float | None) -> str:
    if effect is None:
        return NOTHING
    if found.scale != "ratio" and found.unit != "share":
        parts = [NOTHING if one is None else f"{one:+.3g}" for one in (effect, low, high)]
        return f"{parts[0]} ({parts[1]} to {parts[2]})"
    parts = [NOTHING if one is None else f"{100 * one:+.1f}" for one in (effect, low, high)]
    unit = "%" if found.scale == "ratio" else "points"
    return f"{parts[0]} {unit} ({parts[1]} to {parts[2]})"
