"""A timeline as text: a line for each bucket, a column for each group, and what happened beside."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from whence.cli.results import show
from whence.cli.terminal_text import escape_line

if TYPE_CHECKING:
    from whence.entities.timeline import Timeline

GAP, NOTHING = "   ", "-"
DAY_MS = 86_400_000


def write_timeline(found: Timeline) -> str:
    """Return the text, lines ending with a line feed."""
    unit = f" ({found.unit})" if found.unit else ""
    by = f" by {show(found.by)}" if found.by else ""
    where = f", {show(found.environment)}" if found.environment else ""
    lines = [
        (
            f"{show(found.metric)}{unit}{by}{where}; buckets of {_width(found.bucket_ms)}, "
            f"{found.time_zone}; {found.precision}, from {found.source}"
        ),
        "",
    ]
    if not found.series:
        lines[1:] = ["no traces"]
    else:
        lines += _write_table(found)
    for change in found.changes:
        lines += ["", f"drift: {escape_line(change.text)}"]
        lines.append(
            f"  p = {change.p_value:.2g} over {change.buckets} buckets, level 0.01 shared by "
            f"{change.series} series"
        )
        lines += [
            f"  {name}: {escape_line(text)}"
            for name, text in (("before", change.filter_before), ("after", change.filter_after))
            if text is not None
        ]
    if not found.changes and found.drift_series:
        lines += ["", f"no drift in {found.drift_series} series"]
    lines += [f"note: {escape_line(one)}" for one in found.notes]
    return "\n".join(lines) + "\n"


def _write_table(found: Timeline) -> list[str]:
    names = [
        found.metric if one.kind == "all" else "(none)" if one.group is None else show(one.group)
        for one in found.series
    ]
    rows = [["begins", *(part for name in names for part in (name, "traces")), ""]]
    for number in range(len(found.series[0].values)):
        start = found.from_ms + number * found.bucket_ms
        cells = [
            part
            for one in found.series
            for part in (_number(one.values[number], found.unit), _count(one.counts[number]))
        ]
        rows.append([_time(start, found.bucket_ms), *cells, _began(found, start)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for head, *cells, began in rows:
        row = [cell.rjust(width) for cell, width in zip(cells, widths[1:-1], strict=True)]
        lines.append(GAP.join([head.ljust(widths[0]), *row, began]).rstrip())
    return lines


def _began(found: Timeline, start_ms: int) -> str:
    """Return which versions began in a bucket; and in which environments, where there are more."""
    several = found.environment is None and len({one.environment for one in found.markers}) > 1
    return ", ".join(
        f"{show(one.app_version or (one.commit or '')[:7])} begins"
        + (f" ({show(one.environment) if one.environment else 'none'})" if several else "")
        for one in found.markers
        if start_ms <= one.at_ms < start_ms + found.bucket_ms
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    if unit == "share":
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - digits


def _count(count: int) -> str:
    return f"{count:,}" if count else NOTHING


def _time(time_ms: int, bucket_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    if bucket_ms % DAY_MS == 0:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%d %H:%M" if bucket_ms % 60_000 == 0 else "%Y-%m-%d %H:%M:%S")


def _width(width_ms: int) -> str:
    for name, ms in (
        ("week", 7 * DAY_MS),
        ("day", DAY_MS),
        ("hour", 3_600_000),
        ("minute", 60_000),
    ):
        if width_ms % ms == 0:
            count = width_ms // ms
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{width_ms / 1000:g} s"
