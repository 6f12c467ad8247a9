"""Samples for facets: which hours are counted instead of all, and what their counts stand for.

Whole hours are drawn by a hash, so that all rows of a trace are in or out together, and the same
question has the same answer. Traces that have not ended are not sampled: all of them are counted.
Rows are therefore weighed: an ended one stands for `weigh` units, one that has not for `UNIT`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from whence.query.compile import SETTINGS, Parameters
from whence.query.coverage import living, within
from whence.store.hours import HOUR_MS, Hour
from whence.store.rollups import time_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.query.coverage import Cover, Question, Range
    from whence.store.connection import Store

SAMPLE_TRACES = 400_000
BLOCKS = 32
MAX_BLOCKS = 2 * BLOCKS  # more ranges make a statement slow; hours of a block may be few
UNIT = 1000  # the weight of one trace, so that a fraction of one can be told


@dataclass(frozen=True)
class Drawn:
    """A sample: so many traces of these hours, and which part that is of all."""

    fraction: float
    traces: int
    hours: int


@dataclass(frozen=True)
class Counted:
    """A field's counts, extrapolated where there is a sample."""

    traces: int
    missing: int
    distinct: int
    values: list[tuple[str, int]]
    sample: Drawn | None = None


def find_hours(store: Store, cover: Cover) -> dict[Hour, int]:
    """Return the rolled hours in which a question finds anything, and all their traces."""
    parameters = Parameters()
    question = cover.question
    where = [living(cover, parameters), *question.experiment_condition(parameters)]
    rows = store.query(
        "SELECT experiment_id, hour, sum(traces)\nFROM trace_counts\n"
        f"WHERE {' AND '.join(where)}\nGROUP BY experiment_id, hour\n"
        f"HAVING countIf({question.condition(parameters)}) > 0",
        parameters.values,
        settings=SETTINGS,
    ).rows
    return {Hour(experiment_id, hour): traces for experiment_id, hour, traces in rows}


def list_hours(
    store: Store, question: Question, ranges: Sequence[Range] | None = None
) -> dict[Hour, int]:
    """Return every hour of the question's experiments and times, and its rows as they lie.

    `ranges`: in these alone.
    """
    parameters = Parameters()
    where = [*question.experiment_condition(parameters), question.time_condition(parameters)]
    if ranges is not None:
        where.append(within(ranges, parameters))
    rows = store.query(
        f"SELECT experiment_id, intDiv(request_time_ms, {HOUR_MS}) AS hour, count()\n"
        f"FROM traces\nWHERE {' AND '.join(where)}\nGROUP BY experiment_id, hour",
        parameters.values,
        settings=SETTINGS,
    ).rows
    return {Hour(experiment_id, hour): traces for experiment_id, hour, traces in rows}


def start_of_newest(store: Store, question: Question, at_most: int) -> int:
    """Return the Unix ms at which the newest whole hours begin that hold `at_most` rows together.

    One hour at least, however many rows it holds.
    """
    hours: dict[int, int] = {}
    for hour, rows in list_hours(store, question).items():
        hours[hour.number] = hours.get(hour.number, 0) + rows
    rows, from_hour = 0, max(hours, default=0)
    for number in sorted(hours, reverse=True):
        rows += hours[number]
        if rows > at_most:
            break
        from_hour = number
    return from_hour * HOUR_MS


def draw_hours(hours: dict[Hour, int]) -> tuple[list[Range], Drawn]:
    """Draw blocks of adjacent hours, of about `SAMPLE_TRACES` traces together, always the same."""
    blocks: list[list[Hour]] = []
    size = 0
    for hour in sorted(hours):
        if (
            not blocks
            or size + hours[hour] > SAMPLE_TRACES // BLOCKS
            or blocks[-1][0].experiment_id != hour.experiment_id
        ):
            blocks.append([])
            size = 0
        blocks[-1].append(hour)
        size += hours[hour]
    blocks.sort(key=lambda block: hashlib.blake2b(repr(block[0]).encode()).digest())
    ranges: list[Range] = []
    traces = count = 0
    for block in blocks[:MAX_BLOCKS]:
        within_block = sum(hours[hour] for hour in block)
        if ranges and traces + within_block > SAMPLE_TRACES:
            break
        first, last = block[0].number, block[-1].number
        ranges.append(((block[0].experiment_id,), *time_range(first, last)))
        traces += within_block
        count += len(block)
    everything = sum(hours.values())
    return ranges, Drawn(traces / everything if everything else 1.0, traces, count)


def weigh(sample: Drawn) -> int:
    """Return how many units an ended trace of the sample stands for."""
    return round(UNIT / sample.fraction)


def extrapolate(counted: Counted, sample: Drawn) -> Counted:
    """Return weighed counts as numbers of traces."""
    return replace(
        counted,
        traces=round(counted.traces / UNIT),
        missing=round(counted.missing / UNIT),
        values=[(value, round(number / UNIT)) for value, number in counted.values],
        sample=sample,
    )
