"""`whence server`: the process that holds the store."""

from __future__ import annotations

from typing import Annotated

import typer

from whence.cli.frame import command


@command("server")
def run(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. Default: WHENCE_HOST or 127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 picks a free one. Default: WHENCE_PORT or 4320"),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Directory, or clickhouse://user:pass@host:8123/db. "
            "Default: WHENCE_STORE or ./.whence"
        ),
    ] = None,
    idle_exit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Exit after so many seconds without work."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="Key that clients must send. Safer in WHENCE_API_KEY."),
    ] = None,
) -> None:
    """Run the server: it holds the store, takes traces in and answers questions.

    Every other setting is an environment variable: see docs/server.md.
    """
    from whence.server.run import run_server
    from whence.server.settings import load_settings

    run_server(
        load_settings(host=host, port=port, store=store, idle_exit_s=idle_exit, api_key=api_key)
    )
