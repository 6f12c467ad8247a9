"""How facets are counted: the statements, and the choice between rollups, all traces and a sample.

One statement counts any number of fields under one filter (`GROUPING SETS`), and returns a row per
field: its values, its traces, those without a value, and the most frequent values. Sessions and
users, whose values are many, have a rollup of their own, and there a statement each: they run side
by side with the one that counts all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from whence import semconv
from whence.errors import StoreError
from whence.query.compile import SETTINGS, Parameters, in_map, metadata, nullable
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
from whence.query.vocabulary import Field
from whence.store.rollups import DIMENSIONS, VALUE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from whence.query.compile import Operand
    from whence.query.coverage import Range
    from whence.store.connection import Rows, Store

    Weights = tuple[int, int]  # of a row of `traces`, of one of `open_traces`
    Answer = tuple[dict[Field, Counted], Counted | None]  # by field; and all traces, where asked

EXACT_TRACES = 2_500_000
EXACT_VALUES = 2_500_000  # rows of `value_counts`; more take as long as a sample of the traces
FEW = 100
RECOUNTED_ROWS = 400_000
TOO_MANY_ROWS = 158
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
    counts: Future[Rows] | None = None
    if rolled or total:
        columns = [str(_dimension_of(one, plain_names=plain_names)) for one in rolled]
        counts = _start_counts(store, cover, columns, limit, total=total)
    # Asked while the counts are read.
    narrowed = divide_values(store, cover) if valued else None
    values: dict[Field, Future[Rows]] = {}
    if narrowed is not None:
        values = {one: _start_values(store, narrowed, str(column_of(one)), limit) for one in valued}

    def finish() -> Answer:
        counted, everything = ({}, None) if counts is None else _read(counts.result(), rolled)
        for field, answer in values.items():
            counted.update(_read_unless_refused(answer, field))
        return counted, everything

    return finish


def _read_unless_refused(answer: Future[Rows], field: Field) -> dict[Field, Counted]:
    try:
        found, _ = _read(answer.result(), [field])
    except StoreError as error:
        if error.code != TOO_MANY_ROWS:
            raise
        return {}
    return found


def _start_counts(
    store: Store, cover: Cover, columns: Sequence[str], limit: int, *, total: bool
) -> Future[Rows]:
    parameters = Parameters()
    selected = ", ".join(f"{name} AS f{index}" for index, name in enumerate(columns)) or "1"
    source = _select_covered(cover, parameters, "trace_counts", (selected, selected))
    statement = _summarise(source, len(columns), total=total)
    return _start(store, statement, parameters, limit)


def _start_values(store: Store, cover: Cover, column: str, limit: int) -> Future[Rows]:
    parameters = Parameters()
    source = _select_covered(
        cover,
        parameters,
        "value_counts",
        ("value AS f0", f"{column} AS f0"),
        f"field = {parameters.bind(column)} AND ",
    )
    statement = _summarise(source, 1, total=False)
    return _start(store, statement, parameters, limit, at_most=EXACT_VALUES)


def _select_covered(
    cover: Cover,
    parameters: Parameters,
    rollup: str,
    selected: tuple[str, str],
    of_rollup: str = "",
) -> str:
    """Return a SELECT of values and `n`, the number of traces that have them.

    `selected` says how values are read of the rollup, and how of a trace.
    """
    question = cover.question
    of_row, of_trace = selected
    parts = [
        (rollup, f"{of_row}, traces AS n", f"{of_rollup}{living(cover, parameters)}"),
        (
            "open_traces FINAL",
            f"{of_trace}, toUInt64(1) AS n",
            f"deleted = 0 AND {question.time_condition(parameters)}",
        ),
    ]
    if cover.direct:
        direct = f"deleted = 0 AND {within(cover.direct, parameters)}"
        parts.append(("traces FINAL", f"{of_trace}, toUInt64(1) AS n", direct))
    return "\nUNION ALL\n".join(
        f"SELECT {columns}\nFROM {table}\nWHERE {rows} AND {question.condition(parameters)}"
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
    def run(ranges: Sequence[Range] | None, weights: Weights, at_most: int) -> Rows:
        parameters = Parameters()
        source = _select_traces(
            store, question, fields, ranges, weights, parameters, plain_names=plain_names
        )
        statement = _summarise(source, len(fields), total=total)
        statement = _write_limit(statement, limit)
        return store.query(statement, parameters.values, settings=_limits(at_most))

    ranges, fits = None, True
    if cover is not None and (question.tree is not None or question.bounded):
        hours = find_hours(store, cover)
        fits = sum(hours.values()) <= EXACT_TRACES
        found_in = ranges_of(hours)
        ranges = None if found_in is None else [*found_in, *cover.direct]
    if fits:
        try:
            return _read(run(ranges, WHOLE, EXACT_TRACES), fields)
        except StoreError as error:
            if error.code != TOO_MANY_ROWS:
                raise
    if cover is None:
        hours = list_hours(store, question)
    else:
        hours = {**find_hours(store, cover), **list_hours(store, question, cover.direct)}
    drawn, sample = draw_hours(hours)
    found, everything = _read(run(drawn, (weigh(sample), UNIT), 0), fields)
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
        rows = store.query(sql, parameters.values, settings=_limits(RECOUNTED_ROWS)).rows
    except StoreError as error:
        if error.code != TOO_MANY_ROWS:
            raise
        return counted
    exact = dict(rows)
    values = [(value, exact.get(value, number)) for value, number in counted.values]
    return replace(counted, values=sorted(values, key=lambda one: (-one[1], one[0])))


# --- One statement --------------------------------------------------------------------------------


def _summarise(source: str, fields: int, *, total: bool) -> str:
    """Return a row per field: its bit mask, values, traces, traces without, most frequent values.

    The mask has a bit for every field but this one; the total has them all.
    """
    names = [f"f{index}" for index in range(fields)]
    if not names:
        return f"SELECT toUInt64(0), toUInt64(0), sum(n), toUInt64(0), []\nFROM\n(\n{source}\n)"
    if fields == 1 and not total:
        # One set of grouping is slower than none.
        by_value = "toUInt64(0) AS mask, CAST(toString(f0) AS Nullable(String)) AS value", "f0"
    else:
        by_value = _group_by_each(names, total=total)
    return f"""\
SELECT
    mask,
    countIf(isNotNull(value)),
    sum(traces),
    sumIf(traces, isNull(value)),
    groupArraySortedIf({{limit:UInt64}})((-toInt64(traces), assumeNotNull(value)), isNotNull(value))
FROM
(
    SELECT
        {by_value[0]},
        sum(n) AS traces
    FROM
    (
{source}
    )
    GROUP BY {by_value[1]}
)
GROUP BY mask
"""


def _group_by_each(names: Sequence[str], *, total: bool) -> tuple[str, str]:
    """Return the columns that say which field a row is of and its value, and how to group."""
    fields = len(names)
    everything = (1 << fields) - 1
    masks = {name: everything - (1 << fields - 1 - index) for index, name in enumerate(names)}
    cases = ", ".join(
        f"mask = {mask}, toNullable(toString({name}))" for name, mask in masks.items()
    )
    sets = ", ".join([*(f"({name})" for name in names), *(["()"] if total else [])])
    return (
        f"grouping({', '.join(names)}) AS mask, multiIf({cases}, NULL) AS value",
        f"GROUPING SETS ({sets})",
    )


def _start(
    store: Store, statement: str, parameters: Parameters, limit: int, *, at_most: int = 0
) -> Future[Rows]:
    settings = _limits(at_most)
    return store.start_query(_write_limit(statement, limit), parameters.values, settings=settings)


def _write_limit(statement: str, limit: int) -> str:
    # A parameter of an aggregate function must be in the text; it is a checked number.
    return statement.replace("{limit:UInt64}", str(int(limit)))


def _limits(at_most: int) -> dict[str, object]:
    """Return settings that refuse a statement that would read more rows; 0 allows any number."""
    return {**SETTINGS, "max_rows_to_read": at_most, "read_overflow_mode": "throw"}


def _read(rows: Rows, fields: Sequence[Field]) -> Answer:
    everything = (1 << len(fields)) - 1
    by_mask = {
        mask: Counted(int(traces), int(missing), distinct, [(text, -less) for less, text in top])
        for mask, distinct, traces, missing, top in rows.rows
    }
    found = {
        field: by_mask.get(everything - (1 << len(fields) - 1 - index), Counted(0, 0, 0, []))
        for index, field in enumerate(fields)
    }
    return found, by_mask.get(everything)
