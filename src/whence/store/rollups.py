"""Computing rollups of whole hours: `trace_counts`, `trace_statistics` and `value_counts`.

A computation reads the deduplicated rows of an hour and writes a new *generation* beside the old
one; `rolled_hours` then names it, and from there on it counts. Readers choose rows by generation,
so a repeated, an overtaken or an unfinished computation does no harm. Generations that do not count
are removed `KEEP_US` after they were computed.

`value_counts`, of fields with many values, has nearly as many rows as `traces`: it is written for
hours that are over (`find_first_under_way`), not every few seconds. `rolled_hours.valued` says of
which generations it holds the values. An hour that has had them keeps having them.

Limit: a computation of more than `KEEP_US` may be removed by another server before it counts.

`DIMENSIONS` and `MEASURED` are the same columns made of `traces`: what is not rolled up is read by
them, and added.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from whence import semconv
from whence.store.hours import ABANDONED_AFTER_S, HOUR_MS, Hour

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from whence.store.connection import Store

KEEP_US = 600_000_000
VALUES_AFTER_MS = 120_000  # an hour's end: many of its last traces are still to come
VALUES_AT_ONCE = 250_000  # traces whose values are grouped in one statement, in about 100 MB
VALUED_AHEAD_US = 600_000_000  # no generation without values, of another server, replaces them
VALUES_A_COUNT = 100  # so many superseded values are removed as early as one superseded count
MAX_SPAN = 1 << 6  # hours that one computation may reach over: their generations differ by it
_DRAWN_BITS = 57  # of a generation, so that no two of them ever meet
_INT64_MAX = 2**63 - 1

# Columns of `trace_counts`, of `traces` as well: what counts are grouped by.
DIMENSIONS = (
    "environment",
    "metadata_environment",
    "app_version",
    "commit",
    "branch",
    "state",
    "trace_name",
)
# What `value_counts` counts, and what it is grouped by: names would make it as large as the traces.
VALUE_FIELDS = ("session", "user")
VALUE_DIMENSIONS = tuple(name for name in DIMENSIONS if name != "trace_name")
_HOUR = f"intDiv(request_time_ms, {HOUR_MS})"
BUCKETS_PER_OCTAVE = 32
_BUCKET = (
    "if(duration_ns < 1, toInt16(-1), "
    f"toInt16(floor(log2(assumeNotNull(duration_ns)) * {BUCKETS_PER_OCTAVE})))"
)
_MANIFEST = f"metadata['{semconv.MANIFEST}']"
# What a row of `traces` is in `trace_statistics`: column → SQL of one trace, and how many add up.
MEASURED: dict[str, tuple[str, str]] = {
    "traces": ("toUInt64(1)", "sum"),
    "errors": ("toUInt64(state = 'ERROR')", "sum"),
    "dirty": (f"toUInt64(metadata['{semconv.GIT_DIRTY}'] = 'true')", "sum"),
    "first_seen_ms": ("request_time_ms", "min"),
    "last_seen_ms": ("request_time_ms", "max"),
    "spans": ("toUInt64(span_count)", "sum"),
    "counted": ("toUInt64(isNotNull(total_tokens))", "sum"),
    "input_tokens": ("ifNull(input_tokens, 0)", "sum"),
    "output_tokens": ("ifNull(output_tokens, 0)", "sum"),
    "total_tokens": ("ifNull(total_tokens, 0)", "sum"),
    "priced": ("toUInt64(isNotNull(cost_usd))", "sum"),
    "cost_usd": ("ifNull(cost_usd, 0)", "sum"),
    "durations": (
        f"if(isNull(duration_ns), map(), map(assumeNotNull({_BUCKET}), toUInt64(1)))",
        "sumMap",
    ),
    "commits": ("if(isNull(commit), map(), map(assumeNotNull(commit), toUInt64(1)))", "sumMap"),
    "manifests": (f"if({_MANIFEST} = '', map(), map({_MANIFEST}, toUInt64(1)))", "sumMap"),
}
# What `trace_statistics` are grouped by: column → SQL of a row of `traces`. Traces that name no
# version are told apart by their commit; grouping all by it would double what is read.
GROUPS: dict[str, str] = {
    "environment": "environment",
    "app_version": "app_version",
    "trace_name": "trace_name",
    "lone_commit": "if(isNull(app_version), commit, NULL)",
}


class RolledHourRow(msgspec.Struct, frozen=True, kw_only=True):
    """The generation of an hour that counts; its key is (experiment_id, hour)."""

    experiment_id: str
    hour: int
    generation: int
    seen: list[tuple[str, int]]
    newest_version: int
    valued: int
    version: int


class _Known(NamedTuple):
    seen: dict[str, int]
    valued: int
    version: int


def list_sums() -> str:
    """Return the SQL that adds up rows of `list_measures` or `list_stored`, column by column."""
    return ",\n    ".join(
        f"{sum_of}(one_{name}) AS {name}" for name, (_, sum_of) in MEASURED.items()
    )


def list_groups() -> str:
    """Return the SQL of what statistics are grouped by, of a row of `traces`."""
    return ", ".join(name if sql == name else f"{sql} AS {name}" for name, sql in GROUPS.items())


def list_measures() -> str:
    """Return the SQL that makes a row to add up of a row of `traces`.

    Its columns are named apart: an alias would hide the column of `traces` of the same name.
    """
    return ",\n    ".join(f"{sql} AS one_{name}" for name, (sql, _) in MEASURED.items())


def list_stored() -> str:
    """Return the SQL that makes a row to add up of a row of `trace_statistics`."""
    return ", ".join(f"{name} AS one_{name}" for name in MEASURED)


def time_range(first: int, last: int) -> tuple[int, int]:
    """Return the request times of the hours `first` to `last`, both ends included."""
    return first * HOUR_MS, min(last * HOUR_MS + HOUR_MS - 1, _INT64_MAX)


_SCOPE = """\
experiment_id = {experiment_id:String}
    AND -request_time_ms BETWEEN -{until_ms:Int64} AND -{from_ms:Int64}"""

_INSERT_COUNTS = f"""\
INSERT INTO trace_counts
    (experiment_id, hour, generation, rolled_at_us, {", ".join(DIMENSIONS)}, traces)
SELECT
    experiment_id,
    {_HOUR} AS hour,
    {{generation:UInt64}} + toUInt64(hour - {{first:Int64}}),
    {{now_us:Int64}},
    {", ".join(DIMENSIONS)},
    count()
FROM traces FINAL
WHERE {_SCOPE} AND deleted = 0
GROUP BY experiment_id, hour, {", ".join(DIMENSIONS)}
"""

_INSERT_STATISTICS = f"""\
INSERT INTO trace_statistics
    (experiment_id, hour, {", ".join(GROUPS)}, generation, rolled_at_us, {", ".join(MEASURED)})
SELECT
    experiment_id,
    hour,
    {", ".join(GROUPS)},
    {{generation:UInt64}} + toUInt64(hour - {{first:Int64}}),
    {{now_us:Int64}},
    {list_sums()}
FROM
(
    SELECT
        experiment_id,
        {_HOUR} AS hour,
        {list_groups()},
        {list_measures()}
    FROM traces FINAL
    WHERE {_SCOPE} AND deleted = 0
)
GROUP BY experiment_id, hour, {", ".join(GROUPS)}
"""

# In the order of the table's key.
_INSERT_VALUES = f"""\
INSERT INTO value_counts
    (experiment_id, field, hour, value, generation, rolled_at_us, {", ".join(VALUE_DIMENSIONS)},
    traces)
SELECT
    experiment_id,
    field,
    hour,
    value,
    {{generation:UInt64}} + toUInt64(hour - {{first:Int64}}),
    {{now_us:Int64}},
    {", ".join(VALUE_DIMENSIONS)},
    count()
FROM
(
    SELECT
        experiment_id,
        {_HOUR} AS hour,
        {", ".join(VALUE_DIMENSIONS)},
        {", ".join(VALUE_FIELDS)}
    FROM traces FINAL
    WHERE {_SCOPE} AND deleted = 0
)
ARRAY JOIN
    [{", ".join(f"'{name}'" for name in VALUE_FIELDS)}] AS field,
    [{", ".join(VALUE_FIELDS)}] AS value
GROUP BY experiment_id, field, hour, value, {", ".join(VALUE_DIMENSIONS)}
"""

_NEWEST = f"""\
SELECT {_HOUR} AS hour, max(version), count()
FROM traces
WHERE {_SCOPE}
GROUP BY hour
"""
_MARKS = """\
SELECT hour, writer, version
FROM dirty_hours FINAL
WHERE experiment_id = {experiment_id:String} AND hour BETWEEN {first:Int64} AND {last:Int64}
"""
_KNOWN = """\
SELECT hour, seen, valued, version
FROM rolled_hours FINAL
WHERE experiment_id = {experiment_id:String} AND hour BETWEEN {first:Int64} AND {last:Int64}
"""
_UNROLLED = f"""\
SELECT experiment_id, hour
FROM
(
    SELECT experiment_id, {_HOUR} AS hour, max(version) AS newest_version
    FROM traces
    GROUP BY experiment_id, hour
) AS stored
LEFT JOIN
(
    SELECT experiment_id, hour, newest_version, 1 AS rolled
    FROM rolled_hours FINAL
) AS known ON known.experiment_id = stored.experiment_id AND known.hour = stored.hour
WHERE known.rolled = 0 OR stored.newest_version > known.newest_version
"""
_UNVALUED = """\
SELECT experiment_id, hour
FROM rolled_hours FINAL
WHERE hour < {before:Int64} AND valued = 0
"""
_REMOVE = """\
DELETE FROM {table:Identifier}
WHERE rolled_at_us < {before_us:Int64}
    AND generation NOT IN (SELECT generation FROM rolled_hours FINAL)
"""
_COUNT_OLD = """\
SELECT count()
FROM {table:Identifier}
WHERE rolled_at_us < {before_us:Int64}
    AND generation NOT IN (SELECT generation FROM rolled_hours FINAL)
"""
_QUIETLY = {"max_threads": 1}


def find_unrolled(store: Store) -> set[Hour]:
    """Return hours that hold rows newer than their generation, or have none; reads all keys."""
    return {Hour(*row) for row in store.query(_UNROLLED, settings=_QUIETLY).rows}


def find_unvalued(
    store: Store, experiment_ids: Collection[str] = (), *, before: int = _INT64_MAX
) -> set[Hour]:
    """Return hours `before` one that are rolled up without their values; no ids: of all."""
    sql = _UNVALUED
    values: dict[str, object] = {"before": before}
    if experiment_ids:
        sql = f"{sql}    AND experiment_id IN {{ids:Array(String)}}\n"
        values["ids"] = list(experiment_ids)
    return {Hour(*row) for row in store.query(sql, values).rows}


def find_first_under_way(now_us: int) -> int:
    """Return the first hour that is not over, or only just; those before it have values."""
    return (now_us // 1000 - VALUES_AFTER_MS) // HOUR_MS


def runs_of(hours: Iterable[Hour], longest: int) -> list[tuple[str, int, int]]:
    """Return (experiment_id, first, last) of adjacent hours, newest first."""
    runs: list[tuple[str, int, int]] = []
    for experiment_id, number in sorted(hours, key=lambda hour: (hour[0], -hour[1])):
        if runs and runs[-1][0] == experiment_id:
            _, first, last = runs[-1]
            if number == first - 1 and last - number < min(longest, MAX_SPAN):
                runs[-1] = (experiment_id, number, last)
                continue
        runs.append((experiment_id, number, number))
    return sorted(runs, key=lambda run: -run[2])


def roll_up(
    store: Store,
    run: tuple[str, int, int],
    *,
    now_us: int,
    values_before: int = _INT64_MAX,
) -> None:
    """Compute the hours of a run, and make the result count; hours `values_before` have values."""
    experiment_id, first, last = run
    hours = [Hour(experiment_id, number) for number in range(first, last + 1)]
    tracked = store.hours
    seen_version = tracked.begin(store, hours)
    from_ms, until_ms = time_range(first, last)
    scope = {"experiment_id": experiment_id, "first": first, "last": last}
    times = {"from_ms": from_ms, "until_ms": until_ms}
    # Everything that the computation claims to have seen is read before it.
    marks = _read_marks(store, scope)
    abandoned = seen_version - int(ABANDONED_AFTER_S * 1_000_000)
    known = {hour: _Known(*rest) for hour, *rest in store.query(_KNOWN, scope).rows}
    stored = {hour: rest for hour, *rest in store.query(_NEWEST, {**scope, **times}).rows}
    generation = secrets.randbits(_DRAWN_BITS) * MAX_SPAN
    values = {**scope, **times, "generation": generation, "now_us": now_us}
    store.derive(_INSERT_COUNTS, values, settings=_QUIETLY)
    store.derive(_INSERT_STATISTICS, values, settings=_QUIETLY)
    # A reader may have learnt that an hour has values: they must not go away under it.
    valued = [number for number, before in known.items() if before.valued]
    last_valued = max(min(last, values_before - 1), *valued, first - 1)
    sizes = {number: size for number, (_, size) in stored.items() if number <= last_valued}
    for from_ms, until_ms in _cut(sizes):
        bounds = {"from_ms": from_ms, "until_ms": until_ms}
        store.derive(_INSERT_VALUES, {**values, **bounds}, settings=_QUIETLY)
    rows = []
    for number in range(first, last + 1):
        before = known.get(number, _Known({}, 0, 0))
        of_hour = marks.get(number, {})
        # Of a living process we can't tell what is on its way: that stays as it was said to be.
        sees = {writer: seen for writer, seen in before.seen.items() if writer in of_hour}
        sees |= {writer: mark for writer, mark in of_hour.items() if mark <= abandoned}
        sees[tracked.writer] = seen_version
        has_values = number <= last_valued
        rows.append(
            RolledHourRow(
                experiment_id=experiment_id,
                hour=number,
                generation=generation + number - first,
                seen=list(sees.items()),
                newest_version=stored.get(number, (0, 0))[0],
                valued=int(has_values),
                version=max(seen_version + VALUED_AHEAD_US * has_values, before.version + 1),
            )
        )
    store.insert("rolled_hours", rows)
    tracked.finish(hours)


def _cut(sizes: dict[int, int]) -> list[tuple[int, int]]:
    """Return the request times of adjacent hours, given their rows, `VALUES_AT_ONCE` together."""
    parts: list[tuple[int, int]] = []
    room = 0
    for number in sorted(sizes):
        from_ms, until_ms = time_range(number, number)
        if sizes[number] <= room:
            from_ms, _ = parts.pop()
        else:
            room = VALUES_AT_ONCE
        room -= sizes[number]
        parts.append((from_ms, until_ms))
    return parts


def _read_marks(store: Store, scope: dict[str, object]) -> dict[int, dict[str, int]]:
    """Return the marks of every process: {hour: {writer: version}}; none where we are alone."""
    found: dict[int, dict[str, int]] = {}
    if store.hours.shared:
        for hour, writer, version in store.query(_MARKS, scope).rows:
            found.setdefault(hour, {})[writer] = version
    return found


def remove_old_generations(store: Store, *, now_us: int, at_least: int = 1) -> int:
    """Remove what no longer counts, and nobody reads any more; return how many counts went."""
    values = {"before_us": now_us - KEEP_US}
    count, many = (
        int(store.query(_of_table(_COUNT_OLD, table), values).rows[0][0])
        for table in ("trace_counts", "value_counts")
    )
    if max(count, many // VALUES_A_COUNT) >= at_least:
        for table in ("trace_counts", "trace_statistics", "value_counts"):
            store.derive(_of_table(_REMOVE, table), values)
    return count


def _of_table(sql: str, table: str) -> str:
    return sql.replace("{table:Identifier}", table)


def read_living_generations(chosen: str = "") -> str:
    """Return a subquery of the generations that count, of all hours or those `chosen` (SQL)."""
    condition = f"\nWHERE {chosen}" if chosen else ""
    return f"SELECT generation FROM rolled_hours FINAL{condition}"
