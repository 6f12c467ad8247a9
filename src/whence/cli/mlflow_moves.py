"""`whence import mlflow` and `whence export mlflow`: which reader or writer, and their bars."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence.cli import moves
from whence.cli.frame import notes
from whence.cli.terminal_text import escape_line
from whence.errors import InvalidInputError
from whence.moves.address import hide_password
from whence.moves.mlflow.artifacts import Artifacts
from whence.moves.mlflow.connection import SQLITE, connect
from whence.moves.mlflow.database import DatabaseReader
from whence.moves.mlflow.rest import ServerReader
from whence.moves.mlflow.server import V3, MlflowServer
from whence.moves.mlflow.writer import Writer, pages_of
from whence.moves.selection import read_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whence.moves.mlflow.connection import Connection
    from whence.moves.mlflow.database import Experiment
    from whence.moves.selection import Selection
    from whence.sdk.reading.client import Client

HTTP = ("http://", "https://")
PAGE = 100  # traces of one page, written together
EVERYTHING = "traces"


def run_import(
    client: Client,
    source: str,
    selection: Selection,
    artifacts: Path | None,
    options: moves.Options,
) -> None:
    """Take in the traces of an MLflow server or database."""
    destination = client.server_url
    move = {"from": hide_password(source), "to": destination, **msgspec.structs.asdict(selection)}
    checkpoint = moves.open_checkpoint(options, _plain(move), moves.has_trace(client))
    with (
        moves.open_report(options.report, checkpoint) as report,
        _reading(source, destination, selection, artifacts) as it,
    ):
        if it.left_out:
            shown = ", ".join(escape_line(name) for name in it.left_out)
            notes().print(f"left out, because they were deleted there: {shown}", soft_wrap=True)
        _check_found(selection, it.experiments)
        total = it.count()
        for one in it.experiments:
            moves.make_experiment(client, one.name, one.tags, report)
        found = it.read(checkpoint.progress.places)
        moves.send(client, found, report, total=total, checkpoint=checkpoint)
        moves.finish_traces(report, "imported", checkpoint)


def run_export(
    client: Client,
    address: str,
    filter_string: str,
    experiments: Sequence[str],
    since: str,
    options: moves.Options,
) -> None:
    """Write traces to an MLflow server, oldest first."""
    if not address.startswith(HTTP):
        raise InvalidInputError(
            f"{hide_password(address)!r} is no MLflow server (http://host:port): its database is "
            "not written to"
        )
    server = MlflowServer(address)
    if server.address == client.server_url:
        raise InvalidInputError(f"{server.address} is the Whence server that is exported from")
    move = {
        "from": client.server_url,
        "to": server.address,
        "filter": filter_string,
        "experiments": list(experiments),
        "since": since,
    }

    def exists(trace_id: str) -> bool:
        body = {"trace_ids": [trace_id]}
        return bool(server.ask("POST", f"{V3}/traces/batchGetInfos", body=body).get("trace_infos"))

    checkpoint = moves.open_checkpoint(options, move, exists)
    time_ms = checkpoint.place(EVERYTHING) or read_since(since)
    text = _after(filter_string, time_ms)
    with moves.open_report(options.report, checkpoint) as report, closing(server):
        writer = Writer(server, report)
        for one in client.search_experiments():
            if not experiments or one.experiment_id in experiments:
                writer.make_experiment(one)
        answers = client.iter_answers(
            text, experiment_ids=experiments, order_by=["timestamp ASC"], include_spans=True
        )
        with moves.show_progress("exporting", None) as advance:
            for page in pages_of(answers, PAGE):
                written = writer.write(page)
                advance(len(page))
                last_ms = page[-1]["info"]["request_time_ms"]
                checkpoint.reach({EVERYTHING: last_ms}, written, report.counts)
        moves.finish_traces(report, "exported", checkpoint)


def _after(filter_string: str, time_ms: int | None) -> str:
    if time_ms is None:
        return filter_string
    clause = f"timestamp_ms >= {time_ms}"
    return f"({filter_string}) AND {clause}" if filter_string.strip() else clause


@contextmanager
def _reading(
    source: str, destination: str, selection: Selection, artifacts: Path | None
) -> Iterator[DatabaseReader | ServerReader]:
    if source.startswith(HTTP):
        if artifacts is not None:
            raise InvalidInputError("--artifacts is for databases: a server reads its own files")
        server = MlflowServer(source)
        if server.address == destination:
            raise InvalidInputError(f"{destination} is the Whence server that is imported into")
        with closing(ServerReader(server, selection)) as reader:
            yield reader
        return
    with closing(_open(source)) as connection:
        yield DatabaseReader(connection, selection, Artifacts(artifacts))


def _open(source: str) -> Connection:
    """Open a source by its address, or by a SQLite file's path."""
    if "://" in source:
        return connect(source)
    path = Path(source)
    if path.is_dir():
        raise InvalidInputError(
            f"{source} is a folder: start `mlflow server --backend-store-uri {source}` and import "
            "from its address"
        )
    return connect(SQLITE + str(path))


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _check_found(selection: Selection, found: list[Experiment]) -> None:
    known = {text for one in found for text in (one.id, one.name)}
    missing = [one for one in selection.experiments if one not in known]
    if missing:
        raise InvalidInputError(f"the source has no experiment {missing[0]!r}")
