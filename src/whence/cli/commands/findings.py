"""`whence findings`: what the server found worse by itself."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids, group
from whence.errors import InvalidInputError

findings = group("findings", "list", "Read and mark what the server found worse by itself.")

FindingId = Annotated[str, typer.Argument(metavar="FINDING_ID", help="fi-…")]


class Form(str, Enum):
    """The forms of findings."""

    TEXT = "text"
    JSON = "json"


class State(str, Enum):
    """What `--state` takes."""

    OPEN = "open"
    RESOLVED = "resolved"
    ENDED = "ended"
    ALL = "all"


Shape = Annotated[Form, typer.Option("--format", "-f", help="text or json.")]


@command("list", of=findings)
def run(
    environment: Annotated[
        str | None, typer.Option(help="Findings of this environment only.", show_default=False)
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of this version only.", show_default=False)
    ] = None,
    state: Annotated[State, typer.Option(help="open, resolved, ended or all.")] = State.OPEN,
    muted: Annotated[bool, typer.Option("--muted", help="Show muted findings too.")] = False,
    form: Shape = Form.TEXT,
    max_results: Annotated[
        int, typer.Option("--max-results", "-n", min=1, help="Most findings shown.")
    ] = 100,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """List regressions that the server found by itself, those last seen first."""
    from whence.cli.finding_output import print_findings
    from whence.cli.results import print_json
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import read_findings

    with Client(url) as client:
        found = read_findings(
            client,
            environment=environment,
            version=version,
            state=None if state is State.ALL else state.value,
            muted=None if muted else False,
            max_results=max_results,
            experiment_ids=experiment_ids(experiment),
        )
    if form is Form.JSON:
        print_json(found)
    else:
        print_findings(found)


@command("show", of=findings)
def show(finding_id: FindingId, form: Shape = Form.TEXT, url: Url = None) -> None:
    """Show one with its evidence: figures, spans, errors, traces to compare, history."""
    from whence.cli.finding_output import print_finding
    from whence.cli.results import print_json
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import read_finding

    with Client(url) as client:
        found = read_finding(client, finding_id)
    if form is Form.JSON:
        print_json(found)
    else:
        print_finding(found)


@command("mark", of=findings)
def mark(
    finding_id: FindingId,
    acknowledge: Annotated[
        bool | None,
        typer.Option("--acknowledge/--no-acknowledge", help="Somebody knows.", show_default=False),
    ] = None,
    mute: Annotated[
        bool | None,
        typer.Option("--mute/--unmute", help="Send no webhooks about it.", show_default=False),
    ] = None,
    note: Annotated[
        str | None, typer.Option(help="A text that stays with it.", show_default=False)
    ] = None,
    url: Url = None,
) -> None:
    """Acknowledge or mute a finding, or write a note to it."""
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import mark_finding

    if acknowledge is None and mute is None and note is None:
        raise InvalidInputError("nothing to do: give --acknowledge, --mute or --note")
    with Client(url) as client:
        mark_finding(client, finding_id, acknowledged=acknowledge, muted=mute, note=note)
