"""Stretches of time that are asked for."""

from __future__ import annotations

from whence.errors import InvalidInputError

MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999


def check_times(since_ms: int | None, until_ms: int | None) -> None:
    """Raise InvalidInputError for a time that is none, and for a stretch that holds nothing."""
    for name, time_ms in (("since_ms", since_ms), ("until_ms", until_ms)):
        if time_ms is not None and not 0 <= time_ms <= MAX_TIME_MS:
            raise InvalidInputError(
                f"{name} must be milliseconds since 1970, from 0 to {MAX_TIME_MS}"
            )
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InvalidInputError(
            f"since ({since_ms}) is not before until ({until_ms}): no trace lies between"
        )
