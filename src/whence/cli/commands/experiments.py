"""`whence experiments`: what groups traces."""

from __future__ import annotations

from typing import Annotated

import typer

from whence.cli.frame import Url, command


@command("experiments")
def run(
    create: Annotated[
        str | None, typer.Option(metavar="NAME", help="Create this one (or get it) first.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = None,
) -> None:
    """List experiments."""
    from rich.text import Text

    from whence.cli.results import new_table, print_json, print_table, show
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        client.catch_up()
        if create is not None:
            client.call("POST", "/experiments", body={"name": create})
        experiments = client.call("GET", "/experiments")["experiments"]
    if as_json:
        print_json(experiments)
        return
    columns = ("experiment_id", "name", "lifecycle_stage")
    table = new_table(*columns)
    for one in experiments:
        table.add_row(*(Text(show(one[column])) for column in columns))
    print_table(table)
