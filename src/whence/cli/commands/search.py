"""`whence search`: find traces."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from whence.cli.formats import Format
from whence.cli.frame import Experiments, FilterText, Url, command, experiment_ids

DEFAULT_MAX_RESULTS = 100


@command("search")
def run(
    filter_string: FilterText = "",
    form: Annotated[
        Format, typer.Option("--format", "-f", help="table, json, csv or parquet.")
    ] = Format.TABLE,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns, separated by commas: fields of a trace, metadata.<key>, tags.<key>."
        ),
    ] = None,
    order_by: Annotated[
        list[str] | None,
        typer.Option(help="Such as 'execution_time_ms DESC'; may be repeated. Default: newest."),
    ] = None,
    max_results: Annotated[
        int, typer.Option("--max-results", "-n", min=0, help="Most traces shown; 0 shows all.")
    ] = DEFAULT_MAX_RESULTS,
    experiment: Experiments = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")
    ] = None,
    url: Url = None,
) -> None:
    """Find traces by a filter, newest first.

    The filter language is described in docs/filter-language.md. Without a filter all traces match.
    """
    from whence.cli.columns import read_columns
    from whence.cli.results import write_results
    from whence.sdk.reading.client import Client

    read_columns(columns, ())  # a wrong name is told before anything is asked
    with Client(url) as client:
        client.catch_up()
        answers = client.iter_answers(
            filter_string,
            experiment_ids=experiment_ids(experiment),
            order_by=order_by or (),
            max_results=max_results or None,
        )
        write_results((one["info"] for one in answers), form, columns, output)
