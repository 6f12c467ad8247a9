"""Which part of a question the rollups answer, and which part must be read from `traces`.

A filter is *rolled* where it speaks only of what rollups are grouped by, and of request times that
narrow it from the outside (`timestamp_ms > … AND …`). Whole hours that have not changed since they
were rolled up are then read from there; changed hours and the ends of the time range from `traces`,
and traces that have not ended from `open_traces`. Together that is exactly what `traces` says.

`value_counts` is grouped by less, and does not hold all hours that are rolled up: `divide_values`
adds the others to those read from `traces`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from whence import semconv
from whence.query.compile import Parameters, compile_filter
from whence.query.filters import And, Comparison, Filter, Not, Or, comparisons
from whence.query.vocabulary import Field
from whence.store.hours import HOUR_MS, Hour
from whence.store.rollups import (
    DIMENSIONS,
    VALUE_DIMENSIONS,
    find_unvalued,
    read_living_generations,
    time_range,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from whence.store.connection import Store

MAX_RANGES = 50  # more make the engine's index analysis longer than the reading
MAX_LISTED_HOURS = 5_000
MAX_MS = 2**63 - 1
NAME = Field("attribute", "name")
_STORED_NAME = Field("attribute", "trace_name")
_TIME = Field("attribute", "timestamp_ms")
_NARROWING = ("=", "<", "<=", ">", ">=")
_HAS_OVERRIDES = "SELECT count() FROM (SELECT 1 FROM tags WHERE key = {key:String} LIMIT 1)"

Range = tuple[tuple[str, ...], int, int]  # experiments (none: any), first and last request_time_ms


@dataclass(frozen=True)
class Question:
    """A filter over experiments (none: all), apart from the request times it asks for."""

    experiment_ids: tuple[str, ...]
    tree: Filter | None
    from_ms: int = 0
    until_ms: int = MAX_MS

    @property
    def rolled(self) -> bool:
        """Tell whether rollups can answer it."""
        return self._speaks_only_of(DIMENSIONS)

    @property
    def valued(self) -> bool:
        """Tell whether `value_counts` can answer it."""
        return self._speaks_only_of(VALUE_DIMENSIONS)

    @property
    def bounded(self) -> bool:
        """Tell whether it is about a part of all times."""
        return (self.from_ms, self.until_ms) != (0, MAX_MS)

    @property
    def whole_hours(self) -> tuple[int, int]:
        """The first and the last hour that lie wholly within its times."""
        last = MAX_MS // HOUR_MS if self.until_ms == MAX_MS else (self.until_ms + 1) // HOUR_MS - 1
        return -(-self.from_ms // HOUR_MS), last

    def _speaks_only_of(self, dimensions: Collection[str]) -> bool:
        return self.tree is None or all(
            column_of(one.field) in dimensions for one in comparisons(self.tree)
        )

    def condition(self, parameters: Parameters) -> str:
        """Return the filter's and the experiments' SQL, without the times."""
        # Spans are read exactly: nothing tests again what is found here.
        found = compile_filter(self.tree, parameters, among="1")
        return " AND ".join([*self.experiment_condition(parameters), found])

    def experiment_condition(self, parameters: Parameters) -> list[str]:
        """Return the experiments' SQL, nothing for all."""
        if not self.experiment_ids:
            return []
        return [f"experiment_id IN {parameters.bind(list(self.experiment_ids), 'Array(String)')}"]

    def time_condition(self, parameters: Parameters) -> str:
        """Return the times' SQL."""
        return within([((), self.from_ms, self.until_ms)], parameters) if self.bounded else "1"


def ask(tree: Filter | None, experiment_ids: Iterable[str], *, plain_names: bool) -> Question:
    """Take the times off a filter; `plain_names`: no trace has been renamed by a tag."""
    times = [one for one in _operands(tree) if isinstance(one, Comparison) and _is_narrowing(one)]
    rest = tuple(one for one in _operands(tree) if one not in times)
    from_ms, until_ms = 0, MAX_MS
    for one in times:
        low, high = _bounds(one)
        from_ms, until_ms = max(from_ms, low), min(until_ms, high)
    if times and isinstance(tree, And):
        tree = And(rest) if rest else None
    elif times:
        tree = None
    if tree is not None and plain_names:
        tree = with_stored_names(tree)
    return Question(tuple(sorted(set(experiment_ids))), tree, from_ms, until_ms)


def has_renamed(store: Store) -> bool:
    """Tell whether any trace's name was set by a tag after it was recorded."""
    return has_tag_writes(store, semconv.TRACE_NAME_TAG)


def has_tag_writes(store: Store, key: str) -> bool:
    """Tell whether a tag of this key was set or deleted after its trace was recorded, on any."""
    known: bool | None = store.kept.has_key("tags", key)
    if known is not None:
        return known
    return bool(store.query(_HAS_OVERRIDES, {"key": key}).rows[0][0])


def speaks_of_names(tree: Filter | None) -> bool:
    """Tell whether a filter compares trace names."""
    return tree is not None and any(one.field == NAME for one in comparisons(tree))


def without_conditions_on(tree: Filter | None, field: Field) -> Filter | None:
    """Return the filter without the operands of its outermost AND that are only about `field`."""
    operands = _operands(tree)
    kept = tuple(
        part
        for part in operands
        if not all(one.field in same_fields(field) for one in comparisons(part))
    )
    if len(kept) == len(operands):
        return tree
    return And(kept) if kept else None


def same_fields(field: Field) -> tuple[Field, ...]:
    """Return the field and its other name: `environment` is `metadata.environment`, and so on."""
    column = semconv.COLUMN_OF_METADATA.get(field.key) if field.kind == "metadata" else field.key
    if column == "metadata_environment":
        column = "environment"
    keys = {
        "environment" if name == "metadata_environment" else name: key
        for key, name in semconv.COLUMN_OF_METADATA.items()
    }
    if field.kind not in ("attribute", "metadata") or column not in keys:
        return (field,)
    return Field("attribute", str(column)), Field("metadata", keys[str(column)])


# --- SQL ------------------------------------------------------------------------------------------


def within(ranges: Sequence[Range], parameters: Parameters) -> str:
    """Return the condition that a trace lies in one of these ranges, in the sort key's words."""
    parts = []
    for experiments, first, last in ranges:
        until, since = parameters.bind(-last, "Int64"), parameters.bind(-first, "Int64")
        part = f"-request_time_ms BETWEEN {until} AND {since}"
        parts.append(f"({' AND '.join([*_of_experiments(experiments, parameters), part])})")
    return f"({' OR '.join(parts)})" if parts else "0"


def living(cover: Cover, parameters: Parameters, drawn: Sequence[Range] | None = None) -> str:
    """Return the condition that a row of a rollup counts for the question's whole hours.

    `drawn`: for these whole hours alone. Which they are is asked of the generations: told apart row
    by row, many ranges take as long as the counting. The numbers of the hours are for the sort key.
    """
    chosen = []
    if cover.changed:
        chosen.append(f"NOT {_within_hours(cover.changed, parameters)}")
    if drawn is not None:
        chosen.append(_within_hours(drawn, parameters))
    where = [f"generation IN ({read_living_generations(' AND '.join(chosen))})"]
    if drawn is not None:
        where.append(_keep_near(drawn, parameters))
    if cover.question.bounded:
        first, last = cover.question.whole_hours
        where += [
            f"hour BETWEEN {parameters.bind(first, 'Int64')} AND {parameters.bind(last, 'Int64')}"
        ]
    return " AND ".join(where)


def _keep_near(ranges: Sequence[Range], parameters: Parameters) -> str:
    """Return a condition by which the sort key leads to the hours of these ranges, or near them."""
    spans = [(first // HOUR_MS, last // HOUR_MS) for _, first, last in ranges]
    if sum(last - first + 1 for first, last in spans) > MAX_LISTED_HOURS:
        ends = min(first for first, _ in spans), max(last for _, last in spans)
        return "hour BETWEEN {} AND {}".format(*(parameters.bind(end, "Int64") for end in ends))
    numbers = {number for first, last in spans for number in range(first, last + 1)}
    return f"hour IN {parameters.bind(sorted(numbers), 'Array(Int64)')}"


def _within_hours(ranges: Sequence[Range], parameters: Parameters) -> str:
    parts = []
    for experiments, first, last in ranges:
        numbers = [parameters.bind(end // HOUR_MS, "Int64") for end in (first, last)]
        part = f"hour BETWEEN {' AND '.join(numbers)}"
        parts.append(f"({' AND '.join([*_of_experiments(experiments, parameters), part])})")
    return f"({' OR '.join(parts)})" if parts else "0"


def _of_experiments(experiments: tuple[str, ...], parameters: Parameters) -> list[str]:
    if len(experiments) == 1:
        return [f"experiment_id = {parameters.bind(experiments[0])}"]
    if experiments:
        return [f"experiment_id IN {parameters.bind(list(experiments), 'Array(String)')}"]
    return []


def ranges_of(hours: Collection[Hour]) -> list[Range] | None:
    """Return at most `MAX_RANGES` ranges that hold these hours, maybe others in between as well.

    Hours of many experiments are told apart by hour; None where those are too many too.
    """
    experiments = {hour.experiment_id for hour in hours}
    if len(experiments) <= MAX_RANGES:
        return _ranges_by_experiment(hours, len(experiments))
    by_number: dict[int, set[str]] = {}
    for hour in hours:
        by_number.setdefault(hour.number, set()).add(hour.experiment_id)
    if len(by_number) > MAX_RANGES:
        return None
    return [
        (tuple(sorted(members)), *time_range(number, number))
        for number, members in sorted(by_number.items())
    ]


def _ranges_by_experiment(hours: Collection[Hour], experiments: int) -> list[Range]:
    ordered = sorted(hours)
    gaps = sorted(
        (
            later.number - hour.number
            for hour, later in pairwise(ordered)
            if hour.experiment_id == later.experiment_id
        ),
        reverse=True,
    )
    widest = gaps[max(0, MAX_RANGES - experiments)] if len(gaps) > MAX_RANGES else 1
    ranges: list[Range] = []
    for hour in ordered:
        first, last = time_range(hour.number, hour.number)
        if ranges and ranges[-1][0] == (hour.experiment_id,):
            _, start, end = ranges[-1]
            if hour.number - end // HOUR_MS <= max(widest, 1):
                ranges[-1] = ((hour.experiment_id,), start, last)
                continue
        ranges.append(((hour.experiment_id,), first, last))
    return ranges


@dataclass(frozen=True)
class Cover:
    """The division of a question: `hours` have changed, and are left out of the rollups.

    `changed` are ranges that hold them. `direct`, which are those and the ends of the time range,
    is read from `traces` instead.
    """

    question: Question
    hours: frozenset[Hour]
    changed: tuple[Range, ...]
    direct: tuple[Range, ...]


def divide(store: Store, question: Question) -> Cover | None:
    """Return which hours are read from `traces`; None where all are, or the filter asks for it."""
    changed = store.hours.read_changed(store) if question.rolled else None
    if changed is None:
        return None
    return _leave_out(question, changed)


def divide_values(store: Store, cover: Cover) -> Cover | None:
    """Return the division for `value_counts`; None where its values do not lead to an answer.

    What has values is asked after what has changed: an hour that is rolled up in between, the first
    time and without values, is known to have changed. One that has values does not lose them.
    """
    if not cover.question.valued:
        return None
    without = find_unvalued(store, cover.question.experiment_ids)
    return _leave_out(cover.question, cover.hours | without)


def _leave_out(question: Question, hours: Iterable[Hour]) -> Cover | None:
    asked = question.experiment_ids
    first, last = question.whole_hours
    if first > last:
        return None
    left_out = frozenset(
        hour
        for hour in hours
        if first <= hour.number <= last and (not asked or hour.experiment_id in asked)
    )
    ranges = ranges_of(left_out)
    if ranges is None:
        return None
    edges: list[Range] = []
    if question.bounded:
        if question.from_ms < first * HOUR_MS:
            edges.append(((), question.from_ms, first * HOUR_MS - 1))
        if question.until_ms > (end := time_range(last, last)[1]):
            edges.append(((), end + 1, question.until_ms))
    return Cover(question, left_out, tuple(ranges), (*ranges, *edges))


def column_of(field: Field) -> str | None:
    """Return the column of `traces` that holds a field, of those that are grouped by or counted."""
    if field.kind == "metadata":
        return semconv.COLUMN_OF_METADATA.get(field.key)
    return field.key if field.kind == "attribute" else None


# --- Filters --------------------------------------------------------------------------------------


def _operands(tree: Filter | None) -> tuple[Filter, ...]:
    if tree is None:
        return ()
    return tree.operands if isinstance(tree, And) else (tree,)


def _is_narrowing(one: Comparison) -> bool:
    return one.field == _TIME and one.operator in _NARROWING


def _bounds(one: Comparison) -> tuple[int, int]:
    """Return the first and the last whole millisecond that satisfy a comparison."""
    value = float(one.values[0])
    if math.isinf(value):
        value = math.copysign(2.0**64, value)
    low, high = 0, MAX_MS
    if one.operator in (">", ">=", "="):
        low = math.floor(value) + 1 if one.operator == ">" else math.ceil(value)
    if one.operator in ("<", "<=", "="):
        high = math.ceil(value) - 1 if one.operator == "<" else math.floor(value)
    return min(max(low, 0), MAX_MS), max(min(high, MAX_MS), -1)


def with_stored_names(tree: Filter) -> Filter:
    """Return the filter with the stored name in place of the name, which a tag may have changed."""
    if isinstance(tree, Comparison):
        return replace(tree, field=_STORED_NAME) if tree.field == NAME else tree
    if isinstance(tree, Not):
        return Not(with_stored_names(tree.operand))
    kind = And if isinstance(tree, And) else Or
    return kind(tuple(map(with_stored_names, tree.operands)))
