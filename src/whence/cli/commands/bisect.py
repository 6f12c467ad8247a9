"""`whence bisect`: the first version at which a metric moved."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids

UNDECIDED, REFUSED = 2, 3
EXIT_CODES = {"found": 0, "not moved": 1}
Name = "An app version, or a commit (7 hex digits or more)."


class Form(str, Enum):
    """What `--format` takes."""

    TEXT = "text"
    JSON = "json"


@command("bisect", refused=REFUSED)
def run(
    good: Annotated[str, typer.Option(metavar="A", help=Name)],
    bad: Annotated[str, typer.Option(metavar="B", help=f"{Name} The later one.")],
    metric: Annotated[
        str, typer.Option(help="As in compare: duration, duration_p95, error_rate, cost_usd, …")
    ] = "duration",
    environment: Annotated[str | None, typer.Option(help="Such as production.")] = None,
    filter_string: Annotated[
        str | None, typer.Option("--filter", help="Only traces that match this filter.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="The time until now: 30m, 12h, 7d, 2w. Default: all.")
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="What is too little to matter; repeat."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Strata, separated by commas. Default: environment,name,input_size."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", "-f", help="text or json.")] = Form.TEXT,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Find the first version (or commit) between A and B at which a metric moved.

    Looks at traces already recorded; nothing is run. Exit codes: 0 found (with 95 %), 1 the metric
    did not move from A to B, 2 too few traces to name one version, 3 nothing was looked at (a wrong
    option or version, no server). docs/bisect.md says how to read the result.
    """
    from whence.cli.bisection_text import write_bisection
    from whence.cli.frame import print_text
    from whence.cli.margins import read_margins
    from whence.cli.results import print_json
    from whence.sdk.reading.bisection import ask_bisection
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.comparisons import read_window

    since_ms, until_ms = read_window(window)
    with Client(url) as client:
        client.catch_up()
        found = ask_bisection(
            client,
            margins=read_margins(margin),
            by=[one.strip() for one in (by or "").split(",") if one.strip()],
            good=good,
            bad=bad,
            metric=metric,
            environment=environment,
            filter=filter_string,
            since=since_ms,
            until=until_ms,
            experiment_id=experiment_ids(experiment) or None,
        )
    if form is Form.JSON:
        print_json(found)
    else:
        print_text(write_bisection(found))
    raise typer.Exit(EXIT_CODES.get(found.outcome, UNDECIDED))
