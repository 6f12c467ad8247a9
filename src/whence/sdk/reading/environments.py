"""`whence.environments`: ask the server how a version does in each environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.environments import EnvironmentOverview
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.comparisons import read_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.sdk.reading.comparisons import Window


def environments(
    version: str | None = None,
    *,
    window: Window = None,
    quality: bool = True,
    hints: bool = True,
    locations: Sequence[str] | None = None,
) -> EnvironmentOverview:
    """Put environments side by side, and say what looks mislabelled.

    `version` is an app version, or the beginning (7 digits) of a commit or of a manifest's digest;
    without one, all traces are counted. `environments` of the result have traces, units, errors,
    durations (ms), tokens, cost and quality, from development to production; `hints` each have the
    number of their traces and the filter that gives them. `window` is as for `whence.compare`,
    `locations` are experiment ids, by default all. Raises `NotFoundError`.

    >>> import whence
    >>> whence.environments(window="1m").hints
    []
    """
    client = current_client()
    client.catch_up()
    since_ms, until_ms = read_window(window)
    if isinstance(locations, str):
        raise InvalidInputError("`locations` is a list of experiment ids.")
    return ask_environments(
        client,
        version=version,
        since=since_ms,
        until=until_ms,
        quality=str(quality).lower(),
        hints=str(hints).lower(),
        experiment_id=[str(one) for one in locations] if locations else None,
    )


def ask_environments(client: Client, **query: Any) -> EnvironmentOverview:
    """Return the answer of `GET /api/v1/environments`."""
    return msgspec.convert(client.call("GET", "/environments", query=query), EnvironmentOverview)
