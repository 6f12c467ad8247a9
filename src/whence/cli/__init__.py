"""The `whence` command.

A command is a function with `@command("name")` in a module below `commands/`; every module there is
loaded when the program starts, so they import at the top only what is light (typer, errors) and
everything else inside the function.
"""

from __future__ import annotations

import importlib
import pkgutil

from whence.cli import commands
from whence.cli.frame import app


def load_commands() -> None:
    """Import every module of commands, so that each adds what it has."""
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}")
    app.registered_commands.sort(key=lambda one: one.name or "")


def main() -> None:
    """Run the command line."""
    load_commands()
    app()
