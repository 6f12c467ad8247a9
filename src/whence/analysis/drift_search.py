"""Drift of a version: where its metric moved while the code stayed the same.

Series are looked through one version in one environment at a time, so a release is never taken for
drift. What returns every day (and every week, where three of them are known) is taken off first;
metrics that are ratios are looked at as logarithms. A change counts where the permutation test
finds it at a level shared by all series, and it is larger than the comparison's margin.

Limits: a change of the traffic's mix within a version looks the same. Buckets shorter than a day
need three days, or the hours of the day would be found. Values that hang on those before them
beyond days and weeks raise false alarms.
"""

from __future__ import annotations

import itertools
from math import ceil, exp, expm1
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.statistics.drift import LEAST_SEGMENT, find_change_points
from whence.query.timeline import DAY_MS, WEEK_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from whence.analysis.timeline_metrics import TimelineMetric
    from whence.query.timeline import VersionPoints

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

ALPHA = 0.01  # for all series of a question together
MOST_POINTS = 150
LEAST_BUCKETS = 2 * LEAST_SEGMENT
LEAST_DAYS = 3
LEAST_WEEKS = 3


class Drift(msgspec.Struct, frozen=True):
    """A change: the bucket it begins with, typical values around it, the effect and its interval.

    `effect`, `low` and `high` are fractions for ratios, else differences. `buckets` were looked at.
    """

    version: VersionPoints
    bucket: int
    before: float
    after: float
    effect: float
    low: float
    high: float
    p_value: float
    buckets: int


def find_drift(
    versions: Sequence[VersionPoints], metric: TimelineMetric, width_ms: int
) -> tuple[list[Drift], int]:
    """Return the changes in order of time, and how many series were looked through."""
    ready = [one for one in versions if _is_long_enough(one, width_ms)]
    alpha = ALPHA / max(1, len(ready))
    found = [change for one in ready for change in _search(one, metric, width_ms, alpha)]
    return sorted(found, key=lambda one: one.bucket), len(ready)


def _is_long_enough(version: VersionPoints, width_ms: int) -> bool:
    if len(version.points) < LEAST_BUCKETS:
        return False
    days = {bucket * width_ms // DAY_MS for bucket, _, _ in version.points}
    return width_ms >= DAY_MS or len(days) >= LEAST_DAYS


def _search(
    version: VersionPoints, metric: TimelineMetric, width_ms: int, alpha: float
) -> list[Drift]:
    buckets = np.array([bucket for bucket, _, _ in version.points], np.int64)
    weights = np.array([known for _, known, _ in version.points], np.float64)
    values = np.array([value for _, _, value in version.points], np.float64)
    if metric.is_ratio:
        kept = values > 0
        buckets, weights, values = buckets[kept], weights[kept], np.log(values[kept])
    if len(values) < LEAST_BUCKETS:
        return []
    level = _without_seasons(buckets, values, width_ms)
    starts = np.arange(0, len(values), -(-len(values) // MOST_POINTS))
    if len(starts) < len(values):
        summed = np.add.reduceat(weights, starts)
        level = np.add.reduceat(level * weights, starts) / summed
        values = np.add.reduceat(values * weights, starts) / summed
        buckets = buckets[starts]
    margin = float(np.log1p(metric.margin)) if metric.is_ratio else metric.margin
    changes = find_change_points(
        level, alpha=alpha, least_effect=margin, permutations=ceil(2 / alpha) - 1
    )
    borders = [0, *(one.place for one in changes), len(values)]
    means = [float(values[i:j].mean()) for i, j in itertools.pairwise(borders)]
    plain, relative = (exp, expm1) if metric.is_ratio else (float, float)
    return [
        Drift(
            version,
            int(buckets[one.place]),
            plain(means[number]),
            plain(means[number + 1]),
            relative(one.effect),
            relative(one.low),
            relative(one.high),
            one.p_value,
            len(values),
        )
        for number, one in enumerate(changes)
    ]


def _without_seasons(buckets: Numbers, values: Floats, width_ms: int) -> Floats:
    """Take off what returns every day, then every week, by the means of the same times."""
    left = values
    if width_ms < DAY_MS and DAY_MS % width_ms == 0:
        left = _without_season(buckets % (DAY_MS // width_ms), left)
    span_ms = int(buckets[-1] - buckets[0] + 1) * width_ms
    if width_ms <= DAY_MS and span_ms >= LEAST_WEEKS * WEEK_MS:
        left = _without_season(buckets * width_ms // DAY_MS % 7, left)
    return left


def _without_season(slots: Numbers, values: Floats) -> Floats:
    """Take off the mean of each slot, as far as it differs from the mean of all."""
    _, place = np.unique(slots, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    left: Floats = values - means[place] + values.mean()
    return left
