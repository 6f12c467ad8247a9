"""`whence versions`: the versions that traces name; `whence versions diff`: what changed."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids, group

versions = group("versions", "list", "List versions, and say what changed between two.")

Environment = Annotated[
    str | None, typer.Option(help="Traces of this environment only.", show_default=False)
]
VersionName = Annotated[
    str,
    typer.Argument(help="An app version, or the first 7 digits of a commit or manifest."),
]


class TableFormat(str, Enum):
    """The forms of a list of versions."""

    TABLE = "table"
    JSON = "json"


class DiffFormat(str, Enum):
    """The forms of a comparison."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@command("list", of=versions)
def run(
    environment: Environment = None,
    form: Annotated[
        TableFormat, typer.Option("--format", "-f", help="table or json.")
    ] = TableFormat.TABLE,
    without_quality: Annotated[
        bool,
        typer.Option("--no-quality", help="Leave the means of feedback out: they take longest."),
    ] = False,
    max_results: Annotated[
        int, typer.Option("--max-results", "-n", min=1, help="Most rows shown.")
    ] = 100,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """List versions by environment, the newest first.

    Versions stand in the order of their commits where that is known, else of their version numbers,
    else of first sight. `whence versions diff A B` says what changed between two.
    """
    from whence.cli.results import print_json
    from whence.cli.version_table import print_versions
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.versions import read_versions

    with Client(url) as client:
        client.catch_up()
        rows = read_versions(
            client,
            environment=environment,
            by="environment",
            quality=not without_quality,
            max_versions=max_results,
            experiment_id=experiment_ids(experiment) or None,
        )
    if form is TableFormat.JSON:
        print_json(rows)
    else:
        print_versions(rows)


@command("diff", of=versions)
def run_diff(
    before: VersionName,
    after: VersionName,
    environment: Environment = None,
    form: Annotated[
        DiffFormat, typer.Option("--format", "-f", help="text, markdown or json.")
    ] = DiffFormat.TEXT,
    repository: Annotated[
        str,
        typer.Option(help="A folder of the code's git repository: authors and files of commits."),
    ] = ".",
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Say what changed from one version to another.

    Compared are commits, dependencies, prompts, models (declared and seen), parameters and where
    the versions run.
    """
    from whence.cli.frame import print_text
    from whence.cli.results import print_json
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.versions import read_diff

    with Client(url) as client:
        client.catch_up()
        found = read_diff(
            client,
            before,
            after,
            repository=repository,
            environment=environment,
            experiment_id=experiment_ids(experiment) or None,
        )
    if form is DiffFormat.JSON:
        print_json(found)
    else:
        print_text(found.to_text() if form is DiffFormat.TEXT else found.to_markdown())
