"""`whence demo`: real traces of three versions in three environments, and where to look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whence.cli.frame import command

if TYPE_CHECKING:
    from whence.sdk.reading.client import Client

COLUMNS = ("time", "name", "state", "duration_ms", "environment", "app_version", "session")
SEARCHES = (
    "metadata.environment = 'production'",
    "metadata.app_version >= '1.1.0' AND state = 'ERROR'",
    "metadata.`mlflow.trace.session` = '{session}'",
)


@command("demo")
def run(
    store: Annotated[Path, typer.Option(help="Directory of the store.")] = Path(".whence"),
    port: Annotated[int, typer.Option(help="Port; 0 picks a free one.")] = 4320,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the searches instead of serving on.")
    ] = False,
) -> None:
    """Record real traces of three versions in three environments, then serve them.

    Runs a small chat application as nine processes that send to the server; nothing leaves the
    machine. Version 1.1.0 is slower and fails more often, 1.1.1 is the same code as 1.1.0: see
    `whence compare`. The traces go to the experiment "demo" of the store. Ctrl-C ends the server.
    """
    from whence.demo.run import record_traces, serve
    from whence.sdk.reading.client import Client

    with serve(store, port) as (server, url):
        typer.echo(f"The server runs at {url}; recording three versions in three environments …")
        record_traces(url)
        with Client(url) as client:
            _show(client, url)
        if leave:
            return
        typer.echo("\nThe server runs on until Ctrl-C.")
        server.wait()


def _show(client: Client, url: str) -> None:
    from whence.cli.results import show, write_table
    from whence.entities import experiment_id_of

    demo = [experiment_id_of("demo")]
    traces = [one["info"] for one in client.iter_answers(experiment_ids=demo)]
    versions = sorted({show(info["app_version"]) for info in traces})
    environments = sorted({show(info["environment"]) for info in traces})
    typer.echo(
        f"{len(traces)} traces of {', '.join(versions)} in {', '.join(environments)}.\n\n"
        f"Look    {url}/\n"
        f'Python  WHENCE_URL={url} uv run python -c "import whence; '
        "whence.set_experiment('demo'); print(whence.search_traces(max_results=5))\"\n"
        f"Shell   uv run whence search --url {url} \"environment = 'production'\"\n"
        f"        uv run whence compare --url {url} --environment production "
        "--baseline 1.0.0 --candidate 1.1.0"
    )
    session = _longest_session(traces)
    for template in SEARCHES:
        text = template.format(session=session)
        found = [one["info"] for one in client.iter_answers(text, experiment_ids=demo)]
        typer.echo(f"\n{show(text)}\n{len(found)} traces, the newest:")
        write_table(found[:3], COLUMNS, None)


def _longest_session(traces: list[dict[str, Any]]) -> str:
    sessions = [str(info["session"]) for info in traces if info["session"]]
    return max(sorted(set(sessions)), key=sessions.count, default="")
