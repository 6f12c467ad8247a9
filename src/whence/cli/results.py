"""Writing a list of traces: as a table for people, as JSON, CSV or Parquet for programs.

JSON without chosen columns is the API's own trace. CSV writes maps and lists as JSON text and an
absent value as an empty field. Parquet keeps types: times and counts are int64, metadata and tags
maps, assessments JSON text. JSON and CSV are written while pages arrive. What a terminal would obey
is escaped in tables and JSON always, in CSV on a terminal; a file or a pipe gets CSV as it is.
"""

from __future__ import annotations

import csv
import io
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import msgspec

from whence.cli.columns import DERIVED, FIELDS, TABLE_COLUMNS, Info, read_columns, value_of
from whence.cli.formats import Format
from whence.cli.frame import PIPE_WIDTH, console
from whence.cli.terminal_text import escape_json, escape_line
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.table import Table

STATE_STYLES = {"OK": "green", "ERROR": "red", "IN_PROGRESS": "yellow"}
NUMBERS = {
    name
    for name in (*FIELDS, *DERIVED)
    if name.endswith(("_ms", "_ns", "_tokens", "_count", "_bytes", "_usd"))
}
MAPS = {"trace_metadata", "provenance", "tags"}
PARQUET_ROWS = 2_000  # rows of a row group, the most held in memory


def write_results(
    infos: Iterable[Info], form: Format, columns_text: str | None, output: Path | None
) -> None:
    """Write traces to a file or to stdout."""
    if form is Format.TABLE:
        write_table(infos, read_columns(columns_text, TABLE_COLUMNS), output)
    elif form is Format.JSON:
        columns = None if columns_text is None else read_columns(columns_text, FIELDS)
        with open_output(output) as stream:
            write_json(infos, columns, stream)
    elif form is Format.CSV:
        with open_output(output) as stream:
            write_csv(infos, read_columns(columns_text, FIELDS), stream)
    else:
        if output is None and sys.stdout.isatty():
            raise InvalidInputError("Parquet is no text for a terminal: name a file by --output")
        with open_output(output) as stream:
            write_parquet(infos, read_columns(columns_text, FIELDS), stream)


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """Open a file to write, or stdout; a file that can't be written is a wrong input."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        stream = path.open("wb")
    except OSError as error:
        raise InvalidInputError(f"can't write {path}: {error.strerror}") from None
    with stream:
        yield stream


def write_table(infos: Iterable[Info], columns: tuple[str, ...], output: Path | None) -> None:
    """Print a table; nothing but its head where there are no traces."""
    from rich.console import Console
    from rich.text import Text

    table = new_table()
    for column in columns:
        number = column in NUMBERS
        keep = column in {"trace_id", "state", "time"}
        table.add_column(Text(show(column)), justify="right" if number else "left", no_wrap=keep)
    for info in infos:
        values = [value_of(info, column) for column in columns]
        table.add_row(
            *(
                Text(show(value), style=STATE_STYLES.get(str(value), "") if name == "state" else "")
                for name, value in zip(columns, values, strict=True)
            )
        )
    if output is None:
        print_table(table)
        return
    paper = Console(file=io.StringIO(), width=PIPE_WIDTH)
    with paper.capture() as captured:
        paper.print(table)
    with open_output(output) as stream:
        stream.write(_without_padding(captured.get()).encode())


def new_table(*columns: str) -> Table:
    """Make an empty table in our looks."""
    from rich import box
    from rich.table import Table

    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def print_table(table: Table) -> None:
    """Print a table; where nobody looks at it, without spaces at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    sys.stdout.write(_without_padding(captured.get()))


def _without_padding(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def write_json(infos: Iterable[Info], columns: tuple[str, ...] | None, stream: IO[bytes]) -> None:
    """Write one JSON array, an element a line."""
    encode = msgspec.json.Encoder().encode
    stream.write(b"[")
    separator = b"\n"
    for info in infos:
        row = info if columns is None else {name: value_of(info, name) for name in columns}
        stream.write(separator + escape_json(encode(row)))
        separator = b",\n"
    stream.write(b"\n]\n")


def write_csv(infos: Iterable[Info], columns: tuple[str, ...], stream: IO[bytes]) -> None:
    """Write CSV (RFC 4180) with a head."""
    lines = csv.writer(_TextSink(stream))
    write = show_exactly if stream.isatty() else text_of
    lines.writerow([write(column) for column in columns])
    for info in infos:
        lines.writerow([write(value_of(info, column)) for column in columns])


def text_of(value: Any) -> str:
    """Return a value as exact text: '' for none, JSON for maps and lists."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def show(value: Any) -> str:
    """Return a value as people read it: floats in three digits, else its text on one line."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return show_exactly(value)


def show_exactly(value: Any) -> str:
    """Return a value as text on one line that a terminal doesn't obey."""
    return escape_line(text_of(value))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    document = escape_json(msgspec.json.format(msgspec.json.encode(value)))
    sys.stdout.write(document.decode() + "\n")


def write_parquet(infos: Iterable[Info], columns: tuple[str, ...], stream: IO[bytes]) -> None:
    """Write a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(column, _parquet_type(pa, column)) for column in columns])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for rows in _batched(infos, PARQUET_ROWS):
            arrays = {
                column: [_parquet_value(column, value_of(info, column)) for info in rows]
                for column in columns
            }
            writer.write_table(pa.table(arrays, schema=schema))


def _parquet_type(pa: Any, column: str) -> Any:
    if column in NUMBERS:
        return pa.float64() if column in {"cost_usd", "duration_ms"} else pa.int64()
    if column in MAPS:
        return pa.map_(pa.string(), pa.string())
    if column == "models":
        return pa.list_(pa.string())
    return pa.string()


def _parquet_value(column: str, value: Any) -> Any:
    if column in MAPS:
        return list(value.items())
    if column == "assessments":
        return msgspec.json.encode(value).decode()
    return value


def _batched(infos: Iterable[Info], size: int) -> Iterator[list[Info]]:
    rows: list[Info] = []
    for info in infos:
        rows.append(info)
        if len(rows) == size:
            yield rows
            rows = []
    if rows:
        yield rows


class _TextSink:
    """What `csv.writer` writes to: text in, UTF-8 out."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text.encode(errors="replace"))
