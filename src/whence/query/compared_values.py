"""Metadata and a few columns of some compared traces as codes, and traces to show as examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.query.arm_sql import condition_of
from whence.query.compile import SETTINGS, Parameters
from whence.query.population import sample_condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.query.vocabulary import FieldKind
    from whence.store.connection import Store

MAX_VALUE_CHARS = 200
MAX_KEYS = 100
NO_VALUE = -1
COLUMNS = ("name", "environment", "commit", "branch")
_SQL_OF_COLUMN = {"name": "trace_name"}


class KeyCodes(msgspec.Struct, frozen=True):
    """A field's value in each trace as a code, `NO_VALUE` where it has none; `values[code]`."""

    kind: FieldKind
    key: str
    codes: NDArray[np.int64]
    values: list[str]


class Example(msgspec.Struct, frozen=True):
    """A trace that may be shown: its input as a hash."""

    key: int
    trace_id: str
    input: int
    has_input: bool


def read_values(
    store: Store, scope: Scope, arm: NamedArm, population: Population, last_key: int
) -> tuple[NDArray[np.uint64], list[KeyCodes]]:
    """Return the values of the candidate's compared traces up to `last_key`, and their keys."""
    parameters = Parameters()
    columns = ", ".join(
        f"toString({_SQL_OF_COLUMN.get(one, one)}) AS column_{one}" for one in COLUMNS
    )
    longest = parameters.bind(MAX_VALUE_CHARS, "UInt64")
    last = parameters.bind(last_key, "UInt64")
    sample = sample_condition(population, 1, parameters)
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key, {columns}, models[1] AS column_model,
    mapKeys(short) AS keys, mapValues(short) AS values
FROM
(
    SELECT *, mapFilter((k, v) -> length(v) <= {longest}, metadata) AS short
    FROM traces FINAL
    WHERE ({condition_of(arm.tree, scope, parameters)}) AND deleted = 0
        AND cityHash64(trace_id) <= {last} AND {sample}
)
ORDER BY key
"""
    table = store.query_table(sql, parameters.values, settings=SETTINGS)
    if not table.num_columns or not table.num_rows:
        return np.empty(0, np.uint64), []
    keys = table.column("key").to_numpy().astype(np.uint64)
    found = [_column(table, "attribute", one) for one in COLUMNS]
    found.append(_column(table, "span_attribute", "model"))
    return keys, [*found, *_metadata(table)]


def _column(table: pa.Table, kind: FieldKind, name: str) -> KeyCodes:
    column = table.column(f"column_{name}").combine_chunks()
    if hasattr(column, "indices"):
        column = column.dictionary_decode()
    encoded = column.dictionary_encode()
    values = [one or "" for one in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(NO_VALUE).to_numpy(zero_copy_only=False).astype(np.int64)
    if "" in values:
        codes[codes == values.index("")] = NO_VALUE
    return KeyCodes(kind, name, codes, values)


def _metadata(table: pa.Table) -> list[KeyCodes]:
    lists = table.column("keys").combine_chunks()
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy(zero_copy_only=False))
    keys = _plain(lists.flatten()).dictionary_encode()
    values = _plain(table.column("values").combine_chunks().flatten()).dictionary_encode()
    names, texts = keys.dictionary.to_pylist(), values.dictionary.to_pylist()
    of_key = keys.indices.to_numpy(zero_copy_only=False)
    of_value = values.indices.to_numpy(zero_copy_only=False)
    frequent = np.argsort(-np.bincount(of_key, minlength=len(names)), kind="stable")[:MAX_KEYS]
    found = []
    for place in sorted(frequent.tolist(), key=lambda one: str(names[one])):
        chosen = of_key == place
        codes = np.full(len(lists), NO_VALUE, dtype=np.int64)
        codes[rows[chosen]] = of_value[chosen]
        found.append(KeyCodes("metadata", str(names[place]), codes, texts))
    return found


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if hasattr(array, "indices") else array


def read_examples(
    store: Store, scope: Scope, arm: NamedArm, keys: Sequence[int]
) -> dict[int, Example]:
    """Return the traces of these keys, by key."""
    if not keys:
        return {}
    parameters = Parameters()
    wanted = parameters.bind(sorted(keys), "Array(UInt64)")
    where = f"({condition_of(arm.tree, scope, parameters)}) AND cityHash64(trace_id) IN {wanted}"
    return _read(store, where, parameters)


def find_same_inputs(
    store: Store, scope: Scope, arm: NamedArm, population: Population, inputs: Sequence[int]
) -> dict[int, list[Example]]:
    """Return the baseline's compared traces that were asked the same, by the hash of the input."""
    if not inputs:
        return {}
    parameters = Parameters()
    wanted = parameters.bind(sorted(inputs), "Array(UInt64)")
    where = (
        f"({condition_of(arm.tree, scope, parameters)}) AND request_preview != '' "
        f"AND cityHash64(request_preview) IN {wanted} "
        f"AND {sample_condition(population, 0, parameters)}"
    )
    same: dict[int, list[Example]] = {}
    for one in _read(store, where, parameters).values():
        same.setdefault(one.input, []).append(one)
    return same


def _read(store: Store, where: str, parameters: Parameters) -> dict[int, Example]:
    sql = f"""\
SELECT
    cityHash64(trace_id) AS key, trace_id,
    cityHash64(ifNull(request_preview, '')) AS input,
    ifNull(request_preview, '') != '' AS has_input
FROM traces FINAL
WHERE {where} AND deleted = 0
ORDER BY key
LIMIT 5000
"""
    rows = store.query(sql, parameters.values, settings=SETTINGS).rows
    return {row[0]: Example(row[0], row[1], row[2], bool(row[3])) for row in rows}


def read_inputs(
    store: Store, population: Population, rows: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return a hash of every compared trace's input, 0 where it is none of `rows` or has none."""
    inputs = np.zeros(population.size, dtype=np.uint64)
    parameters = Parameters()
    ids = parameters.bind(population.ids.of(rows), "Array(String)")
    # Superseded rows say the same. An index would be asked for every id and every granule.
    sql = f"""\
SELECT cityHash64(trace_id) AS key, cityHash64(request_preview) AS input
FROM traces
PREWHERE trace_id IN {ids}
WHERE deleted = 0 AND request_preview != ''
"""
    settings = {**SETTINGS, "use_skip_indexes": 0}
    table = store.query_table(sql, parameters.values, settings=settings)
    if table.num_columns and table.num_rows:
        keys = table.column("key").to_numpy().astype(np.uint64, copy=False)
        places = np.minimum(np.searchsorted(population.key, keys), population.size - 1)
        known = population.key[places] == keys
        found = table.column("input").to_numpy().astype(np.uint64, copy=False)
        inputs[places[known]] = np.maximum(found[known], 1)
    return inputs
