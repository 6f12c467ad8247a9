"""The `whence` command.

A command is a function with `@command("name")` in a module below `commands/`; every module there is
loaded when the program starts, so they import at the top only what is light (typer, errors) and
everything else inside the function. Without the libraries of the `server` extra, `light` runs the
two commands that need none.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from importlib.util import find_spec

LIBRARIES = ("typer", "rich")


def load_commands() -> None:
    """Import every module of commands, so that each adds what it has."""
    from whence.cli import commands
    from whence.cli.frame import app

    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}")
    app.registered_commands.sort(key=lambda one: one.name or "")
    app.registered_groups.sort(key=lambda one: one.name or "")


def main() -> None:
    """Run the command line."""
    if not all(find_spec(name) for name in LIBRARIES):
        from whence.cli import light

        sys.exit(light.main(sys.argv[1:]))
    load_commands()
    from whence.cli.frame import app

    app()
