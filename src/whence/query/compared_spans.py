"""What the spans of compared traces say: errors, tool calls, times to the first token, trees.

Rows are told apart by `key`, the hash of the trace id that `population.Population` has too. Spans
that were delivered more than once count once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from whence import semconv
from whence.query.arms import condition_of
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
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
        """Return the numbers of these traces, `default` for those without one."""
        if not len(self.keys):
            return np.full(len(keys), default)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.values[places], default)


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


def _ids(scope: Scope, arms: Arms, parameters: Parameters, more: str = "") -> str:
    """Return SQL for the ids of the compared traces; superseded rows may add a few."""
    where = " OR ".join(f"({condition_of(one.tree, scope, parameters)})" for one in arms)
    return f"SELECT trace_id FROM traces WHERE ({where}){more}"


def read_error_spans(store: Store, scope: Scope, arms: Arms) -> list[ErrorSpan]:
    """Return the failed spans of failed traces of both arms, at most `MAX_ERRORS` of them.

    Those with the lowest hashes of their trace ids: the same ones each time.
    """
    parameters = Parameters()
    ids = _ids(scope, arms, parameters, " AND state = 'ERROR'")
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
WHERE trace_id IN ({ids})
GROUP BY trace_id, span_id
ORDER BY key, span_id
LIMIT {MAX_ERRORS}
"""
    rows = store.query(sql, parameters.values, settings=_BIG_SET).rows
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


def read_first_tokens(store: Store, scope: Scope, arms: Arms) -> Counts | None:
    """Return the ms from a trace's start to the first token of any of its model calls.

    None where none of the first `LOOKED_AT` traces of each arm, as they lie, records it.
    """
    parameters = Parameters()
    names = parameters.bind(list(semconv.FIRST_TOKEN_SECONDS_KEYS), "Array(String)")
    some = " UNION ALL ".join(
        f"({_ids(scope, (arm, arm), parameters, f' LIMIT {LOOKED_AT}')})" for arm in arms
    )
    probe = (
        f"SELECT 1 FROM spans WHERE trace_id IN ({some}) "
        f"AND hasAny(mapKeys(attributes), {names}) LIMIT 1"
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
    store: Store, scope: Scope, arms: Arms, last_keys: tuple[int, int]
) -> SpanColumns:
    """Return the ended spans of each arm's traces whose keys are at most its last one."""
    parameters = Parameters()
    chosen = " UNION ALL ".join(
        _ids(
            scope,
            (arm, arm),
            parameters,
            f" AND cityHash64(trace_id) <= {parameters.bind(last, 'UInt64')}",
        )
        for arm, last in zip(arms, last_keys, strict=True)
    )
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key, span_id, parent_id, name, span_type, status = 'ERROR' AS failed,
    start_time_ns, end_time_ns
FROM spans
WHERE trace_id IN ({chosen}) AND end_time_ns > 0
ORDER BY trace_id, span_id, version DESC
LIMIT 1 BY trace_id, span_id
"""
    table = store.query_table(sql, parameters.values, settings=SETTINGS)
    if not table.num_columns:
        return SpanColumns(np.empty(0, np.uint64), [], [], [], [], [], [], [])
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


def _list(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values
