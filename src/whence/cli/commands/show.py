"""`whence show`: one trace."""

from __future__ import annotations

from typing import Annotated

import typer

from whence.cli.frame import TraceId, Url, command


@command("show")
def run(
    trace_id: TraceId,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's JSON.")] = False,
    url: Url = None,
) -> None:
    """Show a trace: its spans as a tree with durations, then its metadata and tags."""
    from whence.cli.results import print_json
    from whence.sdk.reading.client import Client

    with Client(url) as client:
        client.catch_up()
        trace = client.read_trace(trace_id)
    if as_json:
        print_json(trace)
        return
    from whence.cli.frame import console
    from whence.cli.tree import print_trace

    print_trace(trace, console())
