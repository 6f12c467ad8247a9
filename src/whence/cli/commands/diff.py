"""`whence diff`: what the code of a trace had that its commit has not."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whence.cli.frame import Url, command
from whence.cli.terminal_text import escape_lines


@command("diff")
def run(
    work_tree: Annotated[
        str,
        typer.Argument(
            metavar="HASH",
            help="The metadata whence.git.dirty_hash (40 hex digits), or a trace id (tr-…).",
        ),
    ],
    url: Url = None,
) -> None:
    """Print the stored diff of a dirty work tree, with its secrets masked.

    There is one if the program ran with WHENCE_STORE_DIFF=1 or configure(store_diff=True).
    """
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.documents import HASH, find_dirty_hash, read_diff

    with Client(url) as client:
        client.catch_up()
        found = work_tree if HASH.fullmatch(work_tree) else find_dirty_hash(client, work_tree)
        text = read_diff(client, found)
    # A file keeps the text as it is; a terminal must not obey what somebody's file holds.
    sys.stdout.write(escape_lines(text) if sys.stdout.isatty() else text)
