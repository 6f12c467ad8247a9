"""Which traces of a source are to be moved."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

import msgspec

from whence.errors import InvalidInputError

UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
AGO = re.compile(r"([0-9]{1,6})([mhdw])")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Experiments by name or id (none: all of them), and the earliest time of a request.

    `since` is how that time was said: the same words are the same move, also when time goes by.
    """

    experiments: tuple[str, ...] = ()
    since: str = ""

    @property
    def since_ms(self) -> int | None:
        """The earliest time, in milliseconds."""
        return read_since(self.since)

    def takes(self, experiment_id: str, name: str) -> bool:
        """Tell whether an experiment is selected."""
        return not self.experiments or bool({experiment_id, name}.intersection(self.experiments))


def read_since(text: str | None) -> int | None:
    """Return milliseconds since the epoch: of a date, a time, or how long ago (`7d`, `12h`).

    A time without a zone is UTC.

    >>> read_since("2026-11-01")
    1793491200000
    >>> read_since("2026-11-01T12:00:00+02:00")
    1793527200000
    """
    if not text:
        return None
    ago = AGO.fullmatch(text.strip())
    if ago is not None:
        return time.time_ns() // 1_000_000 - int(ago[1]) * UNIT_MS[ago[2]]
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise InvalidInputError(
            f"--since takes a date (2026-11-01), a time (2026-11-01T12:00:00Z) or how long ago "
            f"(7d, 12h), not {text!r}"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)
