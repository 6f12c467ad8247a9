"""`whence export` and `whence import`: traces as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids
from whence.errors import InvalidInputError

PARQUET_SUFFIXES = (".parquet", ".pq")
FILTER_AND_FILE = 2


@command("export")
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


@command("import")
def import_traces(
    file: Annotated[str, typer.Argument(help="OTLP/JSON, a request a line; - is stdin.")],
    url: Url = None,
) -> None:
    """Send the traces of a file that `whence export`, or an OTLP file exporter, wrote.

    Importing a file twice changes nothing: spans are known by their ids.
    """
    from whence.cli.transfer import import_lines
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        import_lines(client, file)
