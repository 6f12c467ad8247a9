"""Files of traces: writing what a server has, sending what a file holds.

Lines are sent in requests of about `BATCH_BYTES`, one after another, each durable before the next
is sent; a request that the server finds too large is split. A server that is busy is asked again.
Limits: a line that alone is too large for the server ends the import, and names its number.
"""

from __future__ import annotations

import gzip
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from whence.cli.frame import notes
from whence.cli.otlp_lines import Extra, read_extra, write_line
from whence.cli.results import open_output, write_parquet
from whence.cli.terminal_text import escape_json, escape_line
from whence.errors import (
    InvalidInputError,
    MalformedPayloadError,
    PayloadTooLargeError,
    UnavailableError,
)
from whence.sdk.delivery.destination import Server, parse_destination
from whence.sdk.reading.http import HttpReader, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from whence.sdk.reading.client import Client

BATCH_BYTES = 4_000_000
ATTEMPTS = 8


class _Line(msgspec.Struct, rename="camel"):
    """A line's OTLP, as it lies."""

    resource_spans: list[msgspec.Raw] = []


class _Batch:
    """Lines that go in one request."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, list[msgspec.Raw], Extra]] = []
        self.size_bytes = 0


def export_lines(answers: Iterable[dict[str, Any]], path: Path | None, *, parquet: bool) -> None:
    """Write traces of the API to a file, or to stdout."""
    left_out = written = 0
    with open_output(path) as stream, _progress("exporting", None) as advance:
        if parquet:
            from whence.cli.columns import FIELDS

            write_parquet(_counted((one["info"] for one in answers), advance), FIELDS, stream)
            return
        for answer in answers:
            line = write_line(answer)
            if line is None:
                left_out += 1
                continue
            stream.write(escape_json(line) + b"\n")
            written += 1
            advance(1)
    if path is not None:
        notes().print(f"wrote {written} traces to {escape_line(str(path))}", soft_wrap=True)
    if left_out:
        notes().print(f"left out {left_out} traces whose ids OTLP can't say (not 32 hex digits)")


def import_lines(client: Client, file: str) -> None:
    """Send the lines of a file (gzip by its suffix), or of stdin."""
    server = parse_destination(client.server_url)
    if not isinstance(server, Server):
        raise InvalidInputError(f"{server} is no server")
    lines = judged = 0
    messages: list[str] = []
    with (
        _open_input(file) as (stream, total),
        HttpReader(server) as reader,
        _progress("importing", total) as advance,
    ):
        for batch in _batches(stream, advance):
            messages += _send(reader, batch.lines)
            lines += len(batch.lines)
            judged += _restore_assessments(client, batch)
    notes().print(f"sent {lines} lines" + (f" and {judged} assessments" if judged else ""))
    for message in messages:
        notes().print(f"refused: {escape_line(message)}", soft_wrap=True)


def _batches(stream: IO[bytes], advance: Callable[[int], None]) -> Iterator[_Batch]:
    batch = _Batch()
    for number, line in enumerate(stream, 1):
        if line.strip():
            batch.lines.append((number, *_read_line(line, number)))
            batch.size_bytes += len(line)
        advance(len(line))
        if batch.size_bytes >= BATCH_BYTES:
            yield batch
            batch = _Batch()
    if batch.lines:
        yield batch


def _read_line(line: bytes, number: int) -> tuple[list[msgspec.Raw], Extra]:
    try:
        return msgspec.json.decode(line, type=_Line).resource_spans, read_extra(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedPayloadError(f"line {number} is not OTLP/JSON: {error}") from None


def _send(reader: HttpReader, lines: list[tuple[int, list[msgspec.Raw], Extra]]) -> list[str]:
    """Send lines in one request, in halves where that is too large; return what was refused."""
    body = {"resourceSpans": [group for _, groups, _ in lines for group in groups]}
    try:
        answer = _ask_again(partial(reader.request, "POST", "/v1/traces", body=body))
    except PayloadTooLargeError as error:
        if len(lines) == 1:
            raise PayloadTooLargeError(f"line {lines[0][0]}: {error.message}") from None
        half = len(lines) // 2
        return _send(reader, lines[:half]) + _send(reader, lines[half:])
    except InvalidInputError as error:
        where = (
            f"lines {lines[0][0]} to {lines[-1][0]}" if len(lines) > 1 else f"line {lines[0][0]}"
        )
        raise MalformedPayloadError(f"{where}: {error.message}") from None
    message = (answer or {}).get("partialSuccess", {}).get("errorMessage", "")
    return [message] if message else []


def _restore_assessments(client: Client, batch: _Batch) -> int:
    count = 0
    for _, _, extra in batch.lines:
        # What an assessment overrides must be there before it.
        for one in sorted(extra.assessments, key=lambda one: one.get("create_time") or ""):
            path = "/traces" + path_of(extra.trace_id, "assessments")
            _ask_again(partial(client.call, "POST", path, body=one))
            count += 1
    return count


def _ask_again(ask: Callable[[], Any]) -> Any:
    """Ask a busy server again, after as long as it says."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except UnavailableError as error:  # noqa: PERF203 - it waits
            time.sleep(error.retry_after_s)
    return ask()


def _counted(infos: Iterable[Any], advance: Callable[[int], None]) -> Iterator[Any]:
    for info in infos:
        yield info
        advance(1)


@contextmanager
def _open_input(file: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a file, with its size where that tells how far the reading is."""
    if file == "-":
        yield sys.stdin.buffer, None
        return
    path = Path(file)
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                yield stream, None  # type: ignore[misc]  # a GzipFile is an IO[bytes] in all but name
        else:
            with path.open("rb") as plain:
                yield plain, path.stat().st_size
    except FileNotFoundError:
        raise InvalidInputError(f"there is no file {file}") from None


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal's stderr; yield what moves it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parts = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    out = notes()
    with Progress(*parts, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps: progress.advance(task, steps)
