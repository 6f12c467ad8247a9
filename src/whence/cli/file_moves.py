"""`whence import langfuse` and `phoenix`: rows of files, sent as traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from whence.cli import moves
from whence.moves.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from whence.moves.rows import Row
    from whence.moves.trace import Found, Unreadable
    from whence.sdk.reading.client import Client


class Reader(Protocol):
    """Makes traces of rows."""

    def read(self, rows: Iterable[tuple[str, Row] | Unreadable]) -> Iterator[Found]:
        """Yield traces, or parts of them."""


def import_rows(
    client: Client, reader: Reader, experiment: str, files: Sequence[str], report: Path | None
) -> None:
    """Take in files of one source."""
    with moves.open_report(report) as losses:
        moves.make_experiment(client, experiment, {}, losses)
        moves.send(client, reader.read(read_rows(files)), losses)
        moves.finish_traces(losses, "imported")
