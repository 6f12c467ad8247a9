"""The metrics of a timeline as a table; margins and directions are those of the comparison."""

from __future__ import annotations

import difflib
from math import ceil
from typing import Literal

import msgspec

from whence.analysis.metrics import FEEDBACK, MARGINS
from whence.errors import InvalidInputError

Kind = Literal["quantile", "mean", "share", "count"]


class TimelineMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric. `column` is what is read, `p` a quantile's; `family` has the margin.

    `least` is how many traces of a bucket are enough to look for drift in it.
    """

    name: str
    column: str
    unit: str
    kind: Kind
    family: str = ""
    p: float | None = None
    better: Literal["lower", "higher"] = "lower"
    least: int = 5

    @property
    def enough(self) -> int:
        """Return how many traces a value needs: 4p/(1-p) for a quantile."""
        return 1 if self.p is None else max(1, ceil(4 * self.p / (1 - self.p) - 1e-9))

    @property
    def is_ratio(self) -> bool:
        """Tell whether changes are relative; shares and judgements have differences."""
        return self.kind != "share" and not self.column.startswith(FEEDBACK)

    @property
    def margin(self) -> float:
        """Return what is too little to matter."""
        return MARGINS.get(self.family, 0.0)


def _quantile(percent: int, least: int) -> TimelineMetric:
    return TimelineMetric(
        name=f"duration_p{percent}",
        column="duration",
        unit="ms",
        kind="quantile",
        family="duration",
        p=percent / 100,
        least=least,
    )


def _mean(name: str, family: str, unit: str = "") -> TimelineMetric:
    return TimelineMetric(name=name, column=name, unit=unit, kind="mean", family=family)


METRICS: dict[str, TimelineMetric] = {
    one.name: one
    for one in (
        _quantile(50, 10),
        _quantile(95, 20),
        _quantile(99, 100),
        TimelineMetric(
            name="duration_mean", column="duration", unit="ms", kind="mean", family="duration"
        ),
        TimelineMetric(
            name="error_rate", column="failed", unit="share", kind="share", family="error_rate"
        ),
        _mean("input_tokens", "tokens", "tokens"),
        _mean("output_tokens", "tokens", "tokens"),
        _mean("total_tokens", "tokens", "tokens"),
        _mean("cost_usd", "cost", "usd"),
        _mean("span_count", "spans"),
        TimelineMetric(name="traces", column="traces", unit="traces", kind="count"),
    )
}
ALIASES = {"duration": "duration_p50"}


def find_metric(name: str) -> TimelineMetric:
    """Return a metric by its name. Raises InvalidInputError for one that there is not."""
    name = ALIASES.get(name, name)
    if name in METRICS:
        return METRICS[name]
    if name.startswith(FEEDBACK) and name != FEEDBACK:
        return TimelineMetric(
            name=name, column=name, unit="", kind="mean", family="feedback", better="higher"
        )
    near = difflib.get_close_matches(name, METRICS, 1, 0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidInputError(
        f"there is no metric {name[:100]!r}{hint} Known: {', '.join(METRICS)}, {FEEDBACK}<name>"
    )
