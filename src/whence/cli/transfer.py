"""Files of traces: writing what a server has, sending what OTLP files hold."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whence.cli import moves
from whence.cli.frame import notes
from whence.cli.otlp_lines import write_line
from whence.cli.results import open_output, write_parquet
from whence.cli.terminal_text import escape_json, escape_line
from whence.moves.otlp_files import read_units
from whence.moves.otlp_sender import OtlpSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from whence.sdk.reading.client import Client


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


def import_files(client: Client, files: Sequence[str], options: moves.Options) -> None:
    """Send the requests of OTLP files (gzip by their suffix), or of stdin."""
    with (
        moves.open_report(options.report) as report,
        closing(OtlpSender(client, report)) as sender,
        _progress("importing", _measure(files)) as advance,
    ):
        sender.send_all(read_units(files, advance))
        judged = f", assessments: {report.counts.assessments}" if report.counts.assessments else ""
        moves.finish(report, f"requests sent: {sender.requests}{judged}", sent=sender.groups > 0)


def _measure(files: Sequence[str]) -> int | None:
    """Return how many bytes there are to read, where that can be known."""
    if any(file == "-" or file.endswith(".gz") for file in files):
        return None
    try:
        return sum(Path(file).stat().st_size for file in files)
    except OSError:
        return None


def _counted(infos: Iterable[Any], advance: Callable[[int], None]) -> Iterator[Any]:
    for info in infos:
        yield info
        advance(1)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal's stderr; yield what moves it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parts = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    out = notes()
    with Progress(*parts, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps: progress.advance(task, steps)
