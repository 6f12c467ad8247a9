"""How long the queries of one question may take, all together.

`limit_time` holds for what is asked within it, also for statements that run side by side on other
threads. What is asked outside of it (ingest, migrations, rollups) has no limit.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import msgspec

from whence.errors import QueryTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Limit(msgspec.Struct, frozen=True):
    seconds: float
    ends: float  # of time.monotonic()
    threads: int | None = None


_limit: ContextVar[_Limit | None] = ContextVar("whence_time_limit", default=None)


@contextmanager
def limit_time(seconds: float | None, *, threads: int | None = None) -> Iterator[None]:
    """Give what is asked within so many seconds, None: any; later it raises QueryTimeoutError.

    With `threads` each statement takes so many of the engine's, and leaves the others to others.
    """
    given = None if seconds is None else _Limit(seconds, time.monotonic() + seconds, threads)
    token = _limit.set(given)
    try:
        yield
    finally:
        _limit.reset(token)


def read_time_left_s() -> float | None:
    """Return how long the next statement may take; None: any. Raises QueryTimeoutError."""
    limit = _limit.get()
    if limit is None:
        return None
    left_s = limit.ends - time.monotonic()
    if left_s <= 0:
        raise explain_timeout()
    return left_s


def read_threads() -> int | None:
    """Return how many of the engine's threads the next statement may take; None: any."""
    limit = _limit.get()
    return None if limit is None else limit.threads


def explain_timeout() -> QueryTimeoutError:
    """Return the error of a question that took too long."""
    limit = _limit.get()
    took = "its time" if limit is None else f"{limit.seconds:g} s"
    return QueryTimeoutError(
        f"this took longer than {took} and was ended; narrow it to an experiment or to a time "
        "(timestamp_ms > …), or let queries take longer (WHENCE_QUERY_SECONDS)"
    )
