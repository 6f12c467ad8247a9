"""Rows of exported files: JSON lines, JSON documents, CSV, Parquet, each also as `.gz`.

A document is a list of rows, an object with such a list (`data`, `traces`, `spans`, …), or one row.
A line that can't be read is named with its number, and the next one is read. A JSON document is
held in memory whole; lines, CSV and Parquet are read piece by piece.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from whence.errors import InvalidInputError
from whence.moves.trace import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LISTS = ("data", "traces", "observations", "scores", "spans", "annotations", "rows", "result")
PARQUET = (".parquet", ".pq")
PARQUET_ROWS = 500
MAX_CELL_CHARS = 2**31 - 1
GZIP = ".gz"
# What files of these beginnings are, where their names say something else.
FOREIGN = {
    b"SQLite format 3\0": "a SQLite database: `whence import mlflow FILE` reads MLflow's",
    b"PAR1": "Parquet: its name must end in .parquet",
    b"\x1f\x8b": "gzip: its name must end in .gz",
    b"PK\x03\x04": "a zip archive: unpack it first",
}
NULLS = ("", "\\N")  # as databases write them to CSV
Row = dict[str, Any]


class Peekable(Protocol):
    """What tells its beginning without reading it."""

    def peek(self, size: int, /) -> bytes:
        """Return some bytes that come next."""


def read_rows(files: Sequence[str]) -> Iterator[tuple[str, Row] | Unreadable]:
    """Yield the rows of files with the place of each; `-` is stdin."""
    for file in files:
        with open_file(file) as stream:
            if _is_parquet(file):
                yield from _read_parquet(file, stream)
            elif file.removesuffix(GZIP).endswith(".csv"):
                yield from _read_csv(file, stream)
            else:
                yield from _read_json(file, stream)


@contextmanager
def open_file(file: str) -> Iterator[IO[bytes]]:
    """Open a file, gzip by its suffix; `-` is stdin. Raises InvalidInputError."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as plain:
            if file.endswith(GZIP):
                with gzip.open(plain) as stream:
                    _check_kind(file, stream)
                    yield stream  # type: ignore[misc]  # a GzipFile is an IO[bytes] in all but name
            else:
                _check_kind(file, plain)
                yield plain
    except FileNotFoundError:
        raise InvalidInputError(f"there is no file {file}") from None
    except IsADirectoryError:
        raise InvalidInputError(f"{file} is a folder: name the files in it") from None
    except PermissionError:
        raise InvalidInputError(f"{file} may not be read by this user") from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise InvalidInputError(f"{file} is broken gzip: {error}") from None


def _check_kind(file: str, stream: Peekable) -> None:
    head = stream.peek(16)
    for start, what in FOREIGN.items():
        if head.startswith(start) and not (start == b"PAR1" and _is_parquet(file)):
            raise InvalidInputError(f"{file} is {what}")


def _is_parquet(file: str) -> bool:
    return file.removesuffix(GZIP).endswith(PARQUET)


def _read_json(file: str, stream: IO[bytes]) -> Iterator[tuple[str, Row] | Unreadable]:
    first = b""
    number = 0
    for line in stream:
        number += 1
        first = line.strip()
        if first:
            break
    try:
        row = load(first) if first else None
    except ValueError:
        yield from _read_document(file, first, number, stream)
        return
    if isinstance(row, list):
        yield from _list_rows(file, row)
        return
    yield from _one_row(f"{file} line {number}", row)
    for line in stream:
        number += 1
        if not line.strip():
            continue
        place = f"{file} line {number}"
        try:
            yield from _one_row(place, load(line))
        except ValueError as error:
            yield Unreadable(place, f"it is no JSON: {error}")


def _read_document(
    file: str, first: bytes, number: int, stream: IO[bytes]
) -> Iterator[tuple[str, Row] | Unreadable]:
    """Read a document over many lines; where it is none, its lines; the first is broken."""
    rest = stream.read()
    try:
        document = load(first + b"\n" + rest)
    except ValueError as error:
        yield Unreadable(f"{file} line {number}", f"it is no JSON: {error}")
        for place, line in enumerate(rest.splitlines(), number + 1):
            if line.strip():
                try:
                    yield from _one_row(f"{file} line {place}", load(line))
                except ValueError as problem:
                    yield Unreadable(f"{file} line {place}", f"it is no JSON: {problem}")
        return
    yield from (
        _list_rows(file, document) if isinstance(document, list) else _one_row(file, document)
    )


def _list_rows(file: str, rows: list[Any]) -> Iterator[tuple[str, Row] | Unreadable]:
    for number, row in enumerate(rows, 1):
        yield from _one_row(f"{file} entry {number}", row)


def _one_row(place: str, row: Any) -> Iterator[tuple[str, Row] | Unreadable]:
    """Yield a row, or those of an envelope: an object without an id that holds a list."""
    if row is None:
        return
    if not isinstance(row, dict):
        yield Unreadable(place, f"an object is expected, not {type(row).__name__}")
        return
    if "id" not in row and "context" not in row:
        for name in LISTS:
            if isinstance(row.get(name), list) and len(row) <= len(LISTS):
                yield from _list_rows(f"{place} {name}", row[name])
                return
    yield place, row


def _read_csv(file: str, stream: IO[bytes]) -> Iterator[tuple[str, Row] | Unreadable]:
    csv.field_size_limit(MAX_CELL_CHARS)
    lines = (line.decode("utf-8-sig" if not number else "utf-8", "replace").replace("\0", "")
             for number, line in enumerate(stream))  # fmt: skip
    reader = csv.DictReader(lines)
    try:
        for number, row in enumerate(reader, 1):
            yield f"{file} row {number}", {key: _cell(text) for key, text in row.items() if key}
    except csv.Error as error:
        yield Unreadable(f"{file} line {reader.line_num}", f"it is no CSV: {error}")


def _cell(text: Any) -> Any:
    """Return a cell's value: what is JSON of an object or a list is decoded; '' and NULL absent."""
    if not isinstance(text, str) or text in NULLS:
        return None
    if text[0] in "{[" and text[-1] in "}]":
        try:
            return load(text.encode())
        except ValueError:
            return text
    return text


def _read_parquet(file: str, stream: IO[bytes]) -> Iterator[tuple[str, Row] | Unreadable]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InvalidInputError('Parquet needs pyarrow: pip install "whence[server]"') from None
    try:
        number = 0
        for batch in pq.ParquetFile(pa.PythonFile(stream)).iter_batches(PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"{file} row {number}", row
    except pa.ArrowInvalid as error:
        raise InvalidInputError(f"{file} is no Parquet: {error}") from None


def load(text: bytes) -> Any:
    """Decode JSON, also what Python alone writes (NaN). Raises ValueError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
