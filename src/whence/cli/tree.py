"""A trace as text: its spans as a tree with durations, then what is known about it.

Beside each metadata value stands where it is from. Where several services took part, each span
names its own and that one's version.

Works for any shape: spans whose parent is missing stand at the top, deep trees are walked without
recursion, and past `DEEPEST` levels the branches stop moving to the right. What a
terminal has no room for goes on below, marked, so that no long text forges a line of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from whence.cli.columns import value_of
from whence.cli.results import STATE_STYLES, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

Span = dict[str, Any]
DEEPEST = 40
NAME_CHARS = 60
HEADLINE = (
    "experiment_id",
    "state",
    "time",
    "duration_ms",
    "short_commit",
    "total_tokens",
    "cost_usd",
    "models",
)
CONTINUED = "      ↳ "
ABOUT = ("client_request_id", "request_preview", "response_preview")


def print_trace(trace: dict[str, Any], out: Console) -> None:
    """Print a trace as the API answers it."""
    info = trace["info"]
    _print_line(out, Text.assemble((show(info["trace_id"]), "bold"), "  ", show(info["name"])))
    facts = ((name, show(value_of(info, name))) for name in HEADLINE)
    known = (f"{name} {value}" for name, value in facts if value not in {"", "[]"})
    _print_line(out, Text("  ".join(known), style="dim"))
    out.print()
    for line in draw_spans(trace["spans"]):
        _print_line(out, line)
    _print_section(out, "", {name: info[name] for name in ABOUT if info[name]})
    _print_section(out, "metadata", info["trace_metadata"], info.get("provenance"))
    _print_section(out, "tags", info["tags"])
    _print_section(out, "assessments", dict(map(_describe_assessment, info["assessments"])))
    _print_section(
        out, "conflicts (refused writes)", dict(map(_describe_conflict, trace["conflicts"]))
    )


def draw_spans(spans: list[Span]) -> Iterator[Text]:
    """Yield a line for each span, parents before children, siblings by start time."""
    rows = [(branch + _shorten(span["name"]), span) for branch, span in _walk(spans)]
    width = max((len(label) for label, _ in rows), default=0)
    services = {span["span_id"]: _name_service(span) for span in spans}
    several = len(set(services.values())) > 1
    for label, span in rows:
        style = "red" if span["status"] == "ERROR" else ""
        line = Text(label.ljust(width), style=style)
        line.append(f"  {show(span['span_type']):<10}", style="cyan")
        line.append(f"{_duration(span):>12}")
        if several:
            line.append(f"  {services[span['span_id']]}", style="blue")
        if span["model"]:
            line.append(f"  {show(span['model'])}", style="magenta")
        if span["usage"]:
            line.append(f"  {show(span['usage'].get('total_tokens'))} tokens", style="dim")
        if span["status"] == "ERROR":
            line.append(f"  {_first_line(span['status_message']) or 'ERROR'}", style="red")
        yield line


def _walk(spans: list[Span]) -> Iterator[tuple[str, Span]]:
    """Yield each span with the branch drawn before its name."""
    known = {span["span_id"] for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda one: int(one["start_time_ns"])):
        parent = span["parent_id"] if span["parent_id"] in known else None
        children.setdefault(None if parent == span["span_id"] else parent, []).append(span)
    seen: set[str] = set()
    stack = [(span, "", "", 0) for span in reversed(children.get(None, []))]
    while stack:
        span, branch, indent, depth = stack.pop()
        if span["span_id"] in seen:
            continue
        seen.add(span["span_id"])
        yield branch, span
        below = children.get(span["span_id"], [])
        for place, child in enumerate(reversed(below)):
            last = place == 0
            if depth >= DEEPEST:
                stack.append((child, indent + "· ", indent, depth + 1))
            else:
                head, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
                stack.append((child, indent + head, indent + rest, depth + 1))
    for span in spans:  # parents in a circle: no root leads to them
        if span["span_id"] not in seen:
            yield "? ", span


def _name_service(span: Span) -> str:
    resource = span["resource"]
    names = (resource.get("service.name"), resource.get("service.version"))
    return " ".join(show(name) for name in names if name)


def _duration(span: Span) -> str:
    if span["end_time_ns"] is None:
        return "not ended"
    return format_ms((int(span["end_time_ns"]) - int(span["start_time_ns"])) / 1e6)


def format_ms(duration_ms: float) -> str:
    """Return a duration with its unit: 812 µs, 12.3 ms, 4.56 s."""
    if duration_ms < 1:
        return f"{duration_ms * 1000:.0f} µs"
    return f"{duration_ms:.1f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.2f} s"  # noqa: PLR2004


def _first_line(text: str | None) -> str:
    return show(next(iter((text or "").strip().splitlines()), ""))


def _shorten(name: str) -> str:
    plain = show(" ".join(name.split()))
    return plain if len(plain) <= NAME_CHARS else plain[: NAME_CHARS - 1] + "…"


def _print_section(
    out: Console, title: str, facts: dict[str, Any], notes: dict[str, str] | None = None
) -> None:
    if not facts:
        return
    out.print()
    if title:
        out.print(Text(title, style="bold"))
    shown = {key: show(key) for key in facts}
    width = max(map(len, shown.values()))
    for key in sorted(facts):
        style = STATE_STYLES.get(str(facts[key]), "") if key == "state" else ""
        line = Text.assemble((f"  {shown[key]:<{width}}  ", "dim"), (show(facts[key]), style))
        if notes and key in notes:
            line.append(f"  ({show(notes[key])})", style="dim italic")
        _print_line(out, line)


def _print_line(out: Console, line: Text) -> None:
    if not out.is_terminal:
        out.print(line, soft_wrap=True)
        return
    for number, part in enumerate(line.wrap(out, max(out.width - len(CONTINUED), 1))):
        out.print(Text.assemble((CONTINUED if number else "", "dim"), part), soft_wrap=True)


def _describe_assessment(one: dict[str, Any]) -> tuple[str, str]:
    kind = "feedback" if "feedback" in one else "expectation"
    value = one.get(kind) or {}
    shown = value.get("value", value.get("serialized_value"))
    source = one.get("source") or {}
    text = f"{kind} {show(shown)} by {source.get('source_type')} {source.get('source_id')}"
    if one.get("rationale"):
        text += f": {one['rationale']}"
    return f"{one['assessment_name']} ({one['assessment_id']})", text


def _describe_conflict(one: dict[str, Any]) -> tuple[str, str]:
    kept = "stays absent" if one["kept"] is None else f"kept {one['kept']!r}"
    return one["key"], f"{kept}, refused {one['refused']!r} from {one['source']}"
