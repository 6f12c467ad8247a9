"""Environments as text: a column for each, a line for each number, and the hints below."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from whence.cli.results import show
from whence.cli.terminal_text import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.entities.environments import EnvironmentOverview, EnvironmentRow

NOTHING = "-"
SHORT = 7
GAP = "   "
LINES: dict[str, Callable[[EnvironmentRow], str]] = {
    "traces": lambda row: f"{row.traces:,}" + (f" +{row.unfinished:,}" if row.unfinished else ""),
    "units": lambda row: NOTHING if row.units is None else f"{row.units:,}",
    "versions": lambda row: f"{row.versions:,}",
    "error rate": lambda row: NOTHING if row.error_rate is None else f"{row.error_rate:.2%}",
    "p50": lambda row: _ms(row.p50_ms),
    "p95": lambda row: _ms(row.p95_ms),
    "tokens/trace": lambda row: _number(row.tokens_per_trace, ",.0f"),
    "cost/trace": lambda row: _number(row.cost_usd_per_trace, ".3g", "$"),
    "quality": lambda row: (
        ", ".join(f"{show(one.name)} {one.mean:.3g} ({one.count})" for one in row.quality)
        or NOTHING
    ),
    "commit": lambda row: _several([one.commit for one in row.commits], row.commit_count),
    "manifest": lambda row: _several([one.digest for one in row.manifests], row.manifest_count),
    "dirty": lambda row: f"{row.dirty:,}",
    "first seen": lambda row: _time(row.first_seen_ms),
    "last seen": lambda row: _time(row.last_seen_ms),
}


def write_environments(found: EnvironmentOverview) -> str:
    """Return the text, lines ending with a line feed."""
    about = "all versions" if found.version is None else f"{found.kind} {show(found.version)}"
    lines = [f"{about}, by environment (times are UTC)", ""]
    if not found.environments:
        lines[1:] = ["no traces"]
    else:
        names = [
            show(row.environment) if row.environment is not None else "(none)"
            for row in found.environments
        ]
        table = [["", *names]]
        table += [
            [name, *(write(row) for row in found.environments)] for name, write in LINES.items()
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for head, *cells in table:
            row = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append(GAP.join([head.ljust(widths[0]), *row]).rstrip())
    for hint in found.hints:
        lines += ["", f"hint: {escape_line(hint.text)}"]
        if hint.values:
            some = ", ".join(f"{show(one.value)} ({one.count:,})" for one in hint.values[:5])
            lines.append(f"  seen: {some}")
        lines.append(f"  look: {escape_line(hint.filter_string)}")
        lines.append(f"  mend: {escape_line(hint.mend)}")
    lines += [f"note: {escape_line(one)}" for one in found.notes]
    return "\n".join(lines) + "\n"


def _ms(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"  # noqa: PLR2004 - digits


def _number(value: float | None, form: str, unit: str = "") -> str:
    return NOTHING if value is None else f"{unit}{value:{form}}"


def _several(values: list[str], count: int) -> str:
    if not values:
        return NOTHING
    more = f" +{count - 1}" if count > 1 else ""
    return show(values[0][:SHORT]) + more


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M")
