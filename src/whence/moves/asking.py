"""Asking a busy server again, after as long as it says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from whence.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
ATTEMPTS = 8
MAX_PAUSE_S = 30.0


def ask_again(
    ask: Callable[[], T],
    stop: threading.Event | None = None,
    *,
    unless: type[UnavailableError] | tuple[()] = (),
) -> T:
    """Return what `ask` returns once the server takes it; raise its UnavailableError at the end.

    The pauses are what the server says, and twice as long each time at least; `stop` ends them. An
    error of the kind `unless` is raised at once.
    """
    stop = stop or threading.Event()
    pause_s = 0.25
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except unless:  # noqa: PERF203 - it waits
            raise
        except UnavailableError as error:
            if stop.wait(min(max(error.retry_after_s, pause_s), MAX_PAUSE_S)):
                raise
            pause_s *= 2
    return ask()
