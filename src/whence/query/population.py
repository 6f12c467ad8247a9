"""The traces of both arms of a comparison as columns: one statement, numbers and codes.

Deleted and superseded rows are left out exactly as in search, traces that have not ended are
counted apart. An arm of more than `MAX_TRACES` traces is sampled by its units (a session is in or
out whole), by a hash: the same question finds the same traces. Each arm has a share of its own, so
that a small canary beside a large baseline keeps all of its traces.

Order: by `key`, so that whatever draws from these rows draws the same again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from whence.errors import InvalidInputError
from whence.query.arm_sql import write_arms
from whence.query.arms import show_filter
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
    from whence.store.connection import Store

MAX_TRACES = 200_000
MOST_READ = 2 * MAX_TRACES  # rows that are read without being counted first
SHARES = 1 << 16  # a sample is so many of these parts
BASELINE, CANDIDATE, BOTH = 2, 1, 3  # what `arm` says of a row
# An empty session or user is none; a user is not the session of the same name.
_UNIT = """\
multiIf(
        notEmpty(ifNull(session, '')), cityHash64(1, ifNull(session, '')),
        notEmpty(ifNull(user, '')), cityHash64(2, ifNull(user, '')),
        cityHash64(trace_id)
    )"""
NUMBERS = ("input_tokens", "output_tokens", "total_tokens", "cost_usd", "span_count")
LABELS = ("environment", "trace_name", "model")
_SELECT = f"""\
SELECT
    toUInt8(ifNull({{candidate}}, 0)) + 2 * toUInt8(ifNull({{baseline}}, 0)) AS arm,
    cityHash64(trace_id) AS key,
    {_UNIT} AS unit,
    trace_id,
    request_time_ms,
    duration_ns,
    state = 'ERROR' AS failed,
    input_tokens, output_tokens, total_tokens, cost_usd, span_count,
    environment, trace_name, {{model}} AS model,
    request_preview.size AS request_bytes
FROM traces FINAL
WHERE {{where}} AND deleted = 0{{sample}}
LIMIT {{limit}}
"""


class Codes(msgspec.Struct, frozen=True):
    """A label of every row as a number; `names[code]`, None for rows without one."""

    codes: NDArray[np.int32]
    names: tuple[str | None, ...]


class TraceIds:
    """The ids of the traces, kept as the engine sent them; few are ever looked at."""

    def __init__(self, column: pa.ChunkedArray | None, order: NDArray[np.int64]) -> None:
        """Take the column and the place in it of every row."""
        self._column, self._order = column, order

    def of(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the ids of these rows."""
        if self._column is None:
            return []
        found: list[str] = self._column.take(self._order[rows]).to_pylist()
        return found


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """The finished traces of both arms; `is_candidate` tells them apart. Absent numbers are NaN.

    `found` and `unfinished` count both arms (baseline, candidate) before sampling; of each arm the
    units whose hash lies in the first `shares` of `SHARES` parts are here, `SHARES` being all.
    `unit` is the code, dense from 0, of a trace's session, else its user, else the trace.
    """

    is_candidate: NDArray[np.bool_]
    key: NDArray[np.uint64]
    unit: NDArray[np.int64]
    request_time_ms: NDArray[np.int64]
    duration_ms: NDArray[np.float64]
    failed: NDArray[np.bool_]
    numbers: dict[str, NDArray[np.float64]]
    labels: dict[str, Codes]
    request_bytes: NDArray[np.float64]
    found: tuple[int, int]
    unfinished: tuple[int, int]
    shares: tuple[int, int] = (SHARES, SHARES)
    ids: TraceIds

    @property
    def size(self) -> int:
        """How many traces there are in both arms."""
        return len(self.key)

    @property
    def sampled(self) -> bool:
        """Whether an arm has more traces than these rows."""
        return min(self.shares) < SHARES


def read_population(
    store: Store, scope: Scope, baseline: NamedArm, candidate: NamedArm, *, models: bool = False
) -> Population:
    """Read both arms, without `models` none of those. A trace in both is an InvalidInputError."""
    arms = (baseline, candidate)
    running = store.submit(lambda: _count(store, scope, arms, "open_traces FINAL"))
    table = _read(store, scope, arms, models)
    found, shares = None, (SHARES, SHARES)
    if table.num_rows > MOST_READ:
        found = _count(store, scope, arms, "traces FINAL")
        _refuse_both(found[2], arms)
        shares = _choose_shares(found)
        table = _read(store, scope, arms, models, shares)
    unfinished = running.result()
    _refuse_both(unfinished[2], arms)
    if not table.num_columns or not table.num_rows:
        return _nothing(unfinished[:2])
    arm = _array(table, "arm")
    counts = np.bincount(arm, minlength=BOTH + 1)
    _refuse_both(int(counts[BOTH]), arms)
    if found is None:
        found = int(counts[BASELINE]), int(counts[CANDIDATE]), 0
        shares = _choose_shares(found)
    return _arrange(store, table, found[:2], unfinished[:2], shares)


def _read(
    store: Store,
    scope: Scope,
    arms: tuple[NamedArm, NamedArm],
    models: bool,
    shares: tuple[int, int] | None = None,
) -> pa.Table:
    parameters = Parameters()
    written = write_arms(arms, scope, parameters)
    sample = ""
    if shares is not None:
        asked = [parameters.bind(one, "UInt64") for one in shares]
        within = f"if(ifNull({written.candidate}, 0), {asked[1]}, {asked[0]})"
        sample = f"\n    AND {_UNIT} % {SHARES} < {within}"
    sql = _SELECT.format(
        baseline=written.baseline,
        candidate=written.candidate,
        where=written.either,
        model="models[1]" if models else "CAST('', 'LowCardinality(String)')",
        sample=sample,
        # A sample of whole units may be a little larger than what it aims at.
        limit=MOST_READ + 1 if shares is None else 2 * MOST_READ,
    )
    return store.query_table(sql, parameters.values, settings=SETTINGS)


def _count(
    store: Store, scope: Scope, arms: tuple[NamedArm, NamedArm], table: str
) -> tuple[int, int, int]:
    """Return how many traces of a table each arm has, and how many are in both."""
    parameters = Parameters()
    sql = write_arms(arms, scope, parameters)
    one, other = sql.baseline, sql.candidate
    counts = f"SELECT countIf({one}), countIf({other}), countIf(({one}) AND ({other}))"
    where = f"WHERE {sql.either} AND deleted = 0"
    rows = store.query(
        f"{counts}\nFROM {table}\n{where}", parameters.values, settings=SETTINGS
    ).rows
    return int(rows[0][0]), int(rows[0][1]), int(rows[0][2])


def _refuse_both(count: int, arms: tuple[NamedArm, NamedArm]) -> None:
    if count:
        raise InvalidInputError(
            f"{count} traces are in the baseline and in the candidate "
            f"({show_filter(arms[0].own)}; {show_filter(arms[1].own)}): a comparison needs "
            "two groups of traces that have none in common"
        )


def _choose_shares(found: Sequence[int]) -> tuple[int, int]:
    """Return how many of `SHARES` parts of each arm are compared."""
    baseline, candidate = (
        SHARES if count <= MAX_TRACES else max(1, SHARES * MAX_TRACES // count)
        for count in found[:2]
    )
    return baseline, candidate


def sample_condition(population: Population, side: int, parameters: Parameters) -> str:
    """Return the SQL that a trace of an arm (1: the candidate) is in its sample; `1` for all."""
    share = population.shares[side]
    if share >= SHARES:
        return "1"
    return f"{_UNIT} % {SHARES} < {parameters.bind(share, 'UInt64')}"


def _arrange(
    store: Store,
    table: pa.Table,
    found: tuple[int, int],
    unfinished: tuple[int, int],
    shares: tuple[int, int],
) -> Population:
    key = _array(table, "key").astype(np.uint64, copy=False)
    unit = _array(table, "unit").astype(np.uint64, copy=False)
    is_candidate = _array(table, "arm") == CANDIDATE
    codes = store.submit(partial(_code_units, unit, key))  # sorting lets this thread run
    order = np.argsort(key)
    if min(shares) < SHARES:
        kept = unit % SHARES < np.where(is_candidate, shares[1], shares[0]).astype(np.uint64)
        order = order[kept[order]]
    numbers = {name: _number(table, name)[order] for name in NUMBERS}
    labels = {name: _codes(table, name, order) for name in LABELS}
    units = codes.result()[order]
    return Population(
        is_candidate=is_candidate[order],
        key=key[order],
        unit=units if min(shares) == SHARES else _densify(units),
        request_time_ms=_array(table, "request_time_ms")[order].astype(np.int64, copy=False),
        duration_ms=_number(table, "duration_ns")[order] / 1e6,
        failed=_array(table, "failed")[order] != 0,
        numbers=numbers,
        labels=labels,
        request_bytes=_number(table, "request_bytes")[order],
        found=found,
        unfinished=unfinished,
        shares=shares,
        ids=TraceIds(table.column("trace_id"), order),
    )


def _code_units(unit: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return a code of each trace's unit, dense from 0."""
    if np.array_equal(unit, key):  # no sessions, no users
        return np.arange(len(unit), dtype=np.int64)
    return _densify(unit)


def _densify(codes: NDArray[Any]) -> NDArray[np.int64]:
    _, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64, copy=False)


def _nothing(unfinished: tuple[int, int]) -> Population:
    none = np.empty(0)
    return Population(
        is_candidate=none.astype(np.bool_),
        key=none.astype(np.uint64),
        unit=none.astype(np.int64),
        request_time_ms=none.astype(np.int64),
        duration_ms=none,
        failed=none.astype(np.bool_),
        numbers=dict.fromkeys(NUMBERS, none),
        labels=dict.fromkeys(LABELS, Codes(none.astype(np.int32), ())),
        request_bytes=none,
        found=(0, 0),
        unfinished=unfinished,
        ids=TraceIds(None, none.astype(np.int64)),
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
