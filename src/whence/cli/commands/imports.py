"""`whence import`: traces of other stores, and of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whence.cli.frame import Url, command, group

imports = group("import", "otlp", "Take in traces of other stores, and of files.")

Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write what could not be moved, a JSON line each."
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Where to note how far it came. Default: below ~/.local/state/whence.",
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew, where an interrupted run would go on.")
]


@command("mlflow", of=imports)
def import_mlflow(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="http://host:port, sqlite:///mlflow.db, postgresql://…, mysql+pymysql://….",
        ),
    ],
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            "--experiment",
            "-e",
            metavar="NAME_OR_ID",
            help="Of the source; may be repeated. Default: all.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A date, a time, or how long ago: 7d.")
    ] = "",
    artifacts: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The folder that mlflow-artifacts: stands for, where a database is read.",
        ),
    ] = None,
    report: Report = None,
    checkpoint: CheckpointFile = None,
    restart: Restart = False,
    url: Url = None,
) -> None:
    """Take in the traces of MLflow, from its server or straight from its database.

    Ids, times, states, metadata, tags, spans and assessments stay as they are there; experiments
    keep their names. Running it again changes nothing but takes in what is new, and goes on where
    an interrupted run stopped. Exits with 3 where something could not be read: it is named.
    """
    from whence.cli import moves
    from whence.cli.mlflow_moves import run_import
    from whence.moves.selection import Selection, read_since
    from whence.sdk.reading.client import Client

    options = moves.Options(report=report, checkpoint=checkpoint, restart=restart)
    read_since(since)  # a wrong one is refused before anything is opened
    selection = Selection(experiments=tuple(experiment or ()), since=since)
    with Client(url) as client:
        run_import(client, source, selection, artifacts, options)


Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Also .gz; - is stdin.")]
Into = Annotated[
    str, typer.Option("--experiment", "-e", metavar="NAME", help="What the traces come into.")
]


@command("otlp", of=imports)
def import_otlp(files: Files, report: Report = None, url: Url = None) -> None:
    """Send OTLP files: of `whence export`, of a collector's file exporter, saved requests.

    JSON, a request a line or one document, or protobuf, one request or many with their lengths.
    Importing a file twice changes nothing: spans are known by their ids. Exits with 3 where
    something could not be read: it is named.
    """
    from whence.cli import moves
    from whence.cli.transfer import import_files
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        import_files(client, files, moves.Options(report=report))


@command("langfuse", of=imports)
def import_langfuse(
    files: Files, experiment: Into = "Langfuse", report: Report = None, url: Url = None
) -> None:
    """Take in Langfuse's exports: traces, observations and scores, as its API or a bucket has them.

    JSON, JSON lines or CSV, in any mixture and order. Importing them twice changes nothing. Exits
    with 3 where something could not be read: it is named.
    """
    from whence.cli.file_moves import import_rows
    from whence.moves.langfuse import Reader
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        import_rows(client, Reader(experiment), experiment, files, report)


@command("phoenix", of=imports)
def import_phoenix(
    files: Files, experiment: Into = "Phoenix", report: Report = None, url: Url = None
) -> None:
    """Take in Phoenix's exports: spans and annotations, of its API or as a dataframe's file.

    JSON, JSON lines, CSV or Parquet, in any mixture and order. Importing them twice changes
    nothing. Exits with 3 where something could not be read: it is named.
    """
    from whence.cli.file_moves import import_rows
    from whence.moves.phoenix import Reader
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        import_rows(client, Reader(experiment), experiment, files, report)
