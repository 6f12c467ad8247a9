"""Which traffic of the baseline a look compares with: of the same time, else of the time before.

In a canary both versions run side by side, and the same time of both is compared. In a rolling
update the old version is gone after minutes: what it did meanwhile stays small for ever, so its
last two weeks count too, and where those are little, all of its time. The hour is matched in
either case (`strata.match_hours`).

The choice looks at numbers of traces alone, never at what they measured, and only ever widens
within a stretch: each choice holds the traces of the one before it. So an estimate goes on where it
was, with more information, and its sequence of looks stays valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.analysis.watch_progress import AGAINST, ALL, BESIDE, WEEKS
from whence.query.baselines import ENOUGH_TRACES
from whence.query.traffic import count_traces

if TYPE_CHECKING:
    from whence.analysis.watch_progress import Name, Stretch, Target
    from whence.store.connection import Store

HISTORY_MS = 14 * 86_400_000
SHARE = 0.5  # of the candidate's traces: with fewer, the baseline says how wide an interval is
PLENTY = 5000  # traces: twice the margin is found with them, however many the candidate has
_AGAINST_WORDS = {
    BESIDE: "compared with {baseline} in the same time",
    WEEKS: "compared with {baseline} since two weeks before, because it has little traffic beside",
    ALL: "compared with all traffic of {baseline}, because it has little in the last two weeks",
}
_HOUR_WORDS = {
    "hour_of_week": "the hour of the week is matched",
    "hour_of_day": "the hour of the day is matched, the day of the week is not",
    "part_of_week": "the hour is matched within four, working days and weekends apart",
}
NO_HOURS = "the hour is not matched: both have too little traffic at the same hours"


def place(store: Store, target: Target, baseline: Name, stretch: Stretch) -> Stretch:
    """Return the stretch with the baseline's traffic that its next look compares with."""
    known = AGAINST.index(stretch.against) if stretch.against else 0
    for against in AGAINST[known:-1]:
        since_ms = begin_of(against, target, stretch)
        counts = count_traces(store, target.experiment_id, target.environment, since_ms or 0)
        wanted = SHARE * max(target.traces - stretch.from_traces, 0)
        if counts.get((baseline.kind, baseline.text), 0) >= max(ENOUGH_TRACES, min(wanted, PLENTY)):
            return msgspec.structs.replace(stretch, against=against)
    return msgspec.structs.replace(stretch, against=ALL)


def begin_of(against: str, target: Target, stretch: Stretch) -> int | None:
    """Return since when the baseline's traffic counts, None: since ever."""
    if against == BESIDE:
        return target.first_seen_ms if stretch.since_ms is None else stretch.since_ms
    return target.first_seen_ms - HISTORY_MS if against == WEEKS else None


def describe(against: str, target: Target, baseline: Name, strata_by: list[str]) -> str:
    """Return what was compared, in words."""
    hours = next((_HOUR_WORDS[one] for one in strata_by if one in _HOUR_WORDS), NO_HOURS)
    told = [_AGAINST_WORDS[against].format(baseline=baseline.text), hours]
    if target.passed_over:
        words = "is worse itself" if len(target.passed_over) == 1 else "are worse themselves"
        told.append(f"not with {' and '.join(target.passed_over)}, which {words}")
    return "; ".join(told)
