"""How long the traces of both sides of a comparison took: what a chart of it is drawn from.

Plain numbers, as the API answers them. Shares are of the arm's traces that have a duration.
"""

from __future__ import annotations

import msgspec


class DurationArm(msgspec.Struct, frozen=True, kw_only=True):
    """One side: `used` of its `traces` that have ended were looked at; quantiles in ms."""

    asked: str
    kind: str
    filter_string: str
    traces: int
    used: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class DurationRegion(msgspec.Struct, frozen=True, kw_only=True):
    """Traces that took `low_ms` or longer, and less than `high_ms`: how many, and their filters."""

    low_ms: int
    high_ms: int
    baseline: int
    candidate: int
    baseline_filter: str
    candidate_filter: str


class DurationDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """Both distributions: `baseline_shares[i]` of the baseline's traces took at most `at_ms[i]`.

    `regions` cover all durations without a gap, in whole milliseconds. `exact` is false where
    traces were sampled: then the counts are the sample's.
    """

    baseline: DurationArm
    candidate: DurationArm
    at_ms: list[float]
    baseline_shares: list[float]
    candidate_shares: list[float]
    regions: list[DurationRegion]
    exact: bool
    elapsed_ms: float
