"""A comparison in words: numbers with their units, a line of summary, a report in Markdown.

What stands in stored names (spans, errors, metadata) is escaped: it can't forge a line or a cell,
make a link, name a person or a ticket, or leave its span of code.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whence.entities.comparison import (
        Arm,
        Comparison,
        CostPart,
        ExemplarPair,
        Explanation,
        MetricComparison,
    )

ABSENT = "-"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Before a letter or digit these would name a person or a ticket, or begin a link. A backslash does
# not help: services look for them in the finished text. An empty character between them does.
_LIVE = re.compile(r"@(?=\w)|(?<=://)(?=\S)|\b(?<=www)(?=\.)|(?<=\\#)(?=\d)|(?<=!)(?=\d)", re.ASCII)
_BREAK = "&#8203;"
_FENCES = re.compile(r"`+")
MAX_ROWS = 10
MAX_LABEL = 40
SIGNS = {"regressed": "✗", "improved": "✓", "equivalent": "=", "inconclusive": "?"}
_SECOND_MS, _THOUSAND = 1000.0, 1000.0


def format_value(value: float | None, unit: str) -> str:
    """Return a value as people read it: `12.3 ms`, `2.1 %`, `1,234`, `$0.0012`."""
    if value is None:
        return ABSENT
    if unit == "ms":
        return f"{value / _SECOND_MS:.2f} s" if abs(value) >= _SECOND_MS else f"{_digits(value)} ms"
    if unit == "share":
        return f"{value * 100:.2f} %"
    if unit == "usd":
        return f"${value:.4g}"
    return _digits(value)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"


def format_effect(value: float | None, one: MetricComparison) -> str:
    """Return an effect, or a margin, with its sign and unit: `+12.3 %`, `+0.52 points`."""
    return ABSENT if value is None else (_signed(value, one) + _unit(one))


def format_interval(one: MetricComparison) -> str:
    """Return the interval of an effect: `+8.1 to +16.7 %`."""
    if one.low is None and one.high is None:
        return ABSENT
    low, high = ("…" if end is None else _signed(end, one) for end in (one.low, one.high))
    return f"{low} to {high}{_unit(one)}"


def _signed(value: float, one: MetricComparison) -> str:
    if one.scale == "ratio":
        return f"{value * 100:+.1f}"
    return f"{value * 100:+.2f}" if one.unit == "share" else f"{value:+.3g}"


def _unit(one: MetricComparison) -> str:
    if one.scale == "ratio":
        return " %"
    return " points" if one.unit == "share" else ""


def format_margin(one: MetricComparison) -> str:
    """Return the margin, on the side that is bad."""
    return format_effect(one.margin if one.better == "lower" else -one.margin, one)


def format_verdict(one: MetricComparison) -> str:
    """Return the verdict, and how many units more it wants."""
    if one.verdict == "inconclusive" and one.needed is not None:
        return f"inconclusive (needs about {one.needed:,})"
    return one.verdict


def name_metric(metric: str) -> str:
    """Return a metric's name for people: `duration p95`."""
    return metric.replace("_", " ") if not metric.startswith("feedback") else metric


def describe_metric(one: MetricComparison) -> str:
    """Return one metric in words: `duration p95 +38.1 % (+30.2 % to +46.6 %)`."""
    return f"{name_metric(one.metric)} {format_effect(one.effect, one)} ({format_interval(one)})"


def write_summary(
    verdict: str, baseline: str, candidate: str, metrics: list[MetricComparison]
) -> str:
    """Return one sentence: the verdict of all, and the guard metrics that made it."""
    told = [one for one in metrics if one.guard and one.verdict == verdict]
    names = "; ".join(describe_metric(one) for one in told)
    words = {
        "regressed": f"{candidate} regressed against {baseline}: {names}.",
        "improved": f"{candidate} improved on {baseline}: {names}.",
        "equivalent": f"{candidate} is equivalent to {baseline} within the margins.",
    }
    if verdict in words:
        return words[verdict]
    undecided = (
        ", ".join(name_metric(one.metric) for one in told) or "there are no traces to compare"
    )
    return f"{candidate} against {baseline} is inconclusive: {undecided}."


def label_of(arm: Arm) -> str:
    """Return what an arm is called: what was asked for, a long filter by its beginning."""
    return arm.asked if len(arm.asked) <= MAX_LABEL else arm.asked[: MAX_LABEL - 1] + "…"


# --- Markdown ---------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Return a stored text on one line of Markdown, with nothing in it that formats or links."""
    plain = _SPECIAL.sub(r"\\\1", _show_control(text).replace("&", "&amp;"))
    return _LIVE.sub(lambda found: found[0] + _BREAK, plain)


def write_code(text: str) -> str:
    """Return a span of code that holds this text whatever is in it, on one line."""
    plain = _show_control(text)
    longest = max((len(run) for run in _FENCES.findall(plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if plain[:1] in ("`", " ", "") or plain[-1:] in ("`", " ") else ""
    return f"{fence}{space}{plain}{space}{fence}"


def _show_control(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def describe_cost(parts: Sequence[CostPart]) -> str:
    """Return what a change of cost is made of: `+$0.0012 a trace: price +$0.001, tokens …`."""
    whole = sum(one.effect_usd for one in parts)
    told = ", ".join(f"{one.name} {_signed_usd(one.effect_usd)}" for one in parts)
    return f"{_signed_usd(whole)} a trace: {told}"


def _signed_usd(value: float) -> str:
    return f"{'-' if value < 0 else '+'}${abs(value):.3g}"


def has_moved(found: Comparison, metric: str) -> bool:
    """Tell whether a metric, or one named after it, changed beyond chance."""
    return any(
        one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
        for one in found.metrics
        if one.metric.startswith(metric)
    )


def write_diff_command(pair: ExemplarPair) -> str:
    """Return the command that shows a pair of traces; a foreign trace id may hold anything."""
    return shlex.join(["whence", "diff", pair.baseline, pair.candidate])


def write_markdown(found: Comparison) -> str:
    """Return the whole report."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    where = f" in {escape(found.environment)}" if found.environment else ""
    baseline, candidate = escape(label_of(found.baseline)), escape(label_of(found.candidate))
    yield f"## {SIGNS[found.verdict]} {found.verdict}: {candidate} against {baseline}{where}"
    yield ""
    yield escape(found.summary)
    yield ""
    interval = f"{found.confidence:.0%} interval"
    yield f"| metric | {baseline} | {candidate} | change | {interval} | margin | n | verdict |"
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    for one in found.metrics:
        yield _row(one)
    yield ""
    for arm in (found.baseline, found.candidate):
        yield (
            f"- {escape(label_of(arm))}: {arm.traces:,} traces, {arm.units:,} independent units, "
            f"{arm.unfinished:,} unfinished"
        )
    yield (
        f"- Strata by {', '.join(found.strata_by) or 'nothing'}: {found.strata}, "
        f"which cover {found.coverage:.1%} of the candidate's traces"
    )
    for note in found.notes:
        yield f"- {escape(note)}"
    yield from _errors(found)
    if found.explanation is not None:
        yield from _explanation(found.explanation)
        if found.explanation.cost and has_moved(found, "cost_usd"):
            yield ""
            yield f"- Cost {describe_cost(found.explanation.cost)}"


def _row(one: MetricComparison) -> str:
    name = escape(name_metric(one.metric))
    sign = SIGNS[one.verdict]
    cells = [
        f"**{name}**" if one.guard else name,
        format_value(one.baseline, one.unit),
        format_value(one.candidate, one.unit),
        format_effect(one.effect, one),
        format_interval(one),
        format_margin(one),
        f"{one.n_baseline:,} / {one.n_candidate:,}",
        f"{sign} {format_verdict(one)}",
    ]
    return f"| {' | '.join(cells)} |"


def _errors(found: Comparison) -> Iterator[str]:
    changed = [one for one in found.errors if one.status != "alike"]
    if not changed:
        return
    yield ""
    yield "### Errors"
    yield ""
    yield "| error | span | baseline | candidate | |"
    yield "|---|---|---:|---:|---|"
    for one in changed[:MAX_ROWS]:
        text = escape(f"{one.type}: {one.message}".strip(": "))
        counts = f"{one.baseline:,} | {one.candidate:,}"
        yield f"| {text} | {escape(one.span)} | {counts} | {one.status} |"


def _explanation(found: Explanation) -> Iterator[str]:
    yield ""
    yield "### Why"
    if found.spans:
        yield ""
        yield "| span | own time | change | 95% interval | part | by more calls | by slower calls |"
        yield "|---|---|---:|---:|---:|---:|---:|"
        for one in found.spans[:MAX_ROWS]:
            share = ABSENT if one.share is None else f"{one.share:.0%}"
            interval = (
                ABSENT
                if one.low_ms is None or one.high_ms is None
                else f"{one.low_ms:+.3g} to {one.high_ms:+.3g} ms"
            )
            own = f"{format_value(one.baseline_ms, 'ms')} → {format_value(one.candidate_ms, 'ms')}"
            yield (
                f"| {escape(one.name)} | {own} | {one.difference_ms:+.3g} ms | {interval} "
                f"| {share} | {one.by_calls_ms:+.3g} ms | {one.by_mean_ms:+.3g} ms |"
            )
    if found.presence or found.shapes:
        yield ""
    for present in found.presence[:MAX_ROWS]:
        name = write_code(present.name)
        yield f"- {present.change}: {name} in {present.traces:.0%} of the traces"
    for shape in found.shapes[:MAX_ROWS]:
        yield f"- {escape(shape.description)}: {shape.baseline:.3g} → {shape.candidate:.3g}"
    if found.overrepresented:
        yield ""
    for value in found.overrepresented[:MAX_ROWS]:
        yield (
            f"- {value.selected} traces: {escape(value.field)} = {escape(value.value)} in "
            f"{value.share_selected:.0%} of them, in {value.share_rest:.0%} of the rest "
            f"(q {value.q_value:.2g})"
        )
    if found.exemplars:
        yield ""
    for pair in found.exemplars[:MAX_ROWS]:
        yield (f"- {write_code(write_diff_command(pair))} ({pair.basis}; {pair.reason})")
