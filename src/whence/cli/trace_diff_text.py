"""Two traces side by side as text: the tree of both, then how texts and metadata differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from whence.cli.frame import console
from whence.cli.results import new_table, print_json, print_table, show
from whence.cli.terminal_text import escape_line
from whence.cli.tree import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.entities.trace_diff import SpanSide, TraceDiff, ValueDiff

SIGNS = {"same": " ", "changed": "~", "only in baseline": "-", "only in candidate": "+"}
STYLES = {"same": "dim", "changed": "", "only in baseline": "red", "only in candidate": "green"}
LINE_STYLES = {"-": "red", "+": "green", "@": "cyan"}
DEEPEST = 30
MAX_TEXT_LINES = 40


def write_trace_diff(found: TraceDiff, *, as_json: bool) -> None:
    """Print a difference of two traces."""
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(
        Text(
            escape_line(
                f"{found.baseline} ({_ms(found.baseline_ms)}, {found.baseline_state}) → "
                f"{found.candidate} ({_ms(found.candidate_ms)}, {found.candidate_state})"
            ),
            style="bold",
        ),
        soft_wrap=True,
    )
    out.print(
        f"{found.same} spans alike, {found.changed} changed, {found.only_baseline} only in the "
        f"baseline, {found.only_candidate} only in the candidate\n",
        soft_wrap=True,
    )
    _print_spans(found)
    for line in _details(found):
        style = LINE_STYLES.get(line[4:5], "") if line.startswith("    ") else "bold"
        out.print(Text(escape_line(line), style=style), soft_wrap=True)


def _print_spans(found: TraceDiff) -> None:
    table = new_table("", "span", "baseline", "candidate", "difference", "own", "status")
    for one in found.spans:
        label = "  " * min(one.depth, DEEPEST) + one.name
        before, after = one.baseline, one.candidate
        cells = (
            SIGNS[one.change],
            show(label),
            "" if before is None else _ms(before.duration_ms),
            "" if after is None else _ms(after.duration_ms),
            _difference(before, after),
            _own(before, after),
            _status(before, after),
        )
        table.add_row(*(Text(cell, style=STYLES[one.change]) for cell in cells))
    print_table(table)


def _ms(duration_ms: float | None) -> str:
    return "not ended" if duration_ms is None else format_ms(duration_ms)


def _difference(one: SpanSide | None, other: SpanSide | None) -> str:
    if one is None or other is None or one.duration_ms is None or other.duration_ms is None:
        return ""
    return f"{other.duration_ms - one.duration_ms:+.3g} ms"


def _own(one: SpanSide | None, other: SpanSide | None) -> str:
    own = [0.0 if side is None else side.own_ms for side in (one, other)]
    return f"{own[1] - own[0]:+.3g} ms"


def _status(one: SpanSide | None, other: SpanSide | None) -> str:
    states = [side.status for side in (one, other) if side is not None]
    return show(" → ".join(dict.fromkeys(states)))


def _details(found: TraceDiff) -> Iterator[str]:
    for one in found.spans:
        for text in one.texts:
            yield f"{one.path}: {text.what}"
            for line in text.lines[:MAX_TEXT_LINES]:
                yield f"    {line}"
            if text.cut or len(text.lines) > MAX_TEXT_LINES:
                yield "    …"
        if one.attributes:
            yield f"{one.path}: attributes {', '.join(one.attributes)}"
    yield from _values("metadata", found.metadata)
    yield from _values("tags", found.tags)


def _values(title: str, values: list[ValueDiff]) -> Iterator[str]:
    if values:
        yield title
    for one in values:
        if one.baseline is not None:
            yield f"    -{one.key} = {one.baseline}"
        if one.candidate is not None:
            yield f"    +{one.key} = {one.candidate}"
