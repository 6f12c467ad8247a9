"""Two traces side by side: spans matched by their path, texts and metadata compared.

A span's place is the names from the root down; among siblings of one name the order of their start
tells them apart, so the third call in a loop meets the third. Places are numbers while traces are
walked: whole paths of a deep trace would take memory by the square of its depth, and names with a
slash could spell another span's path. No recursion.

Limits: a shown path of more than `MAX_PATH` letters is its end, behind `…`; where two would read
alike, the later one ends with `~` and a number. Texts above `MAX_TEXT_BYTES` are compared by their
beginning, a diff has `MAX_LINES` lines at most, and at most `MAX_TEXTS` texts of a pair are
compared line by line.
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
MAX_PATH = 500
_NS_PER_MS = 1e6


class _Places:
    """Numbers for places of spans, the same for both traces, and how each is written."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str, int], int] = {}
        self._paths: list[str] = [""]  # 0 is above the roots
        self._shown: set[str] = set()

    def find(self, above: int, name: str, nth: int) -> int:
        """Return the place of the nth span of this name below another place."""
        number = self._numbers.get((above, name, nth))
        if number is None:
            number = self._numbers[above, name, nth] = len(self._paths)
            self._paths.append(self._write(above, _label(name, nth), number))
        return number

    def _write(self, above: int, label: str, number: int) -> str:
        path = f"{self._paths[above]}/{label}" if above else label
        if len(path) > MAX_PATH:
            path = "…" + path[1 - MAX_PATH :]
        if path in self._shown:
            path += f"~{number}"
        self._shown.add(path)
        return path

    def path(self, number: int) -> str:
        """Return a place's path, unlike every other one's."""
        return self._paths[number]


def _label(name: str, nth: int) -> str:
    return name if nth == 1 else f"{name}[{nth}]"


class _Node(msgspec.Struct, frozen=True):
    """A span, its place and its own time on the critical path."""

    place: int
    name: str
    depth: int
    span: Span
    own_ns: int


def diff_traces(baseline: TraceView, candidate: TraceView) -> TraceDiff:
    """Return how the candidate differs from the baseline."""
    places = _Places()
    one = {node.place: node for node in _walk(baseline.spans, places)}
    other = {node.place: node for node in _walk(candidate.spans, places)}
    left = [MAX_TEXTS]
    spans = [
        _diff_spans(one.get(place), other.get(place), places.path(place), left)
        for place in _merge(list(one), list(other))
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


def _walk(spans: Sequence[Span], places: _Places) -> Iterator[_Node]:
    """Yield every span with its place, parents before children, siblings by start."""
    starts = [int(span.start_time_ns) for span in spans]
    ends = [
        starts[row] if span.end_time_ns is None else int(span.end_time_ns)
        for row, span in enumerate(spans)
    ]
    tree = Tree([s.span_id for s in spans], [s.parent_id or "" for s in spans], starts, ends)
    own = own_times(tree)

    def below(rows: Sequence[int], above: int, depth: int) -> list[tuple[int, _Node]]:
        seen: dict[str, int] = {}
        found = []
        for row in sorted(rows, key=lambda one: (starts[one], spans[one].span_id)):
            name = spans[row].name
            nth = seen[name] = seen.get(name, 0) + 1
            place = places.find(above, name, nth)
            found.append((row, _Node(place, _label(name, nth), depth, spans[row], own[row])))
        return found[::-1]

    stack = below(tree.roots, 0, 0)
    while stack:
        row, node = stack.pop()
        yield node
        stack += below(tree.children[row], node.place, node.depth + 1)


def _merge(one: list[int], other: list[int]) -> list[int]:
    """Return all places in the candidate's order; the baseline's own stand behind those before."""
    known = set(other)
    after: dict[int | None, list[int]] = {}
    last: int | None = None
    for place in one:
        if place in known:
            last = place
        else:
            after.setdefault(last, []).append(place)
    merged = list(after.get(None, ()))
    for place in other:
        merged.append(place)
        merged += after.get(place, ())
    return merged


# --- Spans ----------------------------------------------------------------------------------------


def _diff_spans(one: _Node | None, other: _Node | None, path: str, left: list[int]) -> SpanDiff:
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
        path=path,
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
