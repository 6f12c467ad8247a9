"""`whence.timeline`: ask the server how a metric went over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.timeline import Timeline
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.comparisons import read_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.sdk.reading.comparisons import Window

DEFAULT_GROUPS = 8


def timeline(
    metric: str = "duration_p50",
    *,
    by: str | None = None,
    bucket: str | None = None,
    environment: str | None = None,
    filter_string: str | None = None,
    window: Window = None,
    groups: int = DEFAULT_GROUPS,
    locations: Sequence[str] | None = None,
) -> Timeline:
    """Draw a metric over time, with when versions began and where it moved without a release.

    `metric` is `duration_p50`, `_p95`, `_p99` or `_mean` (ms), `error_rate`, `input_tokens`,
    `output_tokens`, `total_tokens`, `cost_usd`, `span_count` (means a trace), `traces`, or
    `feedback.NAME`. `by` makes a line for each of the `groups` most frequent values of
    `environment`, `app_version`, `commit`, `branch`, `name`, `session`, `user` or a metadata key.
    `bucket` is `"5m"`, `"1h"`, `"1d"`, `"1w"`, by default what fits; buckets are cut in UTC.
    `window` is as for `whence.compare`, `locations` are experiment ids. Raises
    `InvalidInputError`, `FilterError`.

    >>> import whence
    >>> whence.timeline("error_rate", environment="the moon").series
    []
    """
    client = current_client()
    client.catch_up()
    since_ms, until_ms = read_window(window)
    if isinstance(locations, str):
        raise InvalidInputError("`locations` is a list of experiment ids.")
    return ask_timeline(
        client,
        metric=metric,
        by=by,
        bucket=bucket,
        environment=environment,
        filter=filter_string,
        since=since_ms,
        until=until_ms,
        groups=groups,
        experiment_id=[str(one) for one in locations] if locations else None,
    )


def ask_timeline(client: Client, **query: Any) -> Timeline:
    """Return the answer of `GET /api/v1/timeline`."""
    return msgspec.convert(client.call("GET", "/timeline", query=query), Timeline)
