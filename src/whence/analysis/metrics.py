"""The metrics of a comparison as a table: what is measured, how it is judged, by which margin.

A margin belongs to a family: `duration` for all durations, `tokens` for all tokens, and so on; a
metric's own name is taken too. Guards decide the verdict of all, at most `MAX_GUARDS` of them.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal

import msgspec

from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_GUARDS = 8
FEEDBACK = "feedback."
MARGINS: dict[str, float] = {
    "duration": 0.10,
    "time_to_first_token": 0.10,
    "error_rate": 0.005,
    "tokens": 0.10,
    "cost": 0.10,
    "spans": 0.10,
    "tool_calls": 0.10,
    "feedback": 0.02,
}
PER_SESSION = "_per_session"
Method = Literal["shift", "quantile", "mean", "winsorised", "unit_mean", "rate", "score"]


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric. `column` is what it reads of a population; `p` is a quantile's.

    `method`: `shift` (ranks) and `quantile` on ratios, `mean` the ratio of means (`winsorised`:
    values above the 99th percentile set to it; `unit_mean`: of sums by session), `rate` the
    difference of shares, `score` the difference of means. Rates and scores are paired where the
    same input ran in both versions.
    """

    name: str
    column: str
    unit: str
    method: Method
    family: str
    p: float | None = None
    better: Literal["lower", "higher"] = "lower"
    guard: bool = False


def _quantile(column: str, percent: int, *, guard: bool = False) -> Metric:
    return Metric(
        name=f"{column}_p{percent}",
        column=column,
        unit="ms",
        method="quantile",
        family=column,
        p=percent / 100,
        guard=guard,
    )


def _shift(column: str) -> Metric:
    return Metric(name=column, column=column, unit="ms", method="shift", family=column, guard=True)


def _mean(name: str, family: str, unit: str = "", *, guard: bool = False) -> Metric:
    return Metric(name=name, column=name, unit=unit, method="mean", family=family, guard=guard)


def _per_session(column: str, family: str, unit: str) -> Metric:
    name = column + PER_SESSION
    return Metric(name=name, column=column, unit=unit, method="unit_mean", family=family)


METRICS: tuple[Metric, ...] = (
    _shift("duration"),
    _quantile("duration", 50),
    _quantile("duration", 95, guard=True),
    _quantile("duration", 99),
    _shift("time_to_first_token"),
    _quantile("time_to_first_token", 95),
    Metric(
        name="error_rate",
        column="failed",
        unit="share",
        method="rate",
        family="error_rate",
        guard=True,
    ),
    _mean("input_tokens", "tokens", "tokens"),
    _mean("output_tokens", "tokens", "tokens"),
    _mean("total_tokens", "tokens", "tokens", guard=True),
    _per_session("total_tokens", "tokens", "tokens"),
    _mean("cost_usd", "cost", "usd", guard=True),
    Metric(
        name="cost_usd_winsorised",
        column="cost_usd",
        unit="usd",
        method="winsorised",
        family="cost",
    ),
    _per_session("cost_usd", "cost", "usd"),
    _mean("span_count", "spans", "spans"),
    _mean("tool_calls", "tool_calls", "calls"),
)


def feedback_metric(label: str, *, is_boolean: bool) -> Metric:
    """Return the metric of a feedback: a share for true and false, else a mean."""
    return Metric(
        name=FEEDBACK + label,
        column=FEEDBACK + label,
        unit="share" if is_boolean else "",
        method="rate" if is_boolean else "score",
        family="feedback",
        better="higher",
        guard=True,
    )


def family_of(metric: str) -> str:
    """Return the family of a metric by its name; a feedback is one of its own."""
    return next((one.family for one in METRICS if one.name == metric), metric)


def choose_guards(metrics: Sequence[Metric], asked: Iterable[str] | None) -> dict[str, bool]:
    """Return whether each metric is a guard: those asked for, else the table's first few.

    Raises InvalidInputError for a name that was not measured, and for too many.
    """
    names = [one.name for one in metrics]
    if asked is None:
        guards = [one.name for one in metrics if one.guard][:MAX_GUARDS]
        return {name: name in guards for name in names}
    wanted = list(dict.fromkeys(asked))
    for name in wanted:
        check_metric(name, names)
    if len(wanted) > MAX_GUARDS:
        raise InvalidInputError(
            f"{len(wanted)} metrics are asked for: a verdict rests on at most {MAX_GUARDS}, "
            "because every further one makes all of them harder to decide"
        )
    return {name: name in wanted for name in names}


def check_metric(name: str, known: Sequence[str]) -> None:
    """Raise InvalidInputError for a metric that there is not; feedback may be absent."""
    if name in known or name.startswith(FEEDBACK) or name in {one.name for one in METRICS}:
        return
    near = difflib.get_close_matches(name, known, 1, 0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidInputError(
        f"there is no metric {name!r}{hint} Known: {', '.join(known)}, {FEEDBACK}<name>"
    )


def check_margins(margins: Mapping[str, float] | None) -> None:
    """Raise InvalidInputError for a margin of something unknown, or one that is no such number."""
    known = [*MARGINS, *(one.name for one in METRICS)]
    for name, value in (margins or {}).items():
        if name not in known and not name.startswith(FEEDBACK):
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InvalidInputError(
                f"there is no margin for {name!r}{hint} Known: {', '.join(MARGINS)}, or a metric"
            )
        if not 0 <= value < 1e9:  # noqa: PLR2004 - NaN fails as well
            raise InvalidInputError(
                f"the margin of {name} is {value}: give a fraction from 0 up, such as 0.1 for 10 %"
            )


def margin_of(metric: Metric, margins: Mapping[str, float] | None) -> float:
    """Return the margin of a metric: its own, else its family's."""
    given = margins or {}
    return given.get(metric.name, given.get(metric.family, MARGINS[metric.family]))
