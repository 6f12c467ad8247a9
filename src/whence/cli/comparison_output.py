"""A comparison on the terminal, for GitHub's job summary and annotations, as JUnit XML, as JSON.

Stored names (spans, errors, metadata) may hold anything: none can forge a line, a cell, a workflow
command or an XML element.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

from whence.cli.frame import console, print_text
from whence.cli.terminal_text import disarm, disarm_json, escape_json, escape_line, escape_lines
from whence.entities.comparison_text import (
    describe_cost,
    describe_metric,
    format_effect,
    format_interval,
    format_margin,
    format_value,
    format_verdict,
    has_moved,
    label_of,
    name_metric,
    write_diff_command,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from whence.entities.comparison import Comparison, Explanation, MetricComparison

STYLES = {
    "regressed": "bold red",
    "improved": "green",
    "equivalent": "dim",
    "inconclusive": "yellow",
}
COLUMNS = ("metric", "baseline", "candidate", "change", "interval", "margin", "verdict")
MAX_LINES = 5
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SUMMARY_FILE = "GITHUB_STEP_SUMMARY"


def write_comparison(found: Comparison, form: str) -> None:
    """Write it to stdout in one of the forms of `FORMS`."""
    FORMS[form](found)


# --- Text -----------------------------------------------------------------------------------------


def _write_text(found: Comparison) -> None:
    from rich.text import Text

    from whence.cli.results import new_table, print_table

    out = console()
    where = f" in {found.environment}" if found.environment else ""
    title = f"{label_of(found.candidate)} against {label_of(found.baseline)}{where}: "
    out.print(
        Text.assemble((disarm(escape_line(title)), "bold"), (found.verdict, STYLES[found.verdict])),
        soft_wrap=True,
    )
    out.print()
    table = new_table()
    for column in COLUMNS:
        number = column not in ("metric", "verdict")
        table.add_column(
            Text(column), justify="right" if number else "left", no_wrap=column == "metric"
        )
    for one in found.metrics:
        table.add_row(*_cells(one))
    print_table(table)
    out.print()
    for line in _lines(found):
        out.print(Text(disarm(escape_line(line))), soft_wrap=True)


def _cells(one: MetricComparison) -> Iterator[Any]:
    from rich.text import Text

    mark = "" if one.guard else " *"
    yield Text(
        disarm(escape_line(name_metric(one.metric) + mark)), style="bold" if one.guard else ""
    )
    for text in (
        format_value(one.baseline, one.unit),
        format_value(one.candidate, one.unit),
        format_effect(one.effect, one),
        format_interval(one),
        format_margin(one),
    ):
        yield Text(text)
    yield Text(format_verdict(one), style=STYLES[one.verdict])


def _lines(found: Comparison) -> Iterator[str]:
    for arm in (found.baseline, found.candidate):
        yield (
            f"{label_of(arm)}: {arm.traces:,} traces ({arm.units:,} independent), "
            f"{arm.unfinished:,} unfinished"
        )
    if any(not one.guard for one in found.metrics):
        yield "* explored: no part of the verdict"
    for note in found.notes:
        yield f"note: {note}"
    changed = [one for one in found.errors if one.status != "alike"]
    for error in changed[:MAX_LINES]:
        text = f"{error.type}: {error.message}".strip(": ")
        yield f"error {error.status}: {text} in {error.span} ({error.baseline} → {error.candidate})"
    if found.explanation is not None:
        yield from _why(found.explanation, duration_moved=has_moved(found, "duration"))
        if found.explanation.cost and has_moved(found, "cost_usd"):
            yield f"why: cost {describe_cost(found.explanation.cost)}"


def _why(found: Explanation, *, duration_moved: bool) -> Iterator[str]:
    told = [
        one
        for one in found.spans
        if duration_moved
        and one.low_ms is not None
        and one.high_ms is not None
        and (one.low_ms > 0 or one.high_ms < 0)
    ]
    for span in told[:MAX_LINES]:
        share = "" if span.share is None else f", {span.share:.0%} of the difference"
        yield (
            f"why: {span.name} {span.difference_ms:+.3g} ms a trace "
            f"({span.low_ms:+.3g} to {span.high_ms:+.3g}{share}): "
            f"{format_value(span.baseline_ms, 'ms')} → {format_value(span.candidate_ms, 'ms')}, "
            f"{span.baseline_calls:.3g} → {span.candidate_calls:.3g} calls"
        )
    for present in found.presence[:MAX_LINES]:
        yield f"why: span {present.change}: {present.name}, in {present.traces:.0%} of the traces"
    for shape in found.shapes[:MAX_LINES]:
        yield f"why: {shape.description}: {shape.baseline:.3g} → {shape.candidate:.3g} a trace"
    for value in found.overrepresented[:MAX_LINES]:
        yield (
            f"why: {value.selected} traces have {value.field} = {value.value} "
            f"({value.share_selected:.0%}, the rest {value.share_rest:.0%})"
        )
    for pair in found.exemplars[:MAX_LINES]:
        yield f"look: {write_diff_command(pair)} ({pair.reason}, {pair.basis})"


# --- Other forms ----------------------------------------------------------------------------------


def _write_markdown(found: Comparison) -> None:
    text = disarm(found.to_markdown())
    print_text(escape_lines(text) if sys.stdout.isatty() else text)


def _write_json(found: Comparison) -> None:
    print_text(disarm_json(escape_json(found.to_json().encode()).decode()) + "\n")


def _write_github(found: Comparison) -> None:
    """Write an annotation for each guard that did not pass, and the report to the job's summary."""
    kinds = {"regressed": "error", "inconclusive": "warning", "improved": "notice"}
    for one in found.metrics:
        kind = kinds.get(one.verdict)
        if one.guard and kind is not None:
            title = _workflow_property(f"{name_metric(one.metric)} {one.verdict}")
            text = f"{describe_metric(one)}, margin {format_margin(one)}: {one.reason}"
            print_text(f"::{kind} title={title}::{_workflow_text(text)}\n")
    summary = os.environ.get(SUMMARY_FILE)
    if summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(found.to_markdown())
    else:
        _write_markdown(found)


def _workflow_text(text: str) -> str:
    # `##[` is a command wherever it stands, the runner's older form.
    return disarm(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _workflow_property(text: str) -> str:
    return _workflow_text(text).replace(":", "%3A").replace(",", "%2C")


def _write_junit(found: Comparison) -> None:
    guards = [one for one in found.metrics if one.guard]
    failed = sum(one.verdict == "regressed" for one in guards)
    skipped = sum(one.verdict == "inconclusive" for one in guards)
    name = quoteattr(_xml_text(f"{label_of(found.candidate)} against {label_of(found.baseline)}"))
    counts = f'tests="{len(guards)}" failures="{failed}" skipped="{skipped}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name={name} {counts} time="{found.elapsed_ms / 1000:.3f}">',
    ]
    for one in guards:
        lines.append(
            f'  <testcase classname="whence.compare" name={quoteattr(_xml_text(one.metric))}>'
        )
        message = quoteattr(_xml_text(f"{describe_metric(one)}, margin {format_margin(one)}"))
        reason = escape_xml(_xml_text(one.reason))
        if one.verdict == "regressed":
            lines.append(f'    <failure type="regressed" message={message}>{reason}</failure>')
        elif one.verdict == "inconclusive":
            lines.append(f"    <skipped message={message}>{reason}</skipped>")
        else:
            lines.append(
                f"    <system-out>{escape_xml(_xml_text(one.verdict))}: {reason}</system-out>"
            )
        lines.append("  </testcase>")
    lines.append("</testsuite>")
    print_text("\n".join(lines) + "\n")


def _xml_text(text: str) -> str:
    """Return text without what XML can't hold, and without a CI service's commands."""
    return disarm(NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", escape_line(text)))


FORMS: dict[str, Callable[[Comparison], None]] = {
    "text": _write_text,
    "markdown": _write_markdown,
    "github": _write_github,
    "junit": _write_junit,
    "json": _write_json,
}
