"""The list of versions as a table: one of each environment, warnings below."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from whence.cli.results import new_table, print_table, show
from whence.cli.terminal_text import escape_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.entities.version import VersionRow

SHORT_COMMIT = 7
NO_VERSION = "(none)"
DIRTY = "*"
COLUMNS = (
    "environment",
    "version",
    "commit",
    "first seen",
    "last seen",
    "traces",
    "errors",
    "p50 ms",
    "p95 ms",
    "tokens",
    "cost $",
    "quality",
)
NUMBERS = COLUMNS[5:11]


def print_versions(rows: Sequence[VersionRow]) -> None:
    """Print the table, then what makes versions doubtful on stderr."""
    from rich.text import Text

    table = new_table()
    for name in COLUMNS:
        table.add_column(
            name, justify="right" if name in NUMBERS else "left", no_wrap=name != "quality"
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in _write_row(row)))
    print_table(table)
    for warning in dict.fromkeys(one for row in rows for one in row.warnings):
        sys.stderr.write(f"whence: {escape_line(warning)}\n")


def _write_row(row: VersionRow) -> list[str]:
    unfinished = f" +{row.unfinished}" if row.unfinished else ""
    return [
        show(row.environment) if row.environment is not None else NO_VERSION,
        _name(row),
        _write_commit(row),
        _write_time(row.first_seen_ms),
        _write_time(row.last_seen_ms),
        f"{row.traces}{unfinished}",
        "" if row.error_rate is None else f"{row.error_rate:.1%}",
        _write_ms(row.p50_ms),
        _write_ms(row.p95_ms),
        str(row.total_tokens) if row.counted else "",
        f"{row.cost_usd:.4g}" if row.priced else "",
        ", ".join(f"{show(one.name)} {one.mean:.3g} ({one.count})" for one in row.quality),
    ]


def _name(row: VersionRow) -> str:
    doubt = " !" if row.warnings else ""
    return (show(row.app_version) if row.app_version is not None else NO_VERSION) + doubt


def _write_commit(row: VersionRow) -> str:
    """Return the most frequent commit, how many more there are, and whether files differed."""
    commit = row.commits[0].commit if row.commits else row.commit
    if commit is None:
        return ""
    more = f" +{row.commit_count - 1}" if row.commit_count > 1 else ""
    return show(commit[:SHORT_COMMIT]) + (DIRTY if row.dirty else "") + more


def _write_ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits that count


def _write_time(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M")
