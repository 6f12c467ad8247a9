"""What happened to the spans of this process."""

from __future__ import annotations

import msgspec


class Stats(msgspec.Struct):
    """Counts of ended spans in this process, since it started or forked.

    `exported` arrived: a server has acknowledged them (also those that an earlier process left in
    the outbox), or the local store's spool holds them. `spooled` went to the outbox, `retried`
    counts a span each time its sending failed and was put off, `dropped` are lost, with the
    reasons in `drop_reasons`; `queued` wait in memory. Exact as long as the interpreter has its
    global lock.
    """

    recorded: int = 0
    exported: int = 0
    spooled: int = 0
    retried: int = 0
    dropped: int = 0
    queued: int = 0
    drop_reasons: dict[str, int] = {}

    def drop(self, reason: str, spans: int) -> None:
        """Count lost spans."""
        if spans:
            self.dropped += spans
            self.drop_reasons[reason] = self.drop_reasons.get(reason, 0) + spans
