"""Series: how many traces that a filter finds began in each stretch of time, for a histogram.

Stretches (*buckets*) are a round number of milliseconds long and begin at multiples of it, so a
bucket keeps its place while traces arrive. Whole hours come from the rollups where the filter
allows it (`coverage`), all else is counted from `traces`; both are exact. A count that would look
at more than `EXACT_TRACES` rows is made of the newest hours only, and says from when on
(`counted_from_ms`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import msgspec

from whence.errors import InvalidInputError, StoreError
from whence.query.compile import SETTINGS, Parameters
from whence.query.coverage import Cover, Question, ask, divide, has_renamed, living, within
from whence.query.coverage import speaks_of_names as speaks
from whence.query.environments import normalise_environments
from whence.query.facet_samples import start_of_newest
from whence.query.facet_sql import EXACT_TRACES
from whence.query.facet_statement import is_too_many, limit_rows
from whence.query.parser import parse_filter
from whence.query.runs import follow_links
from whence.query.times import narrow
from whence.store.hours import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.connection import Store

SPLITS = ("state", "environment", "app_version", "branch", "commit")
DEFAULT_BUCKETS = 60
MAX_BUCKETS = 500
DEFAULT_LINES, MAX_LINES = 8, 200
_S, _MIN, _DAY = 1000, 60_000, 24 * HOUR_MS
WIDTHS_MS = (
    *(count * _S for count in (1, 2, 5, 10, 15, 30)),
    *(count * _MIN for count in (1, 2, 5, 10, 15, 30)),
    *(count * HOUR_MS for count in (1, 2, 3, 6, 12)),
    *(count * _DAY for count in (1, 2, 7, 14, 28, 91, 364)),
)

Counts = dict[tuple[int, str | None], int]  # (number of the bucket, value) → traces


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one value. `missing` has none; `other` are the values that have no line."""

    kind: Literal["all", "value", "missing", "other"]
    value: str | None
    total: int
    counts: list[int]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of buckets of `bucket_ms`, the first of which begins at `from_ms`.

    `counted_from_ms` is null where everything was counted; else counts before it are not known, and
    0 here. The lines of a bucket add up to its traces, and all of them to `total`.
    """

    from_ms: int
    until_ms: int
    bucket_ms: int
    counted_from_ms: int | None
    total: int
    lines: list[Line]


def count_series(
    store: Store,
    *,
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    split: str | None = None,
    buckets: int = DEFAULT_BUCKETS,
    lines: int = DEFAULT_LINES,
    environment_aliases: Mapping[str, str] | None = None,
) -> Series:
    """Count traces by the time they began, in at most `buckets` buckets; `split` makes more lines.

    More values than `lines` are drawn as so many less one, and the rest together.

    A side that no time bounds ends with the traces there are, whatever the filter finds.
    Raises FilterError for a bad filter, InvalidInputError for a bad time, split or bucket count.
    """
    if split is not None and split not in SPLITS:
        raise InvalidInputError(f"can't split by {split[:100]!r}; one of {', '.join(SPLITS)} can")
    if not 0 < buckets <= MAX_BUCKETS:
        raise InvalidInputError(f"buckets must be between 1 and {MAX_BUCKETS}, got {buckets}")
    if not 0 < lines <= MAX_LINES:
        raise InvalidInputError(f"lines must be between 1 and {MAX_LINES}, got {lines}")
    tree = follow_links(parse_filter(filter_string), store)
    if tree is not None:
        tree = normalise_environments(tree, environment_aliases)
    tree = narrow(tree, since_ms, until_ms)
    plain_names = speaks(tree) and not has_renamed(store)
    question = ask(tree, experiment_ids or (), plain_names=plain_names)
    extent = _extent(store, question, since_ms, until_ms)
    if extent is None:
        return Series(from_ms=0, until_ms=0, bucket_ms=_S, counted_from_ms=None, total=0, lines=[])
    first, last = extent
    width = choose_width(first, last, buckets)
    counted, counted_from_ms = _count(store, question, width, split)
    start, stop = first // width, last // width
    drawn = _draw_lines(counted, start, stop, split, lines)
    return Series(
        from_ms=start * width,
        until_ms=(stop + 1) * width,
        bucket_ms=width,
        counted_from_ms=counted_from_ms,
        total=sum(line.total for line in drawn),
        lines=drawn,
    )


def choose_width(first_ms: int, last_ms: int, buckets: int) -> int:
    """Return the shortest round length of which `buckets` cover both times."""
    for width in WIDTHS_MS:
        if last_ms // width - first_ms // width < buckets:
            return width
    longest = WIDTHS_MS[-1]
    return longest * (-(-(last_ms - first_ms) // (longest * buckets)) + 1)


def _extent(
    store: Store, question: Question, since_ms: int | None, until_ms: int | None
) -> tuple[int, int] | None:
    """Return the first and the last millisecond to draw; None for an empty store."""
    if since_ms is not None and until_ms is not None:
        return since_ms, until_ms - 1
    parameters = Parameters()
    where = [*question.experiment_condition(parameters), question.time_condition(parameters)]
    where.append("deleted = 0")
    tables = " UNION ALL ".join(
        f"SELECT request_time_ms FROM {table} WHERE {' AND '.join(where)}"
        for table in ("traces", "open_traces")
    )
    sql = f"SELECT count(), min(request_time_ms), max(request_time_ms) FROM ({tables})"
    [(traces, oldest, newest)] = store.query(sql, parameters.values, settings=SETTINGS).rows
    if not traces and since_ms is None and until_ms is None:
        return None
    if not traces:
        oldest = newest = since_ms if since_ms is not None else (until_ms or 1) - 1
    first = max(0, oldest) if since_ms is None else since_ms
    last = max(0, newest) if until_ms is None else until_ms - 1
    return first, max(first, last)


def _count(
    store: Store, question: Question, width: int, split: str | None
) -> tuple[Counts, int | None]:
    cover = divide(store, question) if width % HOUR_MS == 0 else None
    if cover is not None:
        return _count_rolled(store, cover, width, split), None
    try:
        return _count_directly(store, question, width, split, EXACT_TRACES), None
    except StoreError as error:
        if not is_too_many(error):
            raise
    start = start_of_newest(store, question, EXACT_TRACES)
    from_ms = max(question.from_ms, -(-start // width) * width)
    newest = replace(question, from_ms=from_ms)
    return _count_directly(store, newest, width, split, 0), from_ms


def _count_rolled(store: Store, cover: Cover, width: int, split: str | None) -> Counts:
    question, parameters = cover.question, Parameters()
    value = split or "NULL"
    condition = question.condition(parameters)
    hours = width // HOUR_MS
    bucket = f"intDiv(request_time_ms, {width:d})"
    sources = {"open_traces": question.time_condition(parameters)}
    if cover.direct:
        sources["traces"] = within(cover.direct, parameters)
    rolled = (
        f"SELECT intDiv(hour, {hours:d}) AS bucket, {value} AS value, traces AS n\n"
        f"FROM trace_counts\nWHERE {living(cover, parameters)} AND {condition}"
    )
    rest = (
        f"SELECT {bucket}, {value}, toUInt64(1)\nFROM {table} FINAL\n"
        f"WHERE deleted = 0 AND {times} AND {condition}"
        for table, times in sources.items()
    )
    parts = [rolled, *rest]
    return _sum(store, parts, parameters, 0)


def _count_directly(
    store: Store, question: Question, width: int, split: str | None, at_most: int
) -> Counts:
    parameters = Parameters()
    where = f"{question.time_condition(parameters)} AND {question.condition(parameters)}"
    parts = [
        f"SELECT intDiv(request_time_ms, {width:d}) AS bucket, {split or 'NULL'} AS value, "
        f"toUInt64(1) AS n\nFROM {table} FINAL\nWHERE deleted = 0 AND {where}"
        for table in ("traces", "open_traces")
    ]
    return _sum(store, parts, parameters, at_most)


def _sum(store: Store, parts: list[str], parameters: Parameters, at_most: int) -> Counts:
    source = "\nUNION ALL\n".join(parts)
    sql = (
        "SELECT bucket, toNullable(toString(value)) AS shown, sum(n)\n"
        f"FROM\n(\n{source}\n)\nGROUP BY bucket, shown"
    )
    rows = store.query(sql, parameters.values, settings=limit_rows(at_most)).rows
    return {(bucket, value): traces for bucket, value, traces in rows}


def _draw_lines(counted: Counts, start: int, stop: int, split: str | None, most: int) -> list[Line]:
    """Return a line for each of the most frequent values, then the others', then the missing."""
    totals: dict[str | None, int] = {}
    for (bucket, value), traces in counted.items():
        if start <= bucket <= stop:
            totals[value] = totals.get(value, 0) + traces
    named = sorted(
        (value for value in totals if value is not None), key=lambda one: (-totals[one], one)
    )
    own = named if len(named) <= most else named[: most - 1]
    rest = set(named) - set(own)
    groups: list[tuple[Literal["all", "value", "missing", "other"], set[str | None]]]
    groups = [("value", {value}) for value in own]
    if rest:
        groups.append(("other", set(rest)))
    if None in totals:
        groups.append(("missing" if split else "all", {None}))
    lines = []
    for kind, values in groups:
        counts = [0] * (stop - start + 1)
        for (bucket, value), traces in counted.items():
            if value in values and start <= bucket <= stop:
                counts[bucket - start] += traces
        value = next(iter(values)) if kind == "value" else None
        lines.append(Line(kind=kind, value=value, total=sum(counts), counts=counts))
    return lines
