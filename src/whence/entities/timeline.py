"""A metric over time: what `whence.timeline` returns and `GET /api/v1/timeline` answers.

These structs are the API's own JSON: the server writes them and the client reads them. Times are
Unix ms; buckets are cut in UTC. What is not known is None: a bucket without traffic has no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import MissingPackageError

if TYPE_CHECKING:
    import pandas as pd


class TimelineSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The line of one group; `kind` is all, value or missing (traces that name no value).

    Both lists have an element for every bucket: `values` is null where no trace has a value,
    `counts` is how many have one. `traces` have ended, over all buckets. `filter_string` gives
    them; null where no filter can hold the value.
    """

    kind: str
    group: str | None
    traces: int
    values: list[float | None]
    counts: list[int]
    filter_string: str | None


class VersionMarker(msgspec.Struct, frozen=True, kw_only=True):
    """When the first trace of a version (or of a commit without one) began somewhere."""

    at_ms: int
    environment: str | None
    app_version: str | None
    commit: str | None
    traces: int


class TimelineChange(msgspec.Struct, frozen=True, kw_only=True):
    """Where the metric of one version in one environment moved, though no release did: drift.

    `at_ms` is the beginning of the first bucket after it. `effect`, `low` and `high` are fractions
    (0.12 is +12 %) where `scale` is `ratio`, else differences in the metric's unit. `p_value` is
    of a permutation test over all places where it could have moved; `series` says among how many
    series it was found, for which it is corrected. `releases_near` are other versions whose first
    trace began within a bucket of it: their traffic may be the cause.
    """

    environment: str | None
    app_version: str | None
    commit: str | None
    at_ms: int
    before: float
    after: float
    effect: float
    low: float
    high: float
    scale: str
    worse: bool
    p_value: float
    series: int
    buckets: int
    releases_near: list[str]
    text: str
    filter_before: str | None
    filter_after: str | None


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A metric in buckets of `bucket_ms`, the first of which begins at `from_ms`.

    `source` is where values come from: `rollups` of whole hours (`exact` is false for durations
    from there, `precision` says how near they are), or `traces`. A value of fewer than
    `enough_traces` is mostly noise. `groups_left_out` groups with `traces_left_out` traces have no
    line. `drift_series` is how many series were looked through for drift; none: `notes` say why.
    """

    metric: str
    unit: str
    better: str
    by: str | None
    environment: str | None
    filter_string: str
    from_ms: int
    until_ms: int
    bucket_ms: int
    time_zone: str
    source: str
    exact: bool
    precision: str
    enough_traces: int
    series: list[TimelineSeries]
    groups_left_out: int
    traces_left_out: int
    markers: list[VersionMarker]
    changes: list[TimelineChange]
    drift_series: int
    notes: list[str]
    elapsed_ms: float

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each bucket and group: time (UTC), group, value, count.

        Raises MissingPackageError without pandas.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise MissingPackageError("to_pandas() needs pandas: pip install pandas") from None
        rows: list[dict[str, Any]] = []
        for line in self.series:
            for number, (value, count) in enumerate(zip(line.values, line.counts, strict=True)):
                at = pd.Timestamp(self.from_ms + number * self.bucket_ms, unit="ms", tz="UTC")
                rows.append({"time": at, "group": line.group, "value": value, "count": count})
        return pd.DataFrame(rows, columns=["time", "group", "value", "count"])
