"""What all commands share: the application, their options, how they end.

Exit codes: 0 done, 1 something failed, 2 the input was wrong, 3 done but for what was named, 130
interrupted. An error of ours is one line on stderr; Ctrl-C and a closed pipe are silent. Output to
a pipe or a file is plain text.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from whence.cli.terminal_text import escape_line
from whence.errors import FilterError, InvalidInputError, WhenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

P = ParamSpec("P")
R = TypeVar("R")

FAILED, WRONG_INPUT, INCOMPLETE, INTERRUPTED = 1, 2, 3, 130
PIPE_WIDTH = 10_000  # a table that nobody looks at is not cut

app = typer.Typer(
    name="whence",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # loading rich for the help alone takes 170 ms
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"whence {version('whence')}")
        raise typer.Exit


@app.callback()
def _whence(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Find the code, the version and the environment that every GenAI trace came from."""


# --- Options that several commands take --------------------------------------------------------
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="WHENCE_URL",
        help="Server (http://host:port) or store directory. Default: ./.whence",
        show_default=False,
    ),
]
Experiments = Annotated[
    list[str] | None,
    typer.Option(
        "--experiment", "-e", help="Name or id; may be repeated. Default: all.", show_default=False
    ),
]
FilterText = Annotated[
    str, typer.Argument(metavar="FILTER", help="Such as: metadata.environment = 'production'")
]
TraceId = Annotated[str, typer.Argument(metavar="TRACE_ID", help="tr-… or 32 hex digits.")]


def experiment_ids(given: list[str] | None) -> list[str]:
    """Return the ids of experiments given by id (digits) or by name."""
    from whence.entities import experiment_id_of

    return [one if one.isdigit() else experiment_id_of(one) for one in given or ()]


def command(
    name: str, *, of: typer.Typer | None = None, refused: int | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a command, or one of a group's; its docstring is its help.

    `refused` is the exit code where it could not do what it is for, whatever the reason, in place
    of 1 and 2: a gate must not read a bug as a verdict.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        guarded = guard(function, refused)
        kind = None if refused is None else _exit_with(refused)
        (of or app).command(name, cls=kind)(guarded)
        return guarded

    return register


class _Group(TyperGroup):
    """Commands below one word; the one called `default` is meant where none is named."""

    default = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front where the first argument is no command."""
        known = (*self.commands, *ctx.help_option_names)
        if not args or args[0] not in known:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def group(name: str, default: str, about: str) -> typer.Typer:
    """Make a group of commands; `default` names the one that is meant where none is."""
    kind = type("Group", (_Group,), {"default": default})
    made = typer.Typer(cls=kind, rich_markup_mode=None)
    app.add_typer(made, name=name, help=about)
    return made


def _exit_with(code: int) -> type[TyperCommand]:
    """Return a kind of command whose wrong options end with this code, not with 2."""

    class Command(TyperCommand):
        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().make_context(*args, **kwargs)
            except Exception as error:
                if getattr(error, "exit_code", None) == WRONG_INPUT:
                    error.exit_code = code  # type: ignore[attr-defined] # a usage error has one
                raise

    return Command


def guard(function: Callable[P, R], refused: int | None = None) -> Callable[P, R]:
    """Return the function with the end that all commands share."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = function(*args, **kwargs)
            sys.stdout.flush()
        except WhenceError as error:
            fail(error, kwargs.get("filter_string"), refused)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except typer.Exit:
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                _let_pipe_close()
            if refused is not None:
                _tell_unforeseen(error)
                raise typer.Exit(refused) from None
            if isinstance(error, BrokenPipeError):
                raise typer.Exit(0) from None
            raise
        return result

    return run


@contextmanager
def writing() -> Iterator[None]:
    """Write to stdout within; a reader that stops reading does not end the command.

    For commands whose exit code says something: `whence compare … | head` keeps it.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _let_pipe_close()


def _let_pipe_close() -> None:
    """Send what is still to be written nowhere: what Python flushes at exit must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_unforeseen(error: Exception) -> None:
    """Say what stopped a command: in its own words where it has some, else where it came from."""
    formatted = getattr(error, "format_message", None)  # an error of the options
    if formatted is not None:
        typer.echo(f"whence: {escape_line(formatted())}", err=True)
    elif not isinstance(error, (BrokenPipeError, typer.Abort)):
        typer.echo("".join(traceback.format_exception(error)).rstrip(), err=True)


def fail(error: WhenceError, filter_string: Any = None, code: int | None = None) -> None:
    """Print an error and end the program. A wrong filter is shown with its place."""
    typer.echo(f"whence: {escape_line(error.message)}", err=True)
    column = error.column if isinstance(error, FilterError) else None
    if column and isinstance(filter_string, str) and "\n" not in filter_string:
        before = escape_line(filter_string[: column - 1])
        typer.echo(f"  {escape_line(filter_string)}\n  {' ' * len(before)}^", err=True)
    usual = WRONG_INPUT if isinstance(error, InvalidInputError) else FAILED
    raise typer.Exit(usual if code is None else code)


def console() -> Console:
    """Return the console for results: colours on a terminal only, and no cut lines elsewhere."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_text(text: str) -> None:
    """Print lines, whatever stdout can write."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # a terminal of few letters
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def notes() -> Console:
    """Return the console for progress and remarks: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)
