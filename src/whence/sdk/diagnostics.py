"""What went wrong inside the SDK: counted always, logged at most once a minute a kind.

Nothing here raises. `whence.tracing.stats()` shows the counts.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic

LOG_INTERVAL_S = 60.0

logger = logging.getLogger("whence")

counts: dict[str, int] = {}
_last_logged: dict[str, float] = {}
_warned: set[str] = set()
_lock = threading.RLock()  # a signal handler may interrupt its holder


def count(kind: str) -> bool:
    """Add one to a kind; return whether it may be logged now."""
    now = monotonic()
    with _lock:
        counts[kind] = counts.get(kind, 0) + 1
        last = _last_logged.get(kind)
        if last is not None and now - last < LOG_INTERVAL_S:
            return False
        _last_logged[kind] = now
        return True


def caught(where: str, error: BaseException) -> None:
    """Note an exception inside our own code, which the traced program must not see."""
    try:
        if count("internal_errors"):
            logger.warning(
                "Whence could not record (%s): %s. The traced program is not affected. "
                "Further errors are counted in whence.tracing.stats() and logged once a minute.",
                where,
                type(error).__name__,
                exc_info=error,
            )
    except Exception:  # noqa: BLE001, S110 - a logging handler may raise; there is nowhere left to say so
        pass


def warn(kind: str, message: str, *args: object) -> None:
    """Count, and log unless this kind was logged within the last minute."""
    if count(kind):
        logger.warning(message, *args)


def warn_once(kind: str, message: str, *args: object) -> None:
    """Log a warning the first time only in this process."""
    with _lock:
        counts[kind] = counts.get(kind, 0) + 1
        if kind in _warned:
            return
        _warned.add(kind)
    logger.warning(message, *args)


def reset() -> None:
    """Forget all counts and what was logged (for tests and `whence.tracing.reset`)."""
    with _lock:
        counts.clear()
        _last_logged.clear()
        _warned.clear()


def renew_after_fork() -> None:
    """Replace the lock, which another thread of the parent may have held at the fork."""
    global _lock  # noqa: PLW0603 - process-wide by nature
    _lock = threading.RLock()
    counts.clear()
