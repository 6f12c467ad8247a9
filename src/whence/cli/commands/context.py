"""`whence context`: what a program started here would record about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whence.cli.context_text import ABOUT, JSON_HELP, PLACE_HELP, PROGRAM_HELP
from whence.cli.frame import command

if TYPE_CHECKING:
    from whence.sdk.context.survey import Survey


def _run(
    place: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help=PLACE_HELP, show_default=False)
    ] = None,
    program: Annotated[
        str | None, typer.Option(metavar="FILE", help=PROGRAM_HELP, show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    from whence.cli.context_text import look, write_json, write_remarks

    found = look(place, program)
    if as_json:
        typer.echo(write_json(found))
        return
    _print_table(found)
    typer.echo(write_remarks(found), err=True)


def _print_table(found: Survey) -> None:
    from rich.text import Text

    from whence.cli.context_text import UNKNOWN, list_lines
    from whence.cli.results import new_table, print_table

    table = new_table("key", "value", "from")
    for line in list_lines(found):
        value = Text(UNKNOWN, style="dim") if line.value is None else Text(line.value)
        table.add_row(Text(line.key), value, Text("\n".join(line.notes)))
    print_table(table)


_run.__doc__ = ABOUT
command("context")(_run)
