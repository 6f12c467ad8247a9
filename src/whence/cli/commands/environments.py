"""`whence environments`: a version in each environment, and what looks mislabelled."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids


class Form(str, Enum):
    """What `--format` takes."""

    TEXT = "text"
    JSON = "json"


@command("environments")
def run(
    app_version: Annotated[
        str | None,
        typer.Option(
            "--app-version",
            metavar="V",
            help="An app version, or the first 7 digits of a commit or manifest. Default: all.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="The time until now: 30m, 12h, 7d, 2w. Default: all.")
    ] = None,
    without_quality: Annotated[
        bool, typer.Option("--no-quality", help="Leave the means of feedback out.")
    ] = False,
    without_hints: Annotated[
        bool, typer.Option("--no-hints", help="Do not look for mislabelled traffic.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", "-f", help="text or json.")] = Form.TEXT,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Put environments side by side, and hint at traffic that looks mislabelled.

    Every hint comes with the filter that gives its traces. docs/environments.md says what is
    looked for.
    """
    from whence.cli.environments_text import write_environments
    from whence.cli.frame import print_text
    from whence.cli.results import print_json
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.comparisons import read_window
    from whence.sdk.reading.environments import ask_environments

    since_ms, until_ms = read_window(window)
    with Client(url) as client:
        client.catch_up()
        found = ask_environments(
            client,
            version=app_version,
            since=since_ms,
            until=until_ms,
            quality=str(not without_quality).lower(),
            hints=str(not without_hints).lower(),
            experiment_id=experiment_ids(experiment) or None,
        )
    if form is Form.JSON:
        print_json(found)
    else:
        print_text(write_environments(found))
