"""`whence tag` and `whence delete`: what may change about stored traces."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whence.cli.frame import TraceId, Url, command
from whence.errors import InvalidInputError


@command("tag")
def tag(
    trace_id: TraceId,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="Tags to set.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Tag to delete; may be repeated.")
    ] = None,
    url: Url = None,
) -> None:
    """Set or delete tags of a trace. Tags are mutable, metadata is not."""
    from whence.sdk.reading.client import Client

    pairs = [one.partition("=") for one in tags or ()]
    wrong = [key for key, equals, _ in pairs if not equals or not key]
    if wrong:
        raise InvalidInputError(f"a tag is given as KEY=VALUE, not {wrong[0]!r}")
    if not pairs and not delete:
        raise InvalidInputError("nothing to do: give KEY=VALUE, or --delete KEY")
    with Client(url) as client:
        client.catch_up()
        for key, _, value in pairs:
            client.set_trace_tag(trace_id, key, value)
        for key in delete or ():
            client.delete_trace_tag(trace_id, key)


@command("delete")
def delete(
    trace_ids: Annotated[
        list[str], typer.Argument(metavar="TRACE_ID...", help="Traces to delete.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    url: Url = None,
) -> None:
    """Delete traces for good: spans, metadata, tags and assessments.

    A late retry of a deleted trace is not stored either.
    """
    from whence.sdk.reading.client import Client

    count = f"{len(trace_ids)} trace{'s' if len(trace_ids) > 1 else ''}"
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInputError(f"deleting {count} asks for a yes: add --yes")
        if not typer.confirm(f"Delete {count} for good?", err=True):
            raise typer.Exit(1)
    with Client(url) as client:
        client.catch_up()
        typer.echo(f"deleted {client.delete_traces(trace_ids)} of {count}")
