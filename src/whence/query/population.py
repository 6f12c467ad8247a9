"""The traces of both arms of a comparison as columns: one statement, numbers and codes.

Deleted and superseded rows are left out exactly as in search, traces that have not ended are
counted apart. An arm of more than `MAX_TRACES` traces is sampled by its units (a session is in or
out whole), by a hash: the same question finds the same traces.

Order: by `key`, so that whatever draws from these rows draws the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from whence.errors import InvalidInputError
from whence.query.arms import condition_of, show_filter
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
    from whence.store.connection import Store

MAX_TRACES = 200_000
SHARES = 1 << 16  # a sample is so many of these parts
# An empty session or user is none; a user is not the session of the same name.
_UNIT = (
    "cityHash64(coalesce(concat('session ', nullIf(session, '')), "
    "concat('user ', nullIf(user, '')), trace_id))"
)
NUMBERS = ("input_tokens", "output_tokens", "total_tokens", "cost_usd", "span_count")
LABELS = ("environment", "trace_name", "model")
_SELECT = f"""\
SELECT
    {{arm}} AS arm,
    cityHash64(trace_id) AS key,
    {_UNIT} AS unit,
    request_time_ms,
    duration_ns,
    state = 'ERROR' AS failed,
    input_tokens, output_tokens, total_tokens, cost_usd, span_count,
    environment, trace_name, {{model}} AS model,
    request_preview.size AS request_bytes
FROM traces FINAL
WHERE ({{where}}) AND deleted = 0{{sample}}
"""


class Codes(msgspec.Struct, frozen=True):
    """A label of every row as a number; `names[code]`, None for rows without one."""

    codes: NDArray[np.int32]
    names: tuple[str | None, ...]


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """The finished traces of both arms; `is_candidate` tells them apart. Absent numbers are NaN.

    `found` and `unfinished` count both arms (baseline, candidate) before sampling; `sampled` says
    whether there are more than these rows. `units` are codes of sessions, users or traces.
    """

    is_candidate: NDArray[np.bool_]
    key: NDArray[np.uint64]
    unit: NDArray[np.uint64]
    request_time_ms: NDArray[np.int64]
    duration_ms: NDArray[np.float64]
    failed: NDArray[np.bool_]
    numbers: dict[str, NDArray[np.float64]]
    labels: dict[str, Codes]
    request_bytes: NDArray[np.float64]
    found: tuple[int, int]
    unfinished: tuple[int, int]
    sampled: bool

    @property
    def size(self) -> int:
        """How many traces there are in both arms."""
        return len(self.key)


def read_population(
    store: Store, scope: Scope, baseline: NamedArm, candidate: NamedArm, *, models: bool = False
) -> Population:
    """Read both arms, without `models` none of those. A trace in both is an InvalidInputError."""
    counted, unfinished = _count(store, scope, baseline, candidate, "traces")
    if max(counted) > MAX_TRACES:
        counted, unfinished = _count(store, scope, baseline, candidate, "traces FINAL")
    parameters = Parameters()
    conditions = [condition_of(arm.tree, scope, parameters) for arm in (baseline, candidate)]
    sample = _sample(max(counted), parameters)
    sql = _SELECT.format(
        arm=f"toUInt8(ifNull({conditions[1]}, 0))",
        where=" OR ".join(f"({one})" for one in conditions),
        model="models[1]" if models else "CAST('', 'LowCardinality(String)')",
        sample=sample,
    )
    table = store.query_table(sql, parameters.values, settings=SETTINGS)
    return _arrange(table, counted if sample else None, unfinished)


def _count(
    store: Store, scope: Scope, baseline: NamedArm, candidate: NamedArm, ended: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many rows of `ended` each arm has, and how many of its traces have not ended.

    Raises InvalidInputError where a trace is in both arms.
    """
    parameters = Parameters()
    one, other = (condition_of(arm.tree, scope, parameters) for arm in (baseline, candidate))
    counts = f"SELECT countIf({one}), countIf({other}), countIf(({one}) AND ({other}))"
    where = f"WHERE (({one}) OR ({other})) AND deleted = 0"
    statements = [
        (f"{counts}\nFROM {table}\n{where}", parameters.values)
        for table in (ended, "open_traces FINAL")
    ]
    finished, running = (rows.rows[0] for rows in store.query_together(statements, **SETTINGS))
    both = finished[2] + running[2]
    if both:
        raise InvalidInputError(
            f"{both} traces are in the baseline and in the candidate "
            f"({show_filter(baseline.own)}; {show_filter(candidate.own)}): a comparison needs "
            "two groups of traces that have none in common"
        )
    return (finished[0], finished[1]), (running[0], running[1])


def _sample(traces: int, parameters: Parameters) -> str:
    if traces <= MAX_TRACES:
        return ""
    share = parameters.bind(max(1, SHARES * MAX_TRACES // traces), "UInt64")
    return f"\n    AND {_UNIT} % {SHARES} < {share}"


def _arrange(
    table: pa.Table, counted: tuple[int, int] | None, unfinished: tuple[int, int]
) -> Population:
    if not table.num_columns:
        return _nothing(unfinished)
    key = _array(table, "key").astype(np.uint64)
    order = np.argsort(key)
    is_candidate = _array(table, "arm")[order] != 0
    ended = (int(np.count_nonzero(~is_candidate)), int(np.count_nonzero(is_candidate)))
    return Population(
        is_candidate=is_candidate,
        key=key[order],
        unit=_array(table, "unit").astype(np.uint64)[order],
        request_time_ms=_array(table, "request_time_ms").astype(np.int64)[order],
        duration_ms=_number(table, "duration_ns")[order] / 1e6,
        failed=_array(table, "failed")[order] != 0,
        numbers={name: _number(table, name)[order] for name in NUMBERS},
        labels={name: _codes(table, name, order) for name in LABELS},
        request_bytes=_number(table, "request_bytes")[order],
        found=counted or ended,
        unfinished=unfinished,
        sampled=counted is not None,
    )


def _nothing(unfinished: tuple[int, int]) -> Population:
    none = np.empty(0)
    return Population(
        is_candidate=none.astype(np.bool_),
        key=none.astype(np.uint64),
        unit=none.astype(np.uint64),
        request_time_ms=none.astype(np.int64),
        duration_ms=none,
        failed=none.astype(np.bool_),
        numbers=dict.fromkeys(NUMBERS, none),
        labels=dict.fromkeys(LABELS, Codes(none.astype(np.int32), ())),
        request_bytes=none,
        found=(0, 0),
        unfinished=unfinished,
        sampled=False,
    )


def _array(table: pa.Table, name: str) -> NDArray[Any]:
    found: NDArray[Any] = table.column(name).to_numpy()
    return found


def _number(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where it is absent."""
    return _array(table, name).astype(np.float64, copy=False)


def _codes(table: pa.Table, name: str, order: NDArray[np.int64]) -> Codes:
    column = table.column(name).unify_dictionaries().combine_chunks()
    if not hasattr(column, "indices"):  # some engines write plain texts
        column = column.dictionary_encode()
    names: list[str | None] = [one or None for one in column.dictionary.to_pylist()]
    codes = column.indices.to_numpy(zero_copy_only=False)
    if column.indices.null_count:
        names.append(None)
        codes = np.where(np.isnan(codes), len(names) - 1, codes)
    return Codes(codes.astype(np.int32)[order], tuple(names))


def take(codes: Codes, rows: NDArray[np.bool_] | Sequence[int]) -> Codes:
    """Return the codes of some rows."""
    return Codes(codes.codes[rows], codes.names)
