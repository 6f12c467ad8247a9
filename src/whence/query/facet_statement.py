"""One statement that counts any number of fields, and how its answer is read.

It groups a source, a SELECT of the columns `f0`, `f1`, … and the weight `n`, by each of them, and
returns a row per field: a bit mask that names it, its values, its traces, those without a value,
and the most frequent values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.query.compile import SETTINGS
from whence.query.facet_samples import Counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.errors import StoreError
    from whence.query.compile import Parameters
    from whence.query.vocabulary import Field
    from whence.store.connection import Rows, Store

    Answer = tuple[dict[Field, Counted], Counted | None]  # by field; and all traces, where asked

TOO_MANY_ROWS = 158


def count_source(
    store: Store,
    source: str,
    parameters: Parameters,
    fields: Sequence[Field],
    limit: int,
    *,
    total: bool = False,
    at_most: int = 0,
    threads: int | None = None,
) -> Answer:
    """Count the fields of a source, and with `total` its traces.

    `threads` of the engine, for a statement that runs beside others: dividing its work is work too.
    A StoreError with `TOO_MANY_ROWS` where more than `at_most` rows were to be read; 0 allows any.
    """
    statement = _summarise(source, len(fields), total=total)
    # A parameter of an aggregate function must be in the text; it is a checked number.
    statement = statement.replace("{limit:UInt64}", str(int(limit)))
    settings = limit_rows(at_most)
    if threads is not None:
        settings["max_threads"] = threads
    return _read(store.query(statement, parameters.values, settings=settings), fields)


def limit_rows(at_most: int) -> dict[str, object]:
    """Return settings that refuse a statement that would read more rows; 0 allows any number."""
    return {**SETTINGS, "max_rows_to_read": at_most, "read_overflow_mode": "throw"}


def is_too_many(error: StoreError) -> bool:
    """Tell whether a statement was refused for the rows that it would have read."""
    return error.code == TOO_MANY_ROWS


def _summarise(source: str, fields: int, *, total: bool) -> str:
    """Return the statement. The mask has a bit for every field but the row's; the total has all."""
    names = [f"f{index}" for index in range(fields)]
    if not names:
        return f"SELECT toUInt64(0), toUInt64(0), sum(n), toUInt64(0), []\nFROM\n(\n{source}\n)"
    if fields == 1 and not total:
        return _summarise_one(source)
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


def _summarise_one(source: str) -> str:
    """Return the statement for one field, whose values may be many.

    One set of grouping is slower than none, and a sorted array of pairs than a sort with a limit.
    """
    return f"""\
SELECT
    toUInt64(0),
    any(distinct_values),
    any(all_traces),
    any(missing),
    groupArrayIf((-toInt64(traces), assumeNotNull(value)), isNotNull(value))
FROM
(
    SELECT
        value,
        traces,
        count(value) OVER () AS distinct_values,
        sum(traces) OVER () AS all_traces,
        sumIf(traces, isNull(value)) OVER () AS missing
    FROM
    (
        SELECT
            CAST(toString(f0) AS Nullable(String)) AS value,
            sum(n) AS traces
        FROM
        (
{source}
        )
        GROUP BY f0
    )
    ORDER BY isNull(value), traces DESC, value
    LIMIT {{limit:UInt64}}
)
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


def _read(rows: Rows, fields: Sequence[Field]) -> Answer:
    everything = (1 << len(fields)) - 1
    by_mask = {
        mask: Counted(int(traces), int(missing), distinct, _read_top(top))
        for mask, distinct, traces, missing, top in rows.rows
    }
    found = {
        field: by_mask.get(everything - (1 << len(fields) - 1 - index), Counted(0, 0, 0, []))
        for index, field in enumerate(fields)
    }
    return found, by_mask.get(everything)


def _read_top(top: list[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(value, -less) for less, value in sorted(top)]
