"""`whence export` and `whence import`: traces as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whence.cli.commands.imports import (  # noqa: TC001 - typer reads annotations
    CheckpointFile,
    Report,
    Restart,
)
from whence.cli.frame import Experiments, Url, command, experiment_ids, group
from whence.errors import InvalidInputError

PARQUET_SUFFIXES = (".parquet", ".pq")
FILTER_AND_FILE = 2


exports = group("export", "file", "Write traces to a file, or to another store.")


@command("file", of=exports)
def export_traces(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILTER] FILE", help="Which traces (default: all), and the file; - is stdout."
        ),
    ],
    experiment: Experiments = None,
    max_results: Annotated[
        int, typer.Option("--max-results", "-n", min=0, help="Most traces written; 0 writes all.")
    ] = 0,
    url: Url = None,
) -> None:
    """Write traces to a file: OTLP/JSON, a trace a line, or Parquet where FILE ends in .parquet.

    An OTLP file holds traces whole, with metadata, tags and assessments: any OTLP receiver reads
    it, and `whence import` restores the same traces. A Parquet file holds a row a trace, without
    spans.
    """
    from whence.cli.transfer import export_lines
    from whence.sdk.reading.client import Client

    if len(arguments) > FILTER_AND_FILE:
        raise InvalidInputError("export takes [FILTER] FILE: quote the filter as one argument")
    filter_string = arguments[0] if len(arguments) == FILTER_AND_FILE else ""
    path = None if arguments[-1] == "-" else Path(arguments[-1])
    with Client(url) as client:
        client.catch_up()
        is_parquet = path is not None and path.suffix in PARQUET_SUFFIXES
        answers = client.iter_answers(
            filter_string,
            experiment_ids=experiment_ids(experiment),
            max_results=max_results or None,
            include_spans=not is_parquet,
        )
        export_lines(answers, path, parquet=is_parquet)


@command("mlflow", of=exports)
def export_mlflow(
    server: Annotated[
        str, typer.Argument(metavar="SERVER", help="MLflow's address: http://host:port.")
    ],
    filter_string: Annotated[
        str, typer.Argument(metavar="FILTER", help="Which traces. Default: all.")
    ] = "",
    experiment: Experiments = None,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A date, a time, or how long ago: 7d.")
    ] = "",
    report: Report = None,
    checkpoint: CheckpointFile = None,
    restart: Restart = False,
    url: Url = None,
) -> None:
    """Write traces to an MLflow server, with spans, tags and assessments under the same ids.

    Running it again changes nothing but writes what is new, and goes on where an interrupted run
    stopped. Exits with 3 where MLflow could not take something: it is named.
    """
    from whence.cli import moves
    from whence.cli.mlflow_moves import run_export
    from whence.sdk.reading.client import Client

    options = moves.Options(report=report, checkpoint=checkpoint, restart=restart)
    with Client(url) as client:
        client.catch_up()
        ids = experiment_ids(experiment)
        run_export(client, server, filter_string, ids, since, options)
