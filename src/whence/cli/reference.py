"""The command reference, docs/cli.md, made from the commands: `python -m whence.cli.reference`.

Every command's own help is the only text about it.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import typer.main

from whence.cli import load_commands
from whence.cli.frame import app

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING = """\
# Command line

<!-- Made from the commands by `python -m whence.cli.reference`; a test keeps it fresh. -->

`whence` reads over HTTP, as any client does. `--url` (or `WHENCE_URL`) names a server, or a store
directory, whose server is found or started; the default is `./.whence`. `WHENCE_API_KEY` is sent
where it is set. What a command prints on stdout is its result and nothing else: remarks and
progress go to stderr, colours only to a terminal.

What a terminal would obey in stored text (control characters, line ends inside a value, marks that
turn the direction of reading) is shown as an escape: `\\x1b`, `\\n`, `\\u202e`. CSV and
`whence diff` are escaped on a terminal only: a file or a pipe gets them as they are. JSON says the
same either way.

Exit codes: 0 done, 1 something failed, 2 the input was wrong (a filter, an option, a file), 3 done,
but not all of it: what is missing was named on stderr, 130 interrupted.

`whence import FILE` means `whence import otlp FILE`, `whence export FILE` means `whence export file
FILE`, `whence versions` means `whence versions list`.

| command | what it does |
|---|---|
"""


def write_reference() -> str:
    """Return the page."""
    load_commands()
    group: Any = typer.main.get_command(app)
    rows, sections = [], []
    for name, one in sorted(list_commands(group)):
        text = inspect.cleandoc(one.help or "")
        rows.append(
            f"| [`whence {name}`](#whence-{name.replace(' ', '-')}) | {text.splitlines()[0]} |"
        )
        sections.append(_describe_command(name, one, text))
    return OPENING + "\n".join(rows) + "\n" + "".join(sections)


def list_commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield commands by all their words."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from list_commands(one, f"{prefix}{name} ")
        else:
            yield prefix + name, one


def _describe_command(name: str, one: Any, text: str) -> str:
    arguments = [param for param in one.params if param.param_type_name == "argument"]
    options = [param for param in one.params if param.param_type_name == "option"]
    usage = " ".join(["whence", name, "[OPTIONS]", *(_metavar(param) for param in arguments)])
    lines = ["", f"## whence {name}", "", "```text", usage, "```", "", text, ""]
    if options or arguments:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [_row(_metavar(param), param) for param in arguments if param.help]
        lines += [_row(_option_name(param), param) for param in options]
    return "\n".join(lines).rstrip() + "\n"


def _metavar(param: Any) -> str:
    shown = param.metavar or param.name.upper() + ("..." if param.nargs == -1 else "")
    return str(shown) if param.required else f"[{shown}]"


def _option_name(param: Any) -> str:
    names = ", ".join(param.opts)
    return names if param.is_flag else f"{names} {param.metavar or param.name.upper()}"


def _row(name: str, param: Any) -> str:
    text = " ".join((param.help or "").split())
    if param.envvar:
        text += f" (`{param.envvar}`)"
    cells = (cell.replace("|", "\\|") for cell in (f"`{name}`", text))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(write_reference())
