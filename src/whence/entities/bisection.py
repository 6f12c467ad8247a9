"""Where a metric first moved: what `whence.bisect` returns and `GET /api/v1/bisect` answers.

Plain numbers and texts. `effect`, `low` and `high` are fractions (0.12 is +12 %) where `scale` is
`ratio`, else differences in the metric's unit. What could not be computed is None.
"""

from __future__ import annotations

import msgspec

FOUND, NARROWED = "found", "narrowed"
NOT_MOVED, UNDECIDED = "not moved", "inconclusive"
OUTCOMES = (FOUND, NARROWED, NOT_MOVED, UNDECIDED)


class BisectedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version (or commit) between the good and the bad one, both included, in their order.

    `effect` is against the good version, with an interval of 95 % for this version alone.
    `first` is the probability that it is the first to have moved, `moved` that it has.
    `state` is good, bad, unsure (too few traces to tell), or untold (so few that nothing is known).
    `needed` is about how many units would tell, `record` a command that records them.
    """

    name: str
    commit: str | None
    traces: int
    units: int
    value: float | None
    effect: float | None
    low: float | None
    high: float | None
    first: float
    moved: float
    state: str
    needed: int | None
    record: str | None
    filter_string: str


class Bisection(msgspec.Struct, frozen=True, kw_only=True):
    """Which version moved a metric between a good and a bad one.

    `outcome`: `found` (one version holds `level` of the probability), `narrowed` (several, in
    `candidates`, hold it), `not moved` (the bad version is equivalent to the good one), or
    `inconclusive` (whether it moved can't be told, `reason` says why). `effect` with `low` and
    `high` and `verdict` are the comparison's of the bad version against the good one.
    `first` is the most likely version, with `confidence`; `before` is the version before it.
    `untraced` are commits between the two that no trace names, the newest first.
    """

    outcome: str
    metric: str
    unit: str
    scale: str
    better: str
    margin: float
    by: str
    good: str
    bad: str
    environment: str | None
    filter_string: str
    verdict: str
    reason: str
    effect: float | None
    low: float | None
    high: float | None
    first: str | None
    before: str | None
    confidence: float | None
    level: float
    candidates: list[str]
    versions: list[BisectedVersion]
    untraced: list[str]
    untraced_count: int
    notes: list[str]
    summary: str
    elapsed_ms: float
