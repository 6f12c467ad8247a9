"""Strata of compared traces: what they have in common whatever version answered them.

By default environment, trace name and size of the request. The request's size is what the caller
sent (the bytes of its preview), not what the version made of it: never tokens, never the
number of spans. The model is a stratum on request only, because the model may be what changed.
Hours are UTC's; `match_hours` chooses the finest that both versions have traffic for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.samples import LEAST_UNITS, count_units
from whence.analysis.statistics.units import encode
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from whence.query.population import Population

    Codes = NDArray[np.int64]

DEFAULT_BY = ("environment", "name", "input_size")
SIZE_BINS = 4
MATCHED = 0.9  # of what is compared without hours
_HOUR_MS, _DAY_HOURS, _WEEK_HOURS = 3_600_000, 24, 168
_PART_HOURS, _WORKING_DAYS, _EPOCH_WEEKDAY = 4, 5, 3  # 1970 began on a Thursday


def _size_bins(population: Population) -> Codes:
    """Return bins of powers of four of the size, so that neither version moves a border."""
    sizes = np.nan_to_num(population.request_bytes)
    steps = np.floor(np.log2(sizes + 1) / 2).astype(np.int64)
    return np.maximum(steps, int(steps.max(initial=0)) - SIZE_BINS + 1)


def _label(name: str) -> Callable[[Population], Codes]:
    def read(population: Population) -> Codes:
        return population.labels[name].codes.astype(np.int64)

    return read


def _hours_of_week(population: Population) -> Codes:
    return (population.request_time_ms // _HOUR_MS) % _WEEK_HOURS


def _hours_of_day(population: Population) -> Codes:
    return (population.request_time_ms // _HOUR_MS) % _DAY_HOURS


def _parts_of_week(population: Population) -> Codes:
    hours = population.request_time_ms // _HOUR_MS
    is_weekend = (hours // _DAY_HOURS + _EPOCH_WEEKDAY) % 7 >= _WORKING_DAYS
    parts = _DAY_HOURS // _PART_HOURS
    return is_weekend * parts + hours % _DAY_HOURS // _PART_HOURS


KEYS: dict[str, Callable[[Population], Codes]] = {
    "environment": _label("environment"),
    "name": _label("trace_name"),
    "input_size": _size_bins,
    "model": _label("model"),
    "hour_of_week": _hours_of_week,
    "hour_of_day": _hours_of_day,
    "part_of_week": _parts_of_week,
}
HOURS = ("hour_of_week", "hour_of_day", "part_of_week")
"""Of the finest first: 168 hours; 24; six parts of working days, and six of weekends."""


def check_by(by: Sequence[str] | None) -> tuple[str, ...]:
    """Return what to stratify by. Raises InvalidInputError for what there is not."""
    if by is None:
        return DEFAULT_BY
    for one in by:
        if one not in KEYS:
            raise InvalidInputError(
                f"traces can't be stratified by {one!r}; there are: {', '.join(KEYS)}"
            )
    return tuple(dict.fromkeys(by))


def find_strata(population: Population, by: Sequence[str]) -> Codes:
    """Return a code of each trace's stratum, dense from 0."""
    codes = np.zeros(population.size, dtype=np.int64)
    for one in by:
        part = KEYS[one](population)
        if not len(part):
            continue
        low = int(part.min())
        codes = _dense(codes * (int(part.max()) - low + 1) + part - low)
    return codes


def match_hours(population: Population, by: Sequence[str]) -> tuple[str, ...]:
    """Return `by` with the finest hours at which both versions have traffic, or as it is.

    Chosen by counts alone: at least `MATCHED` of the candidate's traces that are compared without
    hours must be compared with them.
    """
    whole = _cover(population, by)
    for one in HOURS:
        if one in by:
            break
        if whole and _cover(population, (*by, one)) >= MATCHED * whole:
            return (*by, one)
    return tuple(by)


def _cover(population: Population, by: Sequence[str]) -> int:
    """Return how many of the candidate's traces lie in strata that both versions have."""
    strata = find_strata(population, by)
    size = int(strata.max(initial=-1)) + 1
    is_covered = np.ones(size, np.bool_)
    for side in (population.is_candidate, ~population.is_candidate):
        units, n_units = encode(population.unit[side])
        is_covered &= count_units(strata[side], units, size, n_units) >= LEAST_UNITS
    return int(is_covered[strata[population.is_candidate]].sum())


def _dense(codes: Codes) -> Codes:
    seen = np.bincount(codes) > 0
    found: Codes = (np.cumsum(seen) - 1)[codes]
    return found
