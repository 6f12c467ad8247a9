"""A metric by time and by group: from rollups of whole hours where they suffice, else from traces.

Rollups suffice for buckets of whole hours, groups and filters that speak of environment, version
and trace name only, and all metrics but feedback. Their counts, shares and means are exact, their
durations come from buckets 2.2 % wide. What has changed since is read from `traces` and added.
Counted are traces that have ended. A question that would read more than `EXACT_TRACES` traces is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from whence.errors import InvalidInputError, StoreError
from whence.query.compile import Parameters, metadata
from whence.query.coverage import Cover, Question, column_of, divide, living, within
from whence.query.facet_sql import EXACT_TRACES
from whence.query.facet_statement import is_too_many, limit_rows
from whence.query.filters import comparisons
from whence.query.version_quality import FEEDBACK as JUDGEMENTS
from whence.query.vocabulary import Field
from whence.store.hours import HOUR_MS
from whence.store.rollups import BUCKETS_PER_OCTAVE, MEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.store.connection import Rows, Store

DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 3 * DAY_MS  # 1970 began on a Thursday: weeks that begin on Mondays are so much earlier
# What a line can be of, as columns; any other word is a key of the metadata.
COLUMNS = {
    "environment": "environment",
    "app_version": "app_version",
    "commit": "commit",
    "branch": "branch",
    "name": "trace_name",
    "session": "session",
    "user": "user",
}
ROLLED = ("environment", "app_version", "trace_name")
VERSION = ("environment", "app_version", "lone_commit")
LONE_COMMIT = "if(isNull(app_version), commit, NULL)"
MAX_DRIFT_SERIES = 20
# What is added up of a metric's column: (the sum's and the count's column in `trace_statistics`,
# the value of a row of `traces`).
MEASURES: dict[str, tuple[str, str, str]] = {
    "failed": ("errors", "traces", "toFloat64(state = 'ERROR')"),
    "input_tokens": ("input_tokens", "counted", "toFloat64(input_tokens)"),
    "output_tokens": ("output_tokens", "counted", "toFloat64(output_tokens)"),
    "total_tokens": ("total_tokens", "counted", "toFloat64(total_tokens)"),
    "cost_usd": ("cost_usd", "priced", "cost_usd"),
    "span_count": ("spans", "traces", "toFloat64(span_count)"),
    "traces": ("traces", "traces", "toFloat64(1)"),
    "duration": ("", "", "duration_ns / 1e6"),
}
_MIDDLE_MS = f"if(one.1 < 0, 0, exp2((one.1 + 0.5) / {BUCKETS_PER_OCTAVE}) / 1e6)"
Source = Literal["rollups", "traces"]
Point = tuple[int, int, float]  # bucket, traces with a value, value


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's column, whether it is a quantile (`p`), a count, or a mean; and the traces."""

    question: Question
    column: str
    p: float | None
    is_count: bool
    by: str | None


class Group(msgspec.Struct, frozen=True):
    """A group, its traces, and when the first and the last of them began (Unix ms)."""

    value: str | None
    traces: int
    first_ms: int
    last_ms: int


class Found(msgspec.Struct, frozen=True):
    """The groups with most traces; how many groups and traces there are in all."""

    groups: list[Group]
    count: int
    traces: int


class VersionPoints(msgspec.Struct, frozen=True):
    """The points of a version in an environment, for drift."""

    environment: str | None
    app_version: str | None
    commit: str | None
    points: list[Point]


def read_by(by: str | None) -> str | None:
    """Return what to group by: a column's word, or a metadata key as `metadata.KEY`."""
    if by is None or by in COLUMNS:
        return by
    key = by.removeprefix("metadata.").strip("`")
    if not key:
        raise InvalidInputError(
            f"can't group by {by!r}; name one of {', '.join(COLUMNS)}, or a metadata key"
        )
    return f"metadata.{key}"


def field_of(by: str) -> Field:
    """Return the field of a filter that a group is of."""
    if by.startswith("metadata."):
        return Field("metadata", by.removeprefix("metadata."))
    return Field("attribute", by)


class TimelineReader:
    """Reads one question: its groups first, then its points."""

    def __init__(self, store: Store, asked: Asked) -> None:
        """Find out whether rollups can answer."""
        self._store, self._asked = store, asked
        self._cover = self._find_cover()

    def _find_cover(self) -> Cover | None:
        asked = self._asked
        by = None if asked.by is None else COLUMNS.get(asked.by, "")
        tree = asked.question.tree
        spoken = {column_of(one.field) for one in comparisons(tree)} if tree is not None else set()
        if asked.column not in MEASURES or (by is not None and by not in ROLLED):
            return None
        if not spoken <= set(ROLLED):
            return None
        return divide(self._store, asked.question)

    def find_source(self, width_ms: int) -> Source:
        """Return where points of buckets of this width come from."""
        return "rollups" if self._cover is not None and width_ms % HOUR_MS == 0 else "traces"

    def read_groups(self, limit: int) -> Found:
        """Return the groups with most traces."""
        parameters = Parameters()
        parts = self._sources(
            self._cover,
            parameters,
            "traces AS n, first_seen_ms AS first, last_seen_ms AS last",
            "toUInt64(1) AS n, request_time_ms AS first, request_time_ms AS last",
        )
        sql = f"""\
SELECT value, sum(n) AS found, min(first), max(last), count() OVER (), sum(found) OVER ()
FROM
(
{parts}
)
GROUP BY value
ORDER BY found DESC, value
LIMIT {parameters.bind(limit, "UInt64")}
"""
        rows = self._ask(sql, parameters).rows
        count, traces = rows[0][4:] if rows else (0, 0)
        return Found([Group(*row[:4]) for row in rows], count, traces)

    def read_points(
        self, width_ms: int, groups: Sequence[str | None]
    ) -> dict[str | None, list[Point]]:
        """Return the points of these groups, buckets by number (`number_of`)."""
        named = [one for one in groups if one is not None]
        parameters = Parameters()
        chosen = f"(value IN {parameters.bind(named, 'Array(String)')}"
        chosen += " OR isNull(value))" if None in groups else ")"
        sql = self._statement(parameters, width_ms, "value", f"WHERE {chosen}")
        found: dict[str | None, list[Point]] = {one: [] for one in groups}
        for value, bucket, known, number in self._ask(sql, parameters).rows:
            if known and number is not None:
                found[value].append((bucket, known, number))
        return found

    def read_versions(self, width_ms: int, least: int, fewest: int) -> list[VersionPoints]:
        """Return the points of each version that has `fewest` buckets of `least` traces."""
        parameters = Parameters()
        keys = ", ".join(VERSION)
        inner = self._statement(parameters, width_ms, keys, "")
        sql = f"""\
SELECT {keys}, groupArray((bucket, known, number)) AS points
FROM
(
{inner}
)
WHERE known >= {parameters.bind(least, "UInt64")} AND isNotNull(number)
    AND (isNotNull(app_version) OR isNotNull(lone_commit))
GROUP BY {keys}
HAVING length(points) >= {parameters.bind(fewest, "UInt64")}
ORDER BY length(points) DESC, {keys}
LIMIT {MAX_DRIFT_SERIES}
"""
        return [
            VersionPoints(environment, version, commit, sorted(points))
            for environment, version, commit, points in self._ask(sql, parameters).rows
        ]

    # --- SQL -----------------------------------------------------------------------------

    def _statement(self, parameters: Parameters, width_ms: int, keys: str, where: str) -> str:
        if self.find_source(width_ms) == "rollups":
            return self._rolled(parameters, width_ms, keys, where)
        return self._direct(parameters, width_ms, keys, where)

    def _direct(self, parameters: Parameters, width_ms: int, keys: str, where: str) -> str:
        asked = self._asked
        judged = ""
        value = MEASURES[asked.column][2] if asked.column in MEASURES else "judged"
        if asked.column not in MEASURES:
            name = parameters.bind(asked.column.partition(".")[2])
            judged = (
                "\nINNER JOIN (SELECT trace_id, avg(number) AS judged\n"
                f"FROM ({JUDGEMENTS}) WHERE name = {name} GROUP BY trace_id) AS judgements "
                "USING trace_id"
            )
        parts = self._sources(
            None,
            parameters,
            "",
            f"{number_of('request_time_ms', width_ms)} AS bucket, {value} AS one",
            judged=judged,
        )
        if asked.is_count:
            number = "toFloat64(known)"
        elif asked.p is None:
            number = "avg(one)"
        else:  # the nearest rank
            number = (
                "arraySort(groupArray(one))"
                f"[greatest(1, toUInt64(ceil({float(asked.p)!r} * known - 1e-9)))]"
            )
        return f"""\
SELECT {keys}, bucket, count(one) AS known, if(known = 0, NULL, {number}) AS number
FROM
(
{parts}
)
{where}
GROUP BY {keys}, bucket
"""

    def _rolled(self, parameters: Parameters, width_ms: int, keys: str, where: str) -> str:
        asked = self._asked
        of_hour = number_of(f"hour * {HOUR_MS}", width_ms)
        of_trace = number_of("request_time_ms", width_ms)
        if asked.column == "duration":
            columns = (
                f"{of_hour} AS bucket, durations AS heights",
                f"{of_trace} AS bucket, {MEASURED['durations'][0]} AS heights",
            )
            sums, known, number = _of_histogram(asked.p)
        else:
            total, count, value = MEASURES[asked.column]
            columns = (
                f"{of_hour} AS bucket, toFloat64({total}) AS total, {count} AS n",
                (
                    f"{of_trace} AS bucket, ifNull({value}, 0) AS total, "
                    f"toUInt64(isNotNull({value})) AS n"
                ),
            )
            sums, known = "sum(total) AS whole, sum(n) AS m", "m"
            number = "whole" if asked.is_count else "whole / m"
        parts = self._sources(self._cover, parameters, *columns)
        return f"""\
SELECT {keys}, bucket, {known} AS known, if(known = 0, NULL, {number}) AS number
FROM
(
    SELECT {keys}, bucket, {sums}
    FROM
    (
{parts}
    )
    {where}
    GROUP BY {keys}, bucket
)
"""

    def _sources(
        self,
        cover: Cover | None,
        parameters: Parameters,
        stored: str,
        measured: str,
        *,
        judged: str = "",
    ) -> str:
        """Return the SQL of all rows: the group as `value`, the version, then these columns."""
        question = self._asked.question
        condition = question.condition(parameters)
        value = self._group(parameters)
        of_traces = f"{value} AS value, environment, app_version, {LONE_COMMIT} AS lone_commit"
        # A join hides no column: its own are named apart.
        head = f"SELECT {of_traces}, {measured}\nFROM traces FINAL{judged}"
        if cover is None:
            return (
                f"{head}\nWHERE deleted = 0 AND {question.time_condition(parameters)} "
                f"AND {condition}"
            )
        parts = [
            (
                f"SELECT {value} AS value, environment, app_version, lone_commit, {stored}\n"
                f"FROM trace_statistics\nWHERE {living(cover, parameters)} AND {condition}"
            )
        ]
        if cover.direct:
            times = within(cover.direct, parameters)
            parts.append(f"{head}\nWHERE deleted = 0 AND {times} AND {condition}")
        return "\nUNION ALL\n".join(parts)

    def _group(self, parameters: Parameters) -> str:
        by = self._asked.by
        if by is None:
            return "CAST(NULL, 'Nullable(String)')"
        if by in COLUMNS:
            return f"CAST({COLUMNS[by]}, 'Nullable(String)')"
        found = metadata(by.removeprefix("metadata."), parameters)
        return f"CAST(if({found.present}, {found.text}, NULL), 'Nullable(String)')"

    def _ask(self, sql: str, parameters: Parameters) -> Rows:
        try:
            return self._store.query(sql, parameters.values, settings=limit_rows(EXACT_TRACES))
        except StoreError as error:
            if not is_too_many(error):
                raise
            raise InvalidInputError(
                f"this timeline would read more than {EXACT_TRACES:,} traces: name a shorter time, "
                "or take buckets of hours (1h, 1d) and filters and groups by environment, version "
                "and name only, which rollups can answer"
            ) from None


def number_of(time_ms: str, width_ms: int) -> str:
    """Return the SQL of the number of a time's bucket; buckets of weeks begin on Mondays."""
    return f"intDiv({time_ms} + {shift_of(width_ms):d}, {width_ms:d})"


def shift_of(width_ms: int) -> int:
    """Return by how much buckets begin earlier than multiples of their width."""
    return MONDAY_MS if width_ms % WEEK_MS == 0 else 0


def _of_histogram(p: float | None) -> tuple[str, str, str]:
    """Return the SQL of the sums, the count and the value (ms) of histograms of durations."""
    sums = "sumMap(heights) AS heights"
    pairs = "arrayZip(mapKeys(heights), mapValues(heights))"
    known = "arraySum(mapValues(heights))"
    if p is None:
        return sums, known, f"arraySum(one -> {_MIDDLE_MS} * one.2, {pairs}) / known"
    at = f"greatest(1, toUInt64(ceil({float(p)!r} * known - 1e-9)))"
    place = f"arrayFirstIndex(height -> height >= {at}, arrayCumSum(mapValues(heights)))"
    return sums, known, f"arrayMap(one -> {_MIDDLE_MS}, {pairs})[{place}]"
