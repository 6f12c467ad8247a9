"""`whence tail`: traces as they come."""

from __future__ import annotations

from typing import Annotated

import typer

from whence.cli.frame import Experiments, FilterText, Url, command, experiment_ids

WIDTHS = {"time": 24, "state": 11, "duration_ms": 11, "name": 24, "environment": 12}
COLUMNS = (*WIDTHS, "app_version", "trace_id")


@command("tail")
def run(
    filter_string: FilterText = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON trace a line.")] = False,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Print traces as they are created or change, until Ctrl-C.

    Of a store directory it shows what the directory's server takes in.
    """
    import sys

    import msgspec

    from whence.cli.columns import value_of
    from whence.cli.events import follow
    from whence.cli.results import show
    from whence.cli.terminal_text import escape_json
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        query = [("filter", filter_string)]
        query += [("experiment_id", one) for one in experiment_ids(experiment)]
        for info in follow(client.server_url, query):
            if as_json:
                line = escape_json(msgspec.json.encode(info)).decode()
            else:
                cells = (
                    show(value_of(info, column)).ljust(WIDTHS.get(column, 0)) for column in COLUMNS
                )
                line = "  ".join(cells).rstrip()
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
