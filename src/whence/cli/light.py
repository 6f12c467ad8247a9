"""The command line of the plain install: `whence stamp` and `whence context`, without typer.

`pip install whence` brings no libraries for a command line, and an image that runs an application
needs none. The other commands read from a server; here they say what to install. The options are
those of the full command line, which a test holds together.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from whence.cli import context_text, stamp_options
from whence.cli.stamp_options import StampOptions
from whence.cli.terminal_text import escape_line
from whence.errors import InvalidInputError, WhenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
ABOUT = "Find the code, the version and the environment that every GenAI trace came from."
MORE = """The other commands (server, search, show, …) need: pip install "whence[server]\""""


def main(arguments: Sequence[str]) -> int:
    """Run a command and return the exit code, the full command line's."""
    parser = build_parser()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        sys.stderr.write(f"whence: {arguments[0]!r} is not in the plain install. {MORE}\n")
        return WRONG_INPUT
    given = parser.parse_args(list(arguments))
    if given.command is None:
        parser.print_help(sys.stderr)
        return WRONG_INPUT
    try:
        COMMANDS[given.command](given)
    except WhenceError as error:
        sys.stderr.write(f"whence: {escape_line(error.message)}\n")
        return WRONG_INPUT if isinstance(error, InvalidInputError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands of the plain install."""
    parser = argparse.ArgumentParser("whence", description=ABOUT, epilog=MORE, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"whence {_find_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_stamp(commands)
    _add_context(commands)
    return parser


def _find_version() -> str:
    try:
        return version("whence")
    except PackageNotFoundError:  # a tree that nobody installed
        return "(not installed)"


def _add_stamp(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = stamp_options.ABOUT
    parser = commands.add_parser(
        "stamp", help=about.splitlines()[0], description=about, allow_abbrev=False
    )
    for name, text in stamp_options.HELP.items():
        option = stamp_options.write_option(name)
        metavar = stamp_options.METAVARS.get(name)
        if metavar is None:
            parser.add_argument(option, dest=name, action="store_true", help=text)
        elif name == "metadata":
            parser.add_argument(option, action="append", default=[], metavar=metavar, help=text)
        else:
            parser.add_argument(option, default="", metavar=metavar, help=text)


def _add_context(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = context_text.ABOUT
    parser = commands.add_parser(
        "context", help=about.splitlines()[0], description=about, allow_abbrev=False
    )
    parser.add_argument("place", nargs="?", metavar="PATH", help=context_text.PLACE_HELP)
    parser.add_argument("--program", metavar="FILE", help=context_text.PROGRAM_HELP)
    parser.add_argument("--json", dest="as_json", action="store_true", help=context_text.JSON_HELP)


def _stamp(given: argparse.Namespace) -> None:
    from whence.cli.stamp import run_stamp

    values = {name: getattr(given, name) for name in stamp_options.HELP}
    run_stamp(StampOptions(**{**values, "metadata": tuple(values["metadata"])}))


def _context(given: argparse.Namespace) -> None:
    found = context_text.look(given.place, given.program)
    if given.as_json:
        sys.stdout.write(context_text.write_json(found) + "\n")
        return
    sys.stdout.write(context_text.write_text(found))
    sys.stderr.write(context_text.write_remarks(found) + "\n")


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {"stamp": _stamp, "context": _context}
