"""Where the watch of a version stands: its looks, and the metrics that were found worse.

Kept as JSON between looks and over restarts; fields that an older program wrote are passed over.
"""

from __future__ import annotations

import msgspec

from whence.analysis.judge import ALPHA
from whence.analysis.looking import LEAST_UNITS
from whence.analysis.statistics.sequences import share_of
from whence.entities.comparison import MetricComparison  # noqa: TC001 - msgspec reads it
from whence.entities.finding import Evidence  # noqa: TC001 - msgspec reads it

PREFIX_OF_KIND = {"app_version": "version", "commit": "commit"}
BESIDE, WEEKS, ALL = "beside", "weeks", "all"
AGAINST = (BESIDE, WEEKS, ALL)
"""The baseline's traffic: of the same time, of two weeks before that too, of all its time."""


class Name(msgspec.Struct, frozen=True):
    """A version by its app version, or by its commit."""

    kind: str
    text: str

    @property
    def asked(self) -> str:
        """What a comparison is asked by."""
        return f"{PREFIX_OF_KIND[self.kind]}:{self.text}"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate as it is now: `traces` have ended.

    `passed_over` are the versions between it and its baseline that are worse themselves.
    """

    experiment_id: str
    environment: str | None
    candidate: Name
    traces: int
    first_seen_ms: int
    last_seen_ms: int
    passed_over: tuple[str, ...] = ()


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Traffic that is looked at: since when, and how many traces there were before.

    `look` looks were taken, the next is due `next_traces` after `from_traces`. `number` counts the
    stretches of its kind. `against` is the baseline's traffic that it is compared with, '' before
    the first look.
    """

    number: int = 1
    since_ms: int | None = None
    from_traces: int = 0
    look: int = 0
    next_traces: int = LEAST_UNITS
    against: str = ""

    @property
    def alpha(self) -> float:
        """Its part of the level."""
        return ALPHA * share_of(self.number)

    def is_due(self, traces: int) -> bool:
        """Whether so many traces of the candidate allow a look."""
        return traces - self.from_traces >= self.next_traces


class MetricWatch(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that regressed: `least` is the bad end of its interval that is nearer to zero.

    `episode` counts how often it did, `figures` are the last that showed it.
    """

    open: bool
    episode: int
    least: float
    stretch: Stretch
    figures: MetricComparison | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a watch stands. `steps` counts what was looked at in all.

    `episode` counts how often the version's finding was opened; `ended`: its traffic ended while it
    was open. `seen` are the deciding metrics at the last look at all of the candidate's traffic.
    """

    baseline: Name
    main: Stretch = Stretch()
    metrics: dict[str, MetricWatch] = {}
    steps: int = 0
    episode: int = 0
    ended: bool = False
    seen: dict[str, MetricComparison] = {}

    @property
    def worse(self) -> list[str]:
        """The metrics that were worse when they were last looked at."""
        return [name for name, one in self.metrics.items() if one.open]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a look said of a version; `evidence` where somebody should look at it now.

    `metrics` are the figures that it is about, the one that leads first.
    """

    kind: str
    episode: int
    step: int
    reason: str
    summary: str
    metrics: list[MetricComparison]
    evidence: Evidence | None = None
