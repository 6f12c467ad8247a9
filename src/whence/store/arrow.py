"""Rows as the bytes of an Arrow stream, which either engine reads and casts to its columns' types.

A field's annotation says which Arrow type it has, so nothing here knows a table or a codec. A text
that many rows share (`Repeated`, such as a resource) travels once, and a number for every row.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import msgspec
import pyarrow as pa

from whence.store.rows import Repeated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class _NoPandas:
    """A finder that says there is no pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _leave_pandas_out() -> None:
    """Let pyarrow believe that there is none: it would load it with the first array.

    That is half a second of the server's start, and 55 MB that nobody uses.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([""])
    finally:
        sys.meta_path.remove(_NoPandas)


_leave_pandas_out()

_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXTS = pa.map_(pa.string(), pa.string())
_REPEATED = pa.dictionary(pa.int32(), pa.string())
_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    Repeated: _REPEATED,
    int: pa.int64(),
    float: pa.float64(),
    dict[str, str]: _TEXTS,
    list[str]: pa.list_(pa.string()),
    list[tuple[str, int]]: pa.map_(pa.string(), pa.int64()),
}


def encode_rows(rows: Sequence[msgspec.Struct], *, without: Collection[str] = ()) -> pa.RecordBatch:
    """Return rows of one struct as an Arrow batch whose columns are the struct's fields.

    A lone surrogate in text, which no encoding can hold, becomes U+FFFD. Raises OverflowError,
    TypeError and ValueError where a value is not of its column's type.
    """
    try:
        return _encode_rows(rows, without)
    except UnicodeEncodeError:
        return _encode_rows([_replace_in_row(row) for row in rows], without)


def add_columns(
    batch: pa.RecordBatch, columns: Mapping[str, int | Sequence[int]]
) -> pa.RecordBatch:
    """Return a batch with further columns of integers; a single one stands for every row."""
    arrays = [
        pa.repeat(pa.scalar(given, pa.int64()), batch.num_rows)
        if isinstance(given, int)
        else pa.array(given, pa.int64())
        for given in columns.values()
    ]
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *arrays], names=[*batch.schema.names, *columns]
    )


def write_stream(batches: Sequence[pa.RecordBatch]) -> bytes:
    """Return the bytes of an Arrow stream that holds the rows of all batches as one block."""
    table = pa.Table.from_batches(_unify(batches)).combine_chunks()
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    encoded: bytes = stream.getvalue().to_pybytes()
    return encoded


# Settings under which the engine writes a stream that `read_stream` reads without copying texts.
AS_TABLE: dict[str, Any] = {
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_compression_method": "none",
}


def read_stream(stream: bytes) -> pa.Table:
    """Return the table that an Arrow stream holds; no bytes are a table without columns."""
    if not stream:
        return pa.table({})
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def _encode_rows(rows: Sequence[msgspec.Struct], without: Collection[str]) -> pa.RecordBatch:
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    arrays = {
        name: _encode_column(column, kind)
        for (name, kind), column in zip(_read_fields(type(rows[0])).items(), columns, strict=True)
        if name not in without
    }
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _replace_in_row(row: msgspec.Struct) -> msgspec.Struct:
    return type(row)(
        **{name: _replace_in(value) for name, value in msgspec.structs.asdict(row).items()}
    )


def _replace_in(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_replace_in(key): _replace_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_in(item) for item in value]
    return value


def _unify(batches: Sequence[pa.RecordBatch]) -> Sequence[pa.RecordBatch]:
    """Return batches of one schema: a number beyond int64 may have changed a column's type."""
    schemas = [batch.schema for batch in batches]
    if all(schema.equals(schemas[0]) for schema in schemas):
        return batches
    schema = pa.schema(
        [
            pa.field(
                field.name,
                pa.uint64()
                if any(one.field(place).type == pa.uint64() for one in schemas)
                else field.type,
            )
            for place, field in enumerate(schemas[0])
        ]
    )
    return [batch.cast(schema) for batch in batches]


@lru_cache(maxsize=64)
def _read_fields(row_type: type[msgspec.Struct]) -> dict[str, pa.DataType]:
    hints = get_type_hints(row_type, include_extras=True)
    return {name: _find_type(hints[name]) for name in row_type.__struct_fields__}


def _find_type(hint: Any) -> pa.DataType:
    if hint in _TYPES:
        return _TYPES[hint]
    (kind,) = (one for one in get_args(hint) if one is not type(None))
    return _TYPES[kind]


def _encode_column(column: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind is _TEXTS:
        return _flatten(column)
    if kind is _REPEATED:
        return _number(column)
    try:
        return pa.array(column, kind)
    except OverflowError:  # an unsigned number beyond int64
        return pa.array(column, pa.uint64())


def _number(column: Sequence[str]) -> pa.Array:
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(text, len(numbers)) for text in column]
    return pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int32()), pa.array(list(numbers), pa.string())
    )


def _flatten(maps: Sequence[dict[str, str]]) -> pa.Array:
    offsets = [0]
    keys: list[str] = []
    values: list[str] = []
    for texts in maps:
        keys += texts
        values += texts.values()
        offsets.append(len(keys))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(keys, pa.string()), pa.array(values, pa.string())
    )
