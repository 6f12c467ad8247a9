"""How facets are counted: what is read, and the choice between rollups, all traces and a sample.

One statement counts any number of fields under one filter (`facet_statement`). Sessions and users,
whose values are many, have a rollup of their own, and there a statement each: they run side by side
with the one that counts all others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from whence import semconv
from whence.errors import StoreError
from whence.query.compile import Parameters, in_map, metadata, nullable
from whence.query.coverage import (
    NAME,
    Cover,
    Question,
    column_of,
    divide,
    divide_values,
    living,
    ranges_of,
    within,
)
from whence.query.facet_samples import (
    UNIT,
    Counted,
    draw_hours,
    extrapolate,
    find_hours,
    list_hours,
    weigh,
)
from whence.query.facet_statement import count_source, is_too_many, limit_rows
from whence.query.vocabulary import Field
from whence.store.rollups import DIMENSIONS, VALUE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from whence.query.compile import Operand
    from whence.query.coverage import Range
    from whence.query.facet_statement import Answer
    from whence.store.connection import Store
    from whence.store.hours import Hour

    Weights = tuple[int, int]  # of a row of `traces`, of one of `open_traces`

EXACT_TRACES = 2_500_000
EXACT_VALUES = 2_500_000  # rows of `value_counts`
FEW = 100
RECOUNTED_ROWS = 400_000
NAME_TAG = Field("tag", semconv.TRACE_NAME_TAG)
_METADATA_OF_FIELD = {
    "run_id": semconv.SOURCE_RUN,
    "dirty": semconv.GIT_DIRTY,
    "dirty_hash": semconv.GIT_DIRTY_HASH,
}
WHOLE = (1, 1)
# Columns with an index that finds the traces of a rare value.
_INDEXED = ("session", "user", "commit")


def is_name(field: Field) -> bool:
    """Tell whether a field is the trace's name, which a tag may change."""
    return field in (NAME, NAME_TAG)


def start_count(
    store: Store,
    question: Question,
    fields: Sequence[Field],
    *,
    limit: int,
    plain_names: bool,
    total: bool,
) -> Callable[[], Answer]:
    """Start to count fields under one question; with `total`, the traces that it finds as well.

    Statements on rollups run from now on. Call what is returned to have the answer.
    """
    cover = divide(store, question)
    covered: Callable[[], Answer] | None = None
    if cover is not None:
        covered = _start_covered(store, cover, fields, limit, plain_names=plain_names, total=total)

    def finish() -> Answer:
        counted, everything = ({}, None) if covered is None else covered()
        rest = [one for one in fields if one not in counted]
        all_traces = total and covered is None
        if rest or all_traces:
            found, traces = _count_directly(
                store, question, cover, rest, limit, plain_names=plain_names, total=all_traces
            )
            return {**counted, **found}, traces if all_traces else everything
        return counted, everything

    return finish


# --- From rollups ---------------------------------------------------------------------------------


def _start_covered(
    store: Store,
    cover: Cover,
    fields: Sequence[Field],
    limit: int,
    *,
    plain_names: bool,
    total: bool,
) -> Callable[[], Answer]:
    """Start to count those of the fields that rollups know; and the traces, with `total`."""
    rolled = [one for one in fields if _dimension_of(one, plain_names=plain_names)]
    valued = [one for one in fields if column_of(one) in VALUE_FIELDS]
    counts: Future[Answer] | None = None
    if rolled or total:
        counts = store.submit(
            partial(
                _count_rolled, store, cover, rolled, limit, plain_names=plain_names, total=total
            )
        )
    # Asked while the counts are read.
    narrowed = divide_values(store, cover) if valued else None
    values: dict[Field, Future[Counted]] = {}
    if narrowed is not None:
        values = {
            one: store.submit(partial(_count_values, store, narrowed, one, limit)) for one in valued
        }

    def finish() -> Answer:
        counted, everything = ({}, None) if counts is None else counts.result()
        return counted | {field: answer.result() for field, answer in values.items()}, everything

    return finish


def _count_rolled(
    store: Store,
    cover: Cover,
    fields: Sequence[Field],
    limit: int,
    *,
    plain_names: bool,
    total: bool,
) -> Answer:
    columns = [_dimension_of(one, plain_names=plain_names) for one in fields]
    selected = ", ".join(f"{name} AS f{index}" for index, name in enumerate(columns)) or "1"
    parameters = Parameters()
    source = _select_covered(cover, parameters, "trace_counts", (selected, selected))
    return count_source(store, source, parameters, fields, limit, total=total, threads=1)


def _count_values(store: Store, cover: Cover, field: Field, limit: int) -> Counted:
    """Count a field of `value_counts`: all rows, those of hours that matter, or of a sample."""

    def run(drawn: Sequence[Range] | None, weights: Weights, at_most: int) -> Counted:
        parameters = Parameters()
        column = str(column_of(field))
        source = _select_covered(
            cover,
            parameters,
            "value_counts",
            ("value AS f0", f"{column} AS f0"),
            of_rollup=[f"field = {parameters.bind(column)}"],
            drawn=drawn,
            weights=weights,
        )
        found, _ = count_source(
            store, source, parameters, [field], limit, at_most=at_most, threads=1
        )
        return found[field]

    try:
        return run(None, WHOLE, EXACT_VALUES)
    except StoreError as error:
        if not is_too_many(error):
            raise
    hours = _list_all_hours(store, cover)
    found_in = ranges_of(hours) if sum(hours.values()) <= EXACT_VALUES else None
    if found_in is not None:
        return run(found_in, WHOLE, 0)
    drawn, sample = draw_hours(hours)
    found = run(drawn, (weigh(sample), UNIT), 0)
    return _count_few(store, cover.question, field, extrapolate(found, sample))


def _list_all_hours(store: Store, cover: Cover) -> dict[Hour, int]:
    """Return the hours in which a question finds anything, and those that aren't rolled up."""
    hours = find_hours(store, cover)
    if cover.direct:
        hours |= list_hours(store, cover.question, cover.direct)
    return hours


def _select_covered(
    cover: Cover,
    parameters: Parameters,
    rollup: str,
    selected: tuple[str, str],
    *,
    of_rollup: Sequence[str] = (),
    drawn: Sequence[Range] | None = None,
    weights: Weights = WHOLE,
) -> str:
    """Return a SELECT of values and `n`, the weight of the traces that have them.

    `selected` says how values are read of the rollup, and how of a trace. `drawn` are whole hours:
    no others are read of traces that have ended.
    """
    question = cover.question
    of_row, of_trace = selected
    ended, open_ = weights
    times = ["deleted = 0", question.time_condition(parameters)]
    parts = [
        (
            rollup,
            f"{of_row}, traces{f' * {ended:d}' if ended != 1 else ''} AS n",
            [*of_rollup, living(cover, parameters, drawn)],
        ),
        ("open_traces FINAL", f"{of_trace}, toUInt64({open_:d}) AS n", times),
    ]
    if cover.direct:
        direct = ["deleted = 0", within(cover.direct, parameters)]
        if drawn is not None:
            direct.append(within(drawn, parameters))
        parts.append(("traces FINAL", f"{of_trace}, toUInt64({ended:d}) AS n", direct))
    return "\nUNION ALL\n".join(
        f"SELECT {columns}\nFROM {table}\n"
        f"WHERE {' AND '.join(rows)} AND {question.condition(parameters)}"
        for table, columns, rows in parts
    )


# --- From traces ----------------------------------------------------------------------------------


def _count_directly(
    store: Store,
    question: Question,
    cover: Cover | None,
    fields: Sequence[Field],
    limit: int,
    *,
    plain_names: bool,
    total: bool,
) -> Answer:
    def run(ranges: Sequence[Range] | None, weights: Weights, at_most: int) -> Answer:
        parameters = Parameters()
        source = _select_traces(
            store, question, fields, ranges, weights, parameters, plain_names=plain_names
        )
        return count_source(store, source, parameters, fields, limit, total=total, at_most=at_most)

    ranges, fits = None, True
    if cover is not None and (question.tree is not None or question.bounded):
        hours = find_hours(store, cover)
        fits = sum(hours.values()) <= EXACT_TRACES
        found_in = ranges_of(hours)
        ranges = None if found_in is None else [*found_in, *cover.direct]
    if fits:
        try:
            return run(ranges, WHOLE, EXACT_TRACES)
        except StoreError as error:
            if not is_too_many(error):
                raise
    hours = list_hours(store, question) if cover is None else _list_all_hours(store, cover)
    drawn, sample = draw_hours(hours)
    found, everything = run(drawn, (weigh(sample), UNIT), 0)
    scaled = {
        field: _count_few(store, question, field, extrapolate(one, sample))
        for field, one in found.items()
    }
    return scaled, None if everything is None else extrapolate(everything, sample)


def _select_traces(
    store: Store,
    question: Question,
    fields: Sequence[Field],
    ranges: Sequence[Range] | None,
    weights: Weights,
    parameters: Parameters,
    *,
    plain_names: bool,
) -> str:
    """Return a SELECT of the fields' values and `n`, its weight, a row for each trace found.

    `ranges` are of traces that have ended; those that have not are few, and all read.
    """
    overlaid = _read_overlaid(store, fields) if not plain_names else set()
    columns, joins = [], []
    for index, field in enumerate(fields):
        key = _tag_of(field)
        operand = _operand(field, parameters)
        value = f"if({operand.present}, {operand.text}, NULL)" if operand.present else operand.text
        if operand.column:
            value = operand.column
        if key in overlaid:
            joins.append(
                f"LEFT ANY JOIN\n(\n"
                f"    SELECT trace_id, value AS v{index}, deleted AS d{index}, 1 AS w{index}\n"
                f"    FROM tags FINAL\n    WHERE key = {parameters.bind(key)}\n"
                f") AS t{index} USING (trace_id)"
            )
            value = f"if(w{index} = 1, if(d{index} = 1, NULL, v{index}), {value})"
        columns.append(f"{value} AS f{index}")
    parts = []
    for table, weight in zip(("traces", "open_traces"), weights, strict=True):
        selected = ", ".join([*columns, f"toUInt64({weight:d}) AS n"])
        where = ["deleted = 0", question.time_condition(parameters)]
        if ranges is not None and table == "traces":
            where.append(within(ranges, parameters))
        where.append(question.condition(parameters))
        rows = f"SELECT *\nFROM {table} FINAL\nWHERE {' AND '.join(where)}"
        joined = "\n".join([f"(\n{rows}\n) AS found", *joins])
        parts.append(f"SELECT {selected}\nFROM {joined}")
    return "\nUNION ALL\n".join(parts)


def _operand(field: Field, parameters: Parameters) -> Operand:
    if field.kind == "metadata":
        return metadata(field.key, parameters)
    if is_name(field):
        return nullable("trace_name")
    if field.kind == "tag":
        return in_map("tags", field.key, parameters)
    if field.key in _METADATA_OF_FIELD:
        return metadata(_METADATA_OF_FIELD[field.key], parameters)
    return nullable(field.key)


def _tag_of(field: Field) -> str | None:
    if is_name(field):
        return semconv.TRACE_NAME_TAG
    return field.key if field.kind == "tag" else None


def _read_overlaid(store: Store, fields: Sequence[Field]) -> set[str | None]:
    """Return those of the fields' tags that were written after their traces."""
    keys = [key for key in map(_tag_of, fields) if key is not None]
    if not keys:
        return set()
    sql = "SELECT DISTINCT key FROM tags WHERE key IN {keys:Array(String)}"
    return {key for (key,) in store.query(sql, {"keys": keys}).rows}


def _dimension_of(field: Field, *, plain_names: bool) -> str | None:
    """Return the column of rollups that holds a field."""
    if is_name(field):
        return "trace_name" if plain_names else None
    column = column_of(field)
    return column if column in DIMENSIONS else None


# --- Rare values of a sample ----------------------------------------------------------------------


def _count_few(store: Store, question: Question, field: Field, counted: Counted) -> Counted:
    """Count again exactly what the sample holds rarely, where an index leads to it."""
    column = _operand(field, Parameters()).column
    sample = counted.sample
    if column not in _INDEXED or sample is None:
        return counted
    few = [value for value, number in counted.values if number * sample.fraction <= FEW]
    if not few:
        return counted
    parameters = Parameters()
    condition = f"{column} IN {parameters.bind(few, 'Array(String)')}"
    where = f"{condition} AND {question.time_condition(parameters)}"
    where = f"{where} AND {question.condition(parameters)}"
    parts = [
        f"SELECT {column} AS value FROM {table} FINAL WHERE deleted = 0 AND {where}"
        for table in ("traces", "open_traces")
    ]
    sql = f"SELECT value, count() FROM ({' UNION ALL '.join(parts)}) GROUP BY value"
    try:
        rows = store.query(sql, parameters.values, settings=limit_rows(RECOUNTED_ROWS)).rows
    except StoreError as error:
        if not is_too_many(error):
            raise
        return counted
    exact = dict(rows)
    values = [(value, exact.get(value, number)) for value, number in counted.values]
    return replace(counted, values=sorted(values, key=lambda one: (-one[1], one[0])))
