"""Spans of sampled traces as tables: own time and calls of every name in every trace, and traits.

One row a trace, one column a name; the names that add least beyond `MAX_NAMES` share the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.critical_path import Tree, depth_of, own_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from whence.query.compared_spans import SpanColumns

MAX_NAMES = 60
MAX_TRAITS = 200
OTHERS = "(other spans)"
_NS_PER_MS = 1e6


class SpanTable(msgspec.Struct, frozen=True, kw_only=True):
    """`own_ms` and `calls` by (trace, name); `traits` by (trace, trait), described in words."""

    keys: NDArray[np.uint64]
    names: tuple[str, ...]
    span_types: tuple[str, ...]
    own_ms: NDArray[np.float64]
    calls: NDArray[np.float64]
    traits: tuple[str, ...]
    trait_counts: NDArray[np.float64]


class _Gathered:
    """Sparse tables while traces are read: rows by trace, {column: number} each."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.own: list[dict[str, int]] = []
        self.calls: list[dict[str, int]] = []
        self.traits: list[dict[str, int]] = []


def build_span_table(spans: SpanColumns) -> SpanTable:
    """Walk every trace once."""
    found = _Gathered()
    for start, end in _traces(spans.key):
        _read_trace(spans, start, end, found)
    names = _columns(found.own, MAX_NAMES)
    types = dict(zip(spans.name, spans.span_type, strict=True))
    traits = [one for one in _columns(found.traits, MAX_TRAITS) if one != OTHERS]
    return SpanTable(
        keys=np.array(found.keys, dtype=np.uint64),
        names=tuple(names),
        span_types=tuple(types.get(name, "") for name in names),
        own_ms=_dense(found.own, names) / _NS_PER_MS,
        calls=_dense(found.calls, names),
        traits=tuple(traits),
        trait_counts=_dense(found.traits, traits),
    )


def _traces(keys: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    if not len(keys):
        return
    borders = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = [0, *borders.tolist()]
    yield from zip(starts, [*starts[1:], len(keys)], strict=True)


def _read_trace(spans: SpanColumns, start: int, end: int, found: _Gathered) -> None:
    tree = Tree(
        spans.span_id[start:end],
        spans.parent_id[start:end],
        spans.start_ns[start:end],
        spans.end_ns[start:end],
    )
    names = spans.name[start:end]
    own: dict[str, int] = {}
    calls: dict[str, int] = {}
    for name, time_ns in zip(names, own_times(tree), strict=True):
        own[name] = own.get(name, 0) + time_ns
        calls[name] = calls.get(name, 0) + 1
    found.keys.append(int(spans.key[start]))
    found.own.append(own)
    found.calls.append(calls)
    found.traits.append(_read_traits(tree, names, spans.failed[start:end]))


def _read_traits(tree: Tree, names: Sequence[str], failed: Sequence[bool]) -> dict[str, int]:
    """Return traits of the tree: calls below each parent's name, repetitions, retries, depth."""
    traits: dict[str, int] = {"levels of spans": depth_of(tree)}
    for parent, children in enumerate(tree.children):
        if not children:
            continue
        below: dict[str, list[int]] = {}
        for child in children:
            below.setdefault(names[child], []).append(child)
        for name, same in below.items():
            edge = f"calls of {name} below {names[parent]}"
            traits[edge] = traits.get(edge, 0) + len(same)
            if len(same) > 1:
                _count_retries(tree, same, name, failed, traits)
    return traits


def _count_retries(
    tree: Tree, same: list[int], name: str, failed: Sequence[bool], traits: dict[str, int]
) -> None:
    """Count calls that follow a failed one of the same name below the same parent."""
    ordered = sorted(same, key=lambda one: tree.start_ns[one])
    again = sum(1 for one in ordered[:-1] if failed[one])
    if again:
        retries = f"retries of {name}"
        traits[retries] = traits.get(retries, 0) + again


def _columns(rows: Sequence[dict[str, int]], most: int) -> list[str]:
    """Return the columns with the largest sums; what is left out shares one more."""
    sums: dict[str, int] = {}
    for row in rows:
        for name, number in row.items():
            sums[name] = sums.get(name, 0) + number
    ordered = sorted(sums, key=lambda name: (-sums[name], name))
    return [*ordered[:most], OTHERS] if len(ordered) > most else ordered


def _dense(rows: Sequence[dict[str, int]], names: Sequence[str]) -> NDArray[np.float64]:
    place = {name: number for number, name in enumerate(names)}
    others = place.get(OTHERS, -1)
    table = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        line = table[number]
        for name, value in row.items():
            column = place.get(name, others)
            if column >= 0:
                line[column] += value
    return table
