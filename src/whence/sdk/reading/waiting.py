"""Watching a comparison until it is settled: the same question, at bounds that bear many looks."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.comparison import Comparison
from whence.entities.comparison_looks import is_settled, join_looks
from whence.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from whence.sdk.reading.client import Client

SHORTEST_S, LONGEST_S = 2.0, 30.0
REST = 20.0  # times as long as an answer took
PREFIX_OF_KIND = {
    "app_version": "version",
    "commit": "commit",
    "branch": "branch",
    "manifest": "manifest",
}
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_limit(limit: str | timedelta) -> float:
    """Return a length of time in seconds: `90s`, `30m`, `2h`, `1d` or a timedelta."""
    if isinstance(limit, timedelta):
        seconds = limit.total_seconds()
    else:
        number, unit = limit.strip()[:-1], limit.strip()[-1:]
        seconds = int(number) * UNIT_S[unit] if number.isdecimal() and unit in UNIT_S else -1.0
    if seconds <= 0:
        raise InvalidInputError(f"the limit {limit!r} can't be read; write 90s, 30m, 2h or 1d")
    return seconds


def wait_for_verdict(
    client: Client,
    body: Mapping[str, Any],
    limit_s: float,
    *,
    at_first: bool = True,
    tell: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Ask for a comparison until every guard has a verdict, or `limit_s` have passed.

    `at_first` ends with the first guard that regressed: the verdict of all can't change any more.
    `tell` is called with every new look. A server that is away for a while is asked again.
    """
    deadline = time.monotonic() + limit_s
    found: Comparison | None = None
    asked = {**body, "explain": False}
    while True:
        try:
            now = _ask(client, asked, found)
        except UnavailableError:
            if found is None or time.monotonic() >= deadline:
                raise
            pause_s = LONGEST_S
        else:
            _name(asked, now)
            found = join_looks(found, now)
            if tell is not None and now.watching is not None and now.watching.is_new:
                tell(found)
            if is_settled(found, at_first=at_first):
                return _end(client, body, asked, found)
            pause_s = min(max(SHORTEST_S, REST * now.elapsed_ms / 1000), LONGEST_S)
        left_s = deadline - time.monotonic()
        if left_s <= 0 and found is not None:
            note = f"no verdict on every metric within {limit_s:.0f} s of watching"
            noted = msgspec.structs.replace(found, notes=[*found.notes, note])
            return _end(client, body, asked, noted)
        time.sleep(min(pause_s, max(left_s, 0.0)))


def _ask(client: Client, asked: Mapping[str, Any], before: Comparison | None) -> Comparison:
    client.catch_up()
    taken = before.watching.look if before is not None and before.watching is not None else 0
    body = {**asked, "looks": taken}
    return msgspec.convert(client.call("POST", "/compare", body=body), Comparison)


def _name(asked: dict[str, Any], found: Comparison) -> None:
    """Keep what the names mean from the first traces on: a later version is another question."""
    for role, arm in (("baseline", found.baseline), ("candidate", found.candidate)):
        if arm.traces and arm.kind in PREFIX_OF_KIND:
            asked[role] = f"{PREFIX_OF_KIND[arm.kind]}:{arm.asked}"


def _end(
    client: Client, body: Mapping[str, Any], asked: Mapping[str, Any], found: Comparison
) -> Comparison:
    """Add the reasons, where they are asked for."""
    if not body.get("explain", True) or not (found.baseline.traces and found.candidate.traces):
        return found
    explained = _ask(client, {**asked, "explain": True}, found)
    return msgspec.structs.replace(found, explanation=explained.explanation)
