"""Asking a busy server again, after as long as it says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from whence.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
ATTEMPTS = 8
MAX_PAUSE_S = 30.0


def ask_again(ask: Callable[[], T]) -> T:
    """Return what `ask` returns once the server takes it; raise its UnavailableError at the end.

    The pauses are what the server says, and twice as long each time at least.
    """
    pause_s = 0.25
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except UnavailableError as error:  # noqa: PERF203 - it waits
            time.sleep(min(max(error.retry_after_s, pause_s), MAX_PAUSE_S))
            pause_s *= 2
    return ask()
