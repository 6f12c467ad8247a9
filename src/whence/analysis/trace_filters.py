"""Filters that give the traces behind a number: the arm's own, and what the number is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.analysis.metrics import FEEDBACK
from whence.query.arms import all_of, show_filter
from whence.query.filters import And, Comparison
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from whence.analysis.metrics import Metric
    from whence.query.arms import NamedArm
    from whence.query.filters import Filter

_STATE = Field("attribute", "state")
_TIME = Field("attribute", "execution_time_ms")


class Filters:
    """Writes filters of both arms."""

    def __init__(self, arms: tuple[NamedArm, NamedArm]) -> None:
        self._arms = arms

    def narrow(self, side: int, *parts: Filter) -> str:
        """Return the filter of an arm's finished traces (1: the candidate's) that are this too."""
        return show_filter(all_of(self._arms[side].finished, *parts))

    def of_metric(
        self, metric: Metric, values: tuple[float | None, float | None]
    ) -> tuple[str, str]:
        """Return the filters of a metric's value in either arm.

        Of a rate the failed traces, of a quantile those from it on, of a feedback those judged.
        """
        return self._one(0, metric, values[0]), self._one(1, metric, values[1])

    def _one(self, side: int, metric: Metric, value: float | None) -> str:
        if metric.column == "failed":
            return show_filter(all_of(self._arms[side].tree, Comparison(_STATE, "=", ("ERROR",))))
        if metric.column == "duration" and metric.p is not None and value is not None:
            return self.narrow(side, Comparison(_TIME, ">=", (float(int(value)),)))
        if metric.column.startswith(FEEDBACK):
            name = metric.column.removeprefix(FEEDBACK).partition(" (")[0]
            return self.narrow(side, Comparison(Field("feedback", name), "IS NOT NULL"))
        return self.narrow(side)

    def of_durations(self, side: int, low_ms: int, high_ms: int) -> str:
        """Return the filter of an arm's traces of `low_ms` or longer, and below `high_ms`."""
        return self.narrow(
            side,
            Comparison(_TIME, ">=", (float(low_ms),)),
            Comparison(_TIME, "<", (float(high_ms),)),
        )

    def of_span(self, side: int, name: str, *, failed: bool = False) -> str:
        """Return the filter of an arm's traces that have a span of this name."""
        parts = [Comparison(Field("span", "name"), "=", (name,))]
        if failed:
            parts.append(Comparison(Field("span", "status"), "=", ("ERROR",)))
        return self.narrow(side, And(tuple(parts)))
