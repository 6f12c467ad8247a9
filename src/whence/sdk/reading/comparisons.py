"""`whence.compare` and `whence.diff_traces`: ask the server how versions, or traces, differ."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.comparison import Comparison
from whence.entities.trace_diff import TraceDiff
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.http import path_of
from whence.sdk.reading.waiting import read_limit, wait_for_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    Moment: TypeAlias = datetime | int | str | None
    Window: TypeAlias = str | timedelta | tuple[Moment, Moment] | None

_DURATION = re.compile(r"([0-9]+) ?(m|h|d|w)")
_MS_OF_UNIT = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def compare(
    baseline: str | None = None,
    candidate: str | None = None,
    *,
    environment: str | None = None,
    filter_string: str | None = None,
    window: Window = None,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    by: Sequence[str] | None = None,
    locations: Sequence[str] | None = None,
    explain: bool = True,
    wait: str | timedelta | None = None,
) -> Comparison:
    """Compare two versions by their traces: `regressed`, `improved`, `equivalent`, `inconclusive`.

    `baseline` and `candidate` are app versions, commits, manifests, branches or filters
    (`version:`, `commit:`, `manifest:`, `branch:`, `filter:` in front say which). Without a
    candidate it is the newest version, without a baseline the nearest one in the candidate's
    history, else the last before it, with enough traffic in the same environment.
    `window` is a length of time until now (`"7d"`, `"12h"`, a timedelta) or (since, until), each a
    datetime, ISO text, Unix ms or None. `metrics` are the guards that decide together (at most 8),
    `margins` what is too little to matter, by metric or family (`{"duration": 0.2}`), `by` the
    strata (`environment`, `name`, `input_size`, `model`, `hour_of_week`,
    `hour_of_day`, `part_of_week`). `locations` are
    experiment ids, by default all. `wait` (`"30m"`) watches at most so long while traffic arrives,
    until a guard regressed or all have a verdict, with bounds that bear being looked at again and
    again. Raises `InvalidInputError`, `FilterError`.

    >>> import whence
    >>> found = whence.compare("1.0.0", "1.1.0", environment="the moon")
    >>> found.verdict
    'inconclusive'
    """
    client = current_client()
    client.catch_up()
    since_ms, until_ms = read_window(window)
    for name, given in (("metrics", metrics), ("by", by), ("locations", locations)):
        if isinstance(given, str):
            raise InvalidInputError(f"`{name}` is a list of strings, not one string.")
    body = {
        "baseline": baseline,
        "candidate": candidate,
        "environment": environment,
        "filter_string": filter_string,
        "experiment_ids": None if locations is None else [str(one) for one in locations],
        "since_ms": since_ms,
        "until_ms": until_ms,
        "metrics": None if metrics is None else list(metrics),
        "margins": None if margins is None else dict(margins),
        "by": None if by is None else list(by),
        "explain": explain,
    }
    if wait is not None:
        return wait_for_verdict(client, body, read_limit(wait))
    return ask_comparison(client, body)


def ask_comparison(client: Client, body: Mapping[str, Any]) -> Comparison:
    """Return what a server answers to the body of a comparison."""
    return msgspec.convert(client.call("POST", "/compare", body=body), Comparison)


def diff_traces(baseline: str, candidate: str) -> TraceDiff:
    """Compare two traces span by span, matched by their paths. Raises `NotFoundError`.

    Says which spans only one has, what took longer, how inputs and outputs differ, and metadata.

    >>> import whence
    >>> whence.diff_traces("tr-" + 32 * "0", "tr-" + 32 * "1")
    Traceback (most recent call last):
    whence.errors.NotFoundError: Trace with ID 'tr-00000000000000000000000000000000' not found.
    """
    client = current_client()
    client.catch_up()
    return ask_trace_diff(client, baseline, candidate)


def ask_trace_diff(client: Client, baseline: str, candidate: str) -> TraceDiff:
    """Return what a server answers about two traces."""
    for given in (baseline, candidate):
        if not isinstance(given, str) or not given:
            raise InvalidInputError(f"a trace id is a non-empty string, not {given!r}")
    answer = client.call("GET", "/traces" + path_of(baseline, "diff", candidate))
    return msgspec.convert(answer, TraceDiff)


def read_window(window: Window) -> tuple[int | None, int | None]:
    """Return (since, until) in Unix ms, None for no border. Raises InvalidInputError."""
    if window is None:
        return None, None
    if isinstance(window, str):
        found = _DURATION.fullmatch(window.strip())
        if found is None:
            raise InvalidInputError(
                f"the window {window!r} can't be read; "
                "write 30m, 12h, 7d or 2w, or give (since, until)"
            )
        return _now_ms() - int(found[1]) * _MS_OF_UNIT[found[2]], None
    if isinstance(window, timedelta):
        return _now_ms() - int(window.total_seconds() * 1000), None
    since, until = window
    return _read_moment(since), _read_moment(until)


def _read_moment(moment: Moment) -> int | None:
    if moment is None or isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        except ValueError:
            raise InvalidInputError(
                f"the time {moment!r} can't be read; write it as 2026-11-23T18:00+00:00"
            ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
