"""`whence compare`: is the candidate worse than the baseline? For people, pull requests and CI."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from whence.cli.frame import Experiments, Url, command, experiment_ids, writing

if TYPE_CHECKING:
    from whence.entities.comparison import Comparison

REGRESSED, INCONCLUSIVE, REFUSED = 1, 2, 3


class Form(str, Enum):
    """What `--format` takes."""

    TEXT = "text"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    JSON = "json"


class FailOn(str, Enum):
    """What `--fail-on` takes."""

    REGRESSED = "regressed"
    NEVER = "never"


Baseline = Annotated[
    str | None,
    typer.Option(
        help="A version, commit, manifest, branch or filter. Default: the nearest version in the "
        "candidate's history, else the one before it."
    ),
]
Candidate = Annotated[
    str | None,
    typer.Option(
        help="A version, commit, manifest, branch or filter. Default: the newest version."
    ),
]
Environment = Annotated[
    str | None, typer.Option(help="Such as production. Default: all, as strata.")
]
OnlyMatching = Annotated[
    str | None, typer.Option("--filter", help="Compare only traces that match this filter.")
]
Window = Annotated[
    str | None, typer.Option(help="The time until now: 30m, 12h, 7d, 2w. Default: all.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        help="A metric that decides the verdict; may be repeated, at most 8. Default: duration, "
        "duration_p95, error_rate, total_tokens, cost_usd, first token, feedback."
    ),
]
Margins = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="What is too little to matter, by metric or family (duration=0.2); repeat.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(help="Strata, separated by commas. Default: environment,name,input_size."),
]
FailIf = Annotated[
    FailOn, typer.Option(help="regressed: exit with 1 where it is; never: always with 0.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 2 where the verdict is inconclusive.")
]
Explain = Annotated[
    bool, typer.Option("--explain/--no-explain", help="Look for the reasons as well.")
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Watch while traffic arrives, until a verdict or the limit."),
]
Limit = Annotated[str, typer.Option(help="How long --wait watches at most: 90s, 30m, 2h, 1d.")]
Shape = Annotated[
    Form, typer.Option("--format", "-f", help="text, markdown, github, junit or json.")
]


@command("compare", refused=REFUSED)
def run(
    baseline: Baseline = None,
    candidate: Candidate = None,
    environment: Environment = None,
    filter_string: OnlyMatching = None,
    window: Window = None,
    metric: Metrics = None,
    margin: Margins = None,
    by: By = None,
    fail_on: FailIf = FailOn.REGRESSED,
    strict: Strict = False,
    explain: Explain = True,
    wait: Wait = False,
    limit: Limit = "30m",
    form: Shape = Form.TEXT,
    experiment: Experiments = None,
    url: Url = None,
) -> None:
    """Compare two versions by their traces: regressed, improved, equivalent or inconclusive.

    Exit codes: 0 nothing regressed, 1 regressed, 2 inconclusive (with --strict only), 3 nothing was
    compared (a wrong option or filter, no server). docs/compare.md says how to read the result.

    With --wait it ends with the first metric that regressed (--fail-on never: not before every
    metric that decides has its verdict), or at the limit with what is known by then.
    """
    from whence.cli.comparison_output import write_comparison
    from whence.cli.margins import read_margins
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.comparisons import ask_comparison, read_window
    from whence.sdk.reading.waiting import read_limit, wait_for_verdict

    limit_s = read_limit(limit)
    since_ms, until_ms = read_window(window)
    body = {
        "baseline": baseline,
        "candidate": candidate,
        "environment": environment,
        "filter_string": filter_string,
        "experiment_ids": experiment_ids(experiment) or None,
        "since_ms": since_ms,
        "until_ms": until_ms,
        "metrics": metric or None,
        "margins": read_margins(margin),
        "by": None if by is None else [one.strip() for one in by.split(",") if one.strip()],
        "explain": explain,
    }
    with Client(url) as client:
        client.catch_up()
        if wait:
            at_first = fail_on is FailOn.REGRESSED
            found = wait_for_verdict(client, body, limit_s, at_first=at_first, tell=_tell_look)
        else:
            found = ask_comparison(client, body)
    with writing():
        write_comparison(found, form.value)
    if found.verdict == "regressed" and fail_on is FailOn.REGRESSED:
        raise typer.Exit(REGRESSED)
    if found.verdict == "inconclusive" and strict:
        raise typer.Exit(INCONCLUSIVE)


def _tell_look(found: Comparison) -> None:
    """Say on stderr where the watch stands."""
    watching = found.watching
    if watching is not None:
        guards = [one for one in found.metrics if one.guard]
        undecided = [one.metric for one in guards if one.verdict == "inconclusive"]
        typer.echo(
            f"look {watching.look} at {watching.units:g} independent units in each version: "
            f"{found.verdict}; undecided: {', '.join(undecided) or 'nothing'}; "
            f"next look at {watching.next_units}",
            err=True,
        )
