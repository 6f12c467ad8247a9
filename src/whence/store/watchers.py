"""The table `watchers`: which of the servers that share a store watches it and sends webhooks.

The one that started first, of those seen within `ABSENT_AFTER_S`. Each writes that it is there, and
reads who else is. This is no lock: where a server stood still for minutes, two may lead for a
moment, so whatever a leader writes has keys that do not depend on who writes it.

Limit: the servers' clocks may differ by a minute.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from whence.store.connection import Store

ABSENT_AFTER_S = 180.0
RENEW_AFTER_S = 20.0
_LEADER = """\
SELECT name
FROM watchers FINAL
WHERE seen_us > {since:UInt64} AND startsWith(name, {role:String})
ORDER BY started_us, name
LIMIT 1
"""


class WatcherRow(msgspec.Struct, frozen=True, kw_only=True):
    """A server in a role, when it began and when it was last seen; its key is the name."""

    name: str
    started_us: int
    seen_us: int


class Leadership:
    """This server among those of a store. A store that only it writes to is its own."""

    def __init__(self, store: Store, role: str) -> None:
        """`role`: what one server does for all. Nothing is written before `holds` is asked."""
        self._store, self._role = store, f"{role}:"
        self._name = self._role + uuid.uuid4().hex
        self._started_us = time.time_ns() // 1000
        self._seen = float("-inf")
        self._leads = False
        self._lock = threading.Lock()

    def holds(self) -> bool:
        """Tell whether this server leads; says that it is there, at most every `RENEW_AFTER_S`."""
        if not self._store.hours.shared:
            return True
        with self._lock:
            return self._hold()

    def _hold(self) -> bool:
        now = time.monotonic()
        if now - self._seen >= RENEW_AFTER_S:
            now_us = time.time_ns() // 1000
            row = WatcherRow(name=self._name, started_us=self._started_us, seen_us=now_us)
            self._store.insert("watchers", [row])
            since = now_us - int(ABSENT_AFTER_S * 1e6)
            found = self._store.query(_LEADER, {"since": since, "role": self._role}).rows
            self._leads = bool(found) and found[0][0] == self._name
            self._seen = now
        return self._leads
