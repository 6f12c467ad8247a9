"""`whence diff`: two traces side by side, or what a trace's code had that its commit has not."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whence.cli.frame import Url, command
from whence.cli.terminal_text import escape_lines


@command("diff")
def run(
    trace: Annotated[
        str,
        typer.Argument(
            metavar="TRACE_ID",
            help="A trace id (tr-…); alone also a whence.git.dirty_hash (40 hex digits).",
        ),
    ],
    candidate: Annotated[
        str | None,
        typer.Argument(metavar="CANDIDATE_ID", help="The trace to compare the first one with."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the API's JSON (of two traces).")
    ] = False,
    url: Url = None,
) -> None:
    """Compare two traces span by span; of one trace, print the diff of its work tree.

    Spans are matched by their path. A work tree's diff is stored, with its secrets masked, if the
    program ran with WHENCE_STORE_DIFF=1 or configure(store_diff=True).
    """
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.documents import HASH, find_dirty_hash, read_diff

    with Client(url) as client:
        client.catch_up()
        if candidate is not None:
            from whence.cli.trace_diff_text import write_trace_diff
            from whence.sdk.reading.comparisons import ask_trace_diff

            write_trace_diff(ask_trace_diff(client, trace, candidate), as_json=as_json)
            return
        found = trace if HASH.fullmatch(trace) else find_dirty_hash(client, trace)
        text = read_diff(client, found)
    # A file keeps the text as it is; a terminal must not obey what somebody's file holds.
    sys.stdout.write(escape_lines(text) if sys.stdout.isatty() else text)
