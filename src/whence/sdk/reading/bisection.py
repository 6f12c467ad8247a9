"""`whence.bisect`: ask the server which version moved a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.bisection import Bisection
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.comparisons import read_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.sdk.reading.comparisons import Window


def bisect(
    good: str,
    bad: str,
    *,
    metric: str = "duration",
    environment: str | None = None,
    filter_string: str | None = None,
    window: Window = None,
    margins: Mapping[str, float] | None = None,
    by: Sequence[str] | None = None,
    locations: Sequence[str] | None = None,
) -> Bisection:
    """Find the first version between a good and a bad one at which a metric moved.

    `good` and `bad` are two app versions, or two commits (7 hex digits or more), the good one the
    older; what lies between is ordered by the ancestry of commits, else by version, else by first
    sight. `metric`, `margins`, `by` and `window` are as for `whence.compare`. The result's
    `outcome` is `found`, `narrowed`, `not moved` or `inconclusive`; `first` is the version, with
    `confidence`; `versions` say which have too few traces and how to record more. Raises
    `InvalidInputError`.

    >>> import whence
    >>> whence.bisect("1.0.0", "1.1.0", environment="the moon")
    Traceback (most recent call last):
    whence.errors.InvalidInputError: no finished trace in the moon names '1.0.0' and '1.1.0'; give \
two app versions, or two commits (7 hex digits or more)
    """
    client = current_client()
    client.catch_up()
    since_ms, until_ms = read_window(window)
    for name, given in (("by", by), ("locations", locations)):
        if isinstance(given, str):
            raise InvalidInputError(f"`{name}` is a list of strings, not one string.")
    return ask_bisection(
        client,
        margins=margins,
        by=by,
        good=good,
        bad=bad,
        metric=metric,
        environment=environment,
        filter=filter_string,
        since=since_ms,
        until=until_ms,
        experiment_id=[str(one) for one in locations] if locations else None,
    )


def ask_bisection(
    client: Client,
    *,
    margins: Mapping[str, float] | None,
    by: Sequence[str] | None,
    **query: Any,
) -> Bisection:
    """Return the answer of `GET /api/v1/bisect`."""
    query["margins"] = ",".join(f"{name}={value!r}" for name, value in (margins or {}).items())
    query["by"] = ",".join(by or ())
    return msgspec.convert(client.call("GET", "/bisect", query=query), Bisection)
