"""`whence stamp`: write down which code this is, where an image is built."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from whence.cli.frame import command
from whence.cli.stamp_options import ABOUT, HELP, METAVARS, StampOptions, write_option


def _option(name: str) -> Any:
    """Make an option as the plain command line has it."""
    return typer.Option(
        write_option(name), metavar=METAVARS.get(name), help=HELP[name], show_default=False
    )


def _run(
    output: Annotated[str, _option("output")] = "",
    app_version: Annotated[str, _option("app_version")] = "",
    commit: Annotated[str, _option("commit")] = "",
    branch: Annotated[str, _option("branch")] = "",
    url: Annotated[str, _option("url")] = "",
    environment: Annotated[str, _option("environment")] = "",
    metadata: Annotated[list[str] | None, _option("metadata")] = None,
    print_only: Annotated[bool, _option("print_only")] = False,
    allow_empty: Annotated[bool, _option("allow_empty")] = False,
) -> None:
    from whence.cli.stamp import run_stamp

    run_stamp(
        StampOptions(
            output=output,
            app_version=app_version,
            commit=commit,
            branch=branch,
            url=url,
            environment=environment,
            metadata=tuple(metadata or ()),
            print_only=print_only,
            allow_empty=allow_empty,
        )
    )


_run.__doc__ = ABOUT
command("stamp")(_run)
