"""`whence context`: what a program started here would record about itself."""

from __future__ import annotations

from typing import Annotated

import typer

from whence.cli.frame import command


@command("context")
def run(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the context that a program started here would record, and where each value comes from.

    Unknown keys come last, with what was looked at.
    """
    import msgspec

    from whence.sdk.context.process import describe

    entries = describe()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(entries)).decode())
        return
    from rich.text import Text

    from whence.cli.results import new_table, print_table

    table = new_table("key", "value", "from")
    for entry in entries:
        source = entry.source
        if entry.overridden:
            weaker = ", ".join(f"{one.source} {one.value!r}" for one in entry.overridden)
            source += f"; instead of {weaker}"
        if entry.value is None:
            table.add_row(
                Text(entry.key), Text("unknown", style="dim"), Text(f"looked at {source}")
            )
        else:
            table.add_row(Text(entry.key), Text(entry.value), Text(source))
    print_table(table)
