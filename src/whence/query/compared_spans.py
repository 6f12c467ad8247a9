"""What the spans of compared traces say: errors, tool calls, times to the first token, trees.

Rows are told apart by `key`, the hash of the trace id that `population.Population` has too. Spans
that were delivered more than once count once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from whence import semconv
from whence.query.arm_sql import write_arms
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.store.connection import Store

    Arms = tuple[NamedArm, NamedArm]

MAX_ERRORS = 20_000
FEW = 200_000
LOOKED_AT = 150  # traces of each version that are asked whether they record a time at all
MESSAGE_CHARS = 500
# A set of hundreds of thousands of ids is no help to an index: it would be asked for every granule.
_BIG_SET = {**SETTINGS, "use_index_for_in_with_subqueries": 0}


class ErrorSpan(msgspec.Struct, frozen=True):
    """A span that failed in a compared trace; `type` is '' where no exception was recorded."""

    key: int
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    message: str
    type: str


class Counts(msgspec.Struct, frozen=True):
    """A number for some of the traces, by their keys in ascending order."""

    keys: NDArray[np.uint64]
    values: NDArray[np.float64]

    def of(self, keys: NDArray[np.uint64], default: float) -> NDArray[np.float64]:
        """Return the numbers of these traces, in order; `default` for those without one."""
        found = np.full(len(keys), default)
        if len(keys) and len(self.keys):
            places = np.minimum(np.searchsorted(keys, self.keys), len(keys) - 1)
            known = keys[places] == self.keys
            found[places[known]] = self.values[known]
        return found


class SpanColumns(msgspec.Struct, frozen=True):
    """Spans of a sample of traces, those of one trace together; times are ns, status a text."""

    key: NDArray[np.uint64]
    span_id: list[str]
    parent_id: list[str]
    name: list[str]
    span_type: list[str]
    failed: list[bool]
    start_ns: list[int]
    end_ns: list[int]


def _ids(scope: Scope, arms: Arms, parameters: Parameters) -> str:
    """Return SQL for the ids of the compared traces; superseded rows may add a few."""
    return f"SELECT trace_id FROM traces WHERE {write_arms(arms, scope, parameters).either}"


def _among(population: Population, rows: NDArray[np.int64], parameters: Parameters) -> str:
    ids = parameters.bind(population.ids.of(rows), "Array(String)")
    return f"trace_id IN {ids}"


def read_error_spans(store: Store, population: Population) -> list[ErrorSpan]:
    """Return failed spans of failed traces of both arms, at most `MAX_ERRORS` of them.

    Those with the lowest hashes of their trace ids: the same ones each time.
    """
    failed = np.flatnonzero(population.failed)[:MAX_ERRORS]
    if not len(failed):
        return []
    parameters = Parameters()
    among = _among(population, failed, parameters)
    event = f"JSONExtractString(one, 'name') = {parameters.bind(semconv.EXCEPTION_EVENT)}"
    kind = parameters.bind(semconv.EXCEPTION_TYPE)
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key, trace_id, span_id, any(parent_id) AS parent,
    any(name) AS span_name, any(substring(status_message, 1, {MESSAGE_CHARS})) AS message,
    any(JSONExtractString(
        arrayFirst(one -> {event}, JSONExtractArrayRaw(events)), 'attributes', {kind}
    )) AS type
FROM spans
PREWHERE status = 'ERROR'
WHERE {among}
GROUP BY trace_id, span_id
ORDER BY key, span_id
LIMIT {MAX_ERRORS}
"""
    rows = store.query(sql, parameters.values, settings=SETTINGS).rows
    return [ErrorSpan(*row) for row in rows]


def read_tool_calls(store: Store, scope: Scope, arms: Arms) -> Counts:
    """Return how many spans of type TOOL each trace has; traces without any are left out.

    Where there are few in the whole store, they are all returned, and nobody asks for the ids.
    """
    tools = store.query("SELECT count() FROM spans WHERE span_type = 'TOOL'", settings=SETTINGS)
    count = int(tools.rows[0][0])
    if not count:
        return Counts(np.empty(0, np.uint64), np.empty(0))
    parameters = Parameters()
    among = "1" if count <= FEW else f"trace_id IN ({_ids(scope, arms, parameters)})"
    sql = f"""\
SELECT cityHash64(trace_id) AS key, toFloat64(uniqExact(span_id)) AS value
FROM spans
PREWHERE span_type = 'TOOL'
WHERE {among}
GROUP BY trace_id
"""
    return _counts(store, sql, parameters)


def read_first_tokens(
    store: Store, scope: Scope, arms: Arms, population: Population
) -> Counts | None:
    """Return the ms from a trace's start to the first token of any of its model calls.

    None where none of `LOOKED_AT` traces of each arm, those of the lowest hashes, records it.
    """
    some = np.concatenate(
        [np.flatnonzero(population.is_candidate == side)[:LOOKED_AT] for side in (False, True)]
    )
    if not len(some):
        return None
    parameters = Parameters()
    names = parameters.bind(list(semconv.FIRST_TOKEN_SECONDS_KEYS), "Array(String)")
    probe = (
        f"SELECT 1 FROM spans WHERE {_among(population, some, parameters)} "
        f"AND hasAny(attributes.keys, {names}) LIMIT 1"
    )
    if not store.query(probe, parameters.values, settings={**SETTINGS, "max_threads": 1}).rows:
        return None
    asked = Parameters()
    names = asked.bind(list(semconv.FIRST_TOKEN_SECONDS_KEYS), "Array(String)")
    first = f"attributes[arrayFirst(one -> mapContains(attributes, one), {names})]"
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key,
    (minIf(start_time_ns + seconds * 1e9, isNotNull(seconds)) - min(start_time_ns)) / 1e6 AS value
FROM
(
    SELECT trace_id, start_time_ns, toFloat64OrNull(trim(BOTH '"' FROM {first})) AS seconds
    FROM spans
    WHERE trace_id IN ({_ids(scope, arms, asked)})
)
GROUP BY trace_id
HAVING countIf(isNotNull(seconds)) > 0
"""
    return _counts(store, sql, asked)


def _counts(store: Store, sql: str, parameters: Parameters) -> Counts:
    table = store.query_table(sql, parameters.values, settings=_BIG_SET)
    if not table.num_columns:
        return Counts(np.empty(0, np.uint64), np.empty(0))
    keys = table.column("key").to_numpy().astype(np.uint64)
    order = np.argsort(keys)
    return Counts(keys[order], table.column("value").to_numpy().astype(np.float64)[order])


def read_span_trees(
    store: Store, population: Population, rows: NDArray[np.int64], most: int
) -> SpanColumns:
    """Return the ended spans of these traces, whole traces only and at most `most` spans.

    A trace may have more spans than it had when it was counted; the last ones are then left out.
    """
    parameters = Parameters()
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key, span_id, parent_id, name, span_type, status = 'ERROR' AS failed,
    start_time_ns, end_time_ns
FROM spans
WHERE {_among(population, rows, parameters)} AND end_time_ns > 0
ORDER BY key, span_id, version DESC
LIMIT 1 BY key, span_id
LIMIT {parameters.bind(most + 1, "UInt64")}
"""
    table = store.query_table(sql, parameters.values, settings=SETTINGS)
    if not table.num_columns or not table.num_rows:
        return SpanColumns(np.empty(0, np.uint64), [], [], [], [], [], [], [])
    if table.num_rows > most:
        keys = table.column("key").to_numpy()
        table = table.slice(0, int(np.searchsorted(keys, keys[-1])))
    return SpanColumns(
        key=table.column("key").to_numpy().astype(np.uint64),
        span_id=_list(table, "span_id"),
        parent_id=_list(table, "parent_id"),
        name=_list(table, "name"),
        span_type=_list(table, "span_type"),
        failed=_list(table, "failed"),
        start_ns=_list(table, "start_time_ns"),
        end_ns=_list(table, "end_time_ns"),
    )


def join_columns(one: SpanColumns, other: SpanColumns) -> SpanColumns:
    """Return the spans of both, one after the other."""
    return SpanColumns(
        np.concatenate([one.key, other.key]),
        *(getattr(one, name) + getattr(other, name) for name in SpanColumns.__struct_fields__[1:]),
    )


def _list(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values
