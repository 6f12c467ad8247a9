"""`whence timeline`: a metric over time, with versions and drift."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids


class Form(str, Enum):
    """What `--format` takes."""

    TEXT = "text"
    JSON = "json"


@command("timeline")
def run(
    metric: Annotated[
        str,
        typer.Argument(
            help="duration_p50, duration_p95, duration_p99, duration_mean, error_rate, "
            "total_tokens, cost_usd, span_count, traces, feedback.NAME, …"
        ),
    ] = "duration_p50",
    by: Annotated[
        str | None,
        typer.Option(
            help="A column for each environment, app_version, commit, branch, name, session, user "
            "or value of a metadata key. Default: all in one."
        ),
    ] = None,
    bucket: Annotated[
        str | None, typer.Option(help="30s, 5m, 1h, 1d, 1w. Default: what fits.")
    ] = None,
    environment: Annotated[str | None, typer.Option(help="Such as production.")] = None,
    filter_string: Annotated[
        str | None, typer.Option("--filter", help="Only traces that match this filter.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="The time until now: 30m, 12h, 7d, 2w. Default: all.")
    ] = None,
    groups: Annotated[int, typer.Option(help="Columns at most, those of most traces.")] = 8,
    form: Annotated[Form, typer.Option("--format", "-f", help="text or json.")] = Form.TEXT,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Draw a metric over time: when versions began, and where it moved without a release.

    Times are UTC. docs/timeline.md says what counts as drift.
    """
    from whence.cli.frame import print_text
    from whence.cli.results import print_json
    from whence.cli.timeline_text import write_timeline
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.comparisons import read_window
    from whence.sdk.reading.timeline import ask_timeline

    since_ms, until_ms = read_window(window)
    with Client(url) as client:
        client.catch_up()
        found = ask_timeline(
            client,
            metric=metric,
            by=by,
            bucket=bucket,
            environment=environment,
            filter=filter_string,
            since=since_ms,
            until=until_ms,
            groups=groups,
            experiment_id=experiment_ids(experiment) or None,
        )
    if form is Form.JSON:
        print_json(found)
    else:
        print_text(write_timeline(found))
