"""Two traces side by side: spans matched by their path, texts and metadata compared.

A path is the names from the root down; among siblings of one name the order of their start tells
them apart, so the third call in a loop meets the third. No recursion.

Limits: texts above `MAX_TEXT_BYTES` are compared by their beginning, a diff has `MAX_LINES` lines
at most, and at most `MAX_TEXTS` texts of a pair are compared line by line.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

from whence.analysis.critical_path import Tree, own_times
from whence.entities.trace_diff import SpanDiff, SpanSide, TextDiff, TraceDiff, ValueDiff

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from whence.query.views import Span, TraceView

MAX_TEXT_BYTES = 60_000
MAX_TEXT_LINES = 1_000
MAX_LINES = 200
MAX_TEXTS = 200
_NS_PER_MS = 1e6


class _Node(msgspec.Struct, frozen=True):
    """A span, its path and its own time on the critical path."""

    path: str
    name: str
    depth: int
    span: Span
    own_ns: int


def diff_traces(baseline: TraceView, candidate: TraceView) -> TraceDiff:
    """Return how the candidate differs from the baseline."""
    one = {node.path: node for node in _walk(baseline.spans)}
    other = {node.path: node for node in _walk(candidate.spans)}
    left = [MAX_TEXTS]
    spans = [
        _diff_spans(one.get(path), other.get(path), left) for path in _merge(list(one), list(other))
    ]
    counts = {
        change: sum(one.change == change for one in spans)
        for change in ("same", "changed", "only in baseline", "only in candidate")
    }
    return TraceDiff(
        baseline=baseline.info.trace_id,
        candidate=candidate.info.trace_id,
        baseline_ms=_ms(baseline.info.duration_ns),
        candidate_ms=_ms(candidate.info.duration_ns),
        baseline_state=baseline.info.state,
        candidate_state=candidate.info.state,
        same=counts["same"],
        changed=counts["changed"],
        only_baseline=counts["only in baseline"],
        only_candidate=counts["only in candidate"],
        spans=spans,
        metadata=_diff_values(baseline.info.trace_metadata, candidate.info.trace_metadata),
        tags=_diff_values(baseline.info.tags, candidate.info.tags),
    )


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / _NS_PER_MS


# --- Paths ----------------------------------------------------------------------------------------


def _walk(spans: Sequence[Span]) -> Iterator[_Node]:
    """Yield every span with its path, parents before children, siblings by start."""
    starts = [int(span.start_time_ns) for span in spans]
    ends = [
        starts[place] if span.end_time_ns is None else int(span.end_time_ns)
        for place, span in enumerate(spans)
    ]
    tree = Tree([s.span_id for s in spans], [s.parent_id or "" for s in spans], starts, ends)
    own = own_times(tree)
    stack = list(reversed(list(_label(tree.roots, spans, starts, "", 0))))
    while stack:
        place, path, name, depth = stack.pop()
        yield _Node(path, name, depth, spans[place], own[place])
        stack += reversed(list(_label(tree.children[place], spans, starts, path, depth + 1)))


def _label(
    places: Sequence[int], spans: Sequence[Span], starts: Sequence[int], above: str, depth: int
) -> Iterator[tuple[int, str, str, int]]:
    seen: dict[str, int] = {}
    for place in sorted(places, key=lambda one: (starts[one], spans[one].span_id)):
        name = spans[place].name
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        yield place, f"{above}/{label}" if above else label, label, depth


def _merge(one: list[str], other: list[str]) -> list[str]:
    """Return all paths in the candidate's order; the baseline's own stand behind those before."""
    known = set(other)
    after: dict[str | None, list[str]] = {}
    last: str | None = None
    for path in one:
        if path in known:
            last = path
        else:
            after.setdefault(last, []).append(path)
    merged = list(after.get(None, ()))
    for path in other:
        merged.append(path)
        merged += after.get(path, ())
    return merged


# --- Spans ----------------------------------------------------------------------------------------


def _diff_spans(one: _Node | None, other: _Node | None, left: list[int]) -> SpanDiff:
    known = other or one
    if known is None:
        raise ValueError("one of both is there")
    texts: list[TextDiff] = []
    attributes: list[str] = []
    change = "only in candidate" if one is None else "only in baseline"
    if one is not None and other is not None:
        texts = _diff_texts(one.span, other.span, left)
        attributes = _changed_keys(one.span, other.span)
        differs = texts or attributes or _facts(one.span) != _facts(other.span)
        change = "changed" if differs else "same"
    return SpanDiff(
        path=known.path,
        name=known.name,
        depth=known.depth,
        change=change,
        baseline=None if one is None else _side(one),
        candidate=None if other is None else _side(other),
        texts=texts,
        attributes=attributes,
    )


def _facts(span: Span) -> tuple[object, ...]:
    return span.status, span.span_type, span.model, span.end_time_ns is None


def _side(node: _Node) -> SpanSide:
    span = node.span
    tokens = None
    if span.usage is not None:
        usage = msgspec.json.decode(span.usage)
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return SpanSide(
        span_id=span.span_id,
        span_type=span.span_type,
        status=span.status,
        status_message=span.status_message,
        duration_ms=None
        if span.end_time_ns is None
        else (int(span.end_time_ns) - int(span.start_time_ns)) / _NS_PER_MS,
        own_ms=node.own_ns / _NS_PER_MS,
        model=span.model,
        total_tokens=tokens,
    )


def _changed_keys(one: Span, other: Span) -> list[str]:
    keys = sorted({*one.attributes, *other.attributes})
    return [key for key in keys if _raw(one.attributes.get(key)) != _raw(other.attributes.get(key))]


def _raw(value: object) -> bytes | None:
    return None if value is None or value is msgspec.UNSET else bytes(value)  # type: ignore[call-overload]


# --- Texts ----------------------------------------------------------------------------------------


def _diff_texts(one: Span, other: Span, left: list[int]) -> list[TextDiff]:
    found = []
    pairs = (
        ("inputs", _raw(one.inputs), _raw(other.inputs)),
        ("outputs", _raw(one.outputs), _raw(other.outputs)),
        ("status message", one.status_message.encode(), other.status_message.encode()),
    )
    for what, before, after in pairs:
        if before == after:
            continue
        left[0] -= 1
        if left[0] < 0:
            found.append(TextDiff(what=what, lines=[], cut=True))
        else:
            found.append(_diff_text(what, before, after))
    return found


def _diff_text(what: str, one: bytes | None, other: bytes | None) -> TextDiff:
    before, cut_before = _lines(one)
    after, cut_after = _lines(other)
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    cut = cut_before or cut_after or len(lines) > MAX_LINES
    return TextDiff(what=what, lines=lines[:MAX_LINES], cut=cut)


def _lines(text: bytes | None) -> tuple[list[str], bool]:
    """Return a text's lines (JSON indented, strings as they read), and whether it was cut."""
    if text is None:
        return [], False
    cut = len(text) > MAX_TEXT_BYTES
    shown = text[:MAX_TEXT_BYTES].decode(errors="replace")
    if not cut:
        try:
            value = msgspec.json.decode(text)
            shown = (
                value if isinstance(value, str) else msgspec.json.format(text, indent=2).decode()
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    lines = shown.splitlines()
    return lines[:MAX_TEXT_LINES], cut or len(lines) > MAX_TEXT_LINES


def _diff_values(one: Mapping[str, str], other: Mapping[str, str]) -> list[ValueDiff]:
    return [
        ValueDiff(key=key, baseline=one.get(key), candidate=other.get(key))
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]
