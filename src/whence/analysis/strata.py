"""Strata of compared traces: what they have in common whatever version answered them.

By default environment, trace name and size of the request. The request's size is what the caller
sent (the bytes of its preview), not what the version made of it: never tokens, never the
number of spans. The model is a stratum on request only, because the model may be what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from whence.query.population import Population

    Codes = NDArray[np.int64]

DEFAULT_BY = ("environment", "name", "input_size")
SIZE_BINS = 4
_HOUR_MS, _WEEK_HOURS = 3_600_000, 168


def _size_bins(population: Population) -> Codes:
    """Return bins of powers of four of the size, so that neither version moves a border."""
    sizes = np.nan_to_num(population.request_bytes)
    steps = np.floor(np.log2(sizes + 1) / 2).astype(np.int64)
    return np.maximum(steps, int(steps.max(initial=0)) - SIZE_BINS + 1)


def _label(name: str) -> Callable[[Population], Codes]:
    def read(population: Population) -> Codes:
        return population.labels[name].codes.astype(np.int64)

    return read


def _hours(population: Population) -> Codes:
    return (population.request_time_ms // _HOUR_MS) % _WEEK_HOURS


KEYS: dict[str, Callable[[Population], Codes]] = {
    "environment": _label("environment"),
    "name": _label("trace_name"),
    "input_size": _size_bins,
    "model": _label("model"),
    "hour_of_week": _hours,
}


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


def _dense(codes: Codes) -> Codes:
    seen = np.bincount(codes) > 0
    found: Codes = (np.cumsum(seen) - 1)[codes]
    return found
