"""Milliseconds since the epoch ⇄ RFC 3339 text in UTC, exact in both directions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from whence.errors import InvalidInputError

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$", re.ASCII)


def format_timestamp(time_ms: int) -> str:
    """Return `2026-11-23T05:00:07.444Z`."""
    moment = EPOCH + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def parse_timestamp(text: str) -> int:
    """Return milliseconds; digits beyond the third are cut."""
    match = RFC3339.match(text)
    if match is None:
        msg = f"{text!r} is not an RFC 3339 time such as '2026-11-23T05:00:07.444Z'."
        raise InvalidInputError(msg)
    seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
        moment = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError) as problem:
        msg = f"{text!r} is not a time: {problem}."
        raise InvalidInputError(msg) from problem
    whole = (moment - EPOCH) // timedelta(seconds=1)
    return whole * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
