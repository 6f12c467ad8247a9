"""A metric over time: lines by group, when versions began, and drift without a release."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from whence.analysis.drift_search import LEAST_BUCKETS, LEAST_DAYS, find_drift
from whence.analysis.timeline_metrics import TimelineMetric, find_metric
from whence.entities.timeline import Timeline, TimelineChange, TimelineSeries, VersionMarker
from whence.errors import InvalidInputError
from whence.query.arms import Scope, all_of, read_scope
from whence.query.coverage import ask, has_renamed, speaks_of_names
from whence.query.environments import ENVIRONMENT
from whence.query.filters import And, Comparison, render
from whence.query.runs import follow_links
from whence.query.series import choose_width
from whence.query.timeline import (
    DAY_MS,
    WEEK_MS,
    Asked,
    TimelineReader,
    field_of,
    read_by,
    shift_of,
)
from whence.query.version_source import Selection
from whence.query.version_table import BY_ENVIRONMENT, BY_VERSION, MAX_MAX_VERSIONS, read_rows
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.drift_search import Drift
    from whence.query.filters import Filter
    from whence.query.timeline import Found, Point
    from whence.store.connection import Store

DEFAULT_GROUPS, MAX_GROUPS = 8, 20
DEFAULT_BUCKETS, MAX_BUCKETS = 60, 500
MAX_MARKERS = 200
_MS_OF_UNIT = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": WEEK_MS}
_BUCKET = re.compile(r"([1-9][0-9]{0,5}) ?(s|m|h|d|w)")
_TIME = Field("attribute", "timestamp_ms")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to draw: the metric, what lines are of, how wide buckets are (None: as fits)."""

    scope: Scope
    metric: str
    by: str | None = None
    bucket: str | None = None
    groups: int = DEFAULT_GROUPS


class _Frame(msgspec.Struct, frozen=True):
    """The buckets: the number of the first and of the last, their width, and how they lie."""

    first: int
    last: int
    width_ms: int

    def start_of(self, number: int) -> int:
        return number * self.width_ms - shift_of(self.width_ms)


def draw_timeline(store: Store, question: Question) -> Timeline:
    """Return the timeline. Raises InvalidInputError for what can't be drawn, FilterError."""
    started = time.perf_counter()
    scope = question.scope
    metric, by = find_metric(question.metric), read_by(question.by)
    asked_width = None if question.bucket is None else read_bucket(question.bucket)
    check_groups(question.groups)
    tree = read_scope(store, scope)
    plain_names = speaks_of_names(tree) and not has_renamed(store)
    followed = follow_links(tree, store)
    asked = Asked(
        question=ask(followed, scope.experiment_ids, plain_names=plain_names),
        column=metric.column,
        p=metric.p,
        is_count=metric.kind == "count",
        by=by,
    )
    reader = TimelineReader(store, asked)
    found = reader.read_groups(question.groups)
    frame = _cut(found, scope, asked_width)
    points = reader.read_points(frame.width_ms, [one.value for one in found.groups])
    environment = _environment_of(tree)
    markers, notes = _read_markers(store, scope, environment, frame)
    changes: list[TimelineChange] = []
    looked_at = 0
    if metric.kind != "count" and found.traces:
        versions = reader.read_versions(frame.width_ms, metric.least, LEAST_BUCKETS)
        drifts, looked_at = find_drift(versions, metric, frame.width_ms)
        changes = [_tell(one, looked_at, metric, frame, markers, tree) for one in drifts]
    source = reader.find_source(frame.width_ms)
    exact = source == "traces" or metric.column != "duration"
    notes += _write_notes(metric, found, points, looked_at)
    return Timeline(
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        by=by,
        environment=environment,
        filter_string=scope.filter_string or "",
        from_ms=frame.start_of(frame.first),
        until_ms=frame.start_of(frame.last + 1),
        bucket_ms=frame.width_ms,
        time_zone="UTC",
        source=source,
        exact=exact,
        precision="exact" if exact else "within 1.1 %",
        enough_traces=metric.enough,
        series=[
            _draw(one.value, one.traces, points[one.value], frame, by, tree) for one in found.groups
        ],
        groups_left_out=found.count - len(found.groups),
        traces_left_out=found.traces - sum(one.traces for one in found.groups),
        markers=markers,
        changes=changes,
        drift_series=looked_at,
        notes=notes,
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def check_groups(groups: int) -> None:
    """Raise InvalidInputError for too many lines, or none."""
    if not 0 < groups <= MAX_GROUPS:
        raise InvalidInputError(
            f"groups must be between 1 and {MAX_GROUPS}, got {groups}; a filter chooses among more"
        )


def read_bucket(text: str) -> int:
    """Return the width of a bucket in ms. Raises InvalidInputError."""
    found = _BUCKET.fullmatch(text.strip())
    if found is None:
        raise InvalidInputError(
            f"the bucket {text[:50]!r} can't be read; write 30s, 5m, 1h, 1d or 1w"
        )
    return int(found[1]) * _MS_OF_UNIT[found[2]]


def _cut(found: Found, scope: Scope, width_ms: int | None) -> _Frame:
    """Return the buckets from the first to the last trace, or as far as the scope goes."""
    first = max(0, min((one.first_ms for one in found.groups), default=0))
    last = max((one.last_ms for one in found.groups), default=0)
    if found.groups and scope.since_ms is not None:
        first = scope.since_ms
    if found.groups and scope.until_ms is not None:
        last = scope.until_ms - 1
    last = max(first, last)
    width = width_ms or choose_width(first, last, DEFAULT_BUCKETS)
    shift = shift_of(width)
    frame = _Frame((first + shift) // width, (last + shift) // width, width)
    count = frame.last - frame.first + 1
    if count > MAX_BUCKETS:
        fits = _write_width(choose_width(first, last, MAX_BUCKETS))
        raise InvalidInputError(
            f"{count:,} buckets lie between {_write_time(first)} and {_write_time(last)}, at most "
            f"{MAX_BUCKETS} are drawn: take buckets of {fits}, or name a shorter time"
        )
    return frame


def _write_width(width_ms: int) -> str:
    unit = max((ms, name) for name, ms in _MS_OF_UNIT.items() if width_ms % ms == 0)
    return f"{width_ms // unit[0]}{unit[1]}"


def _draw(
    group: str | None,
    traces: int,
    points: Sequence[Point],
    frame: _Frame,
    by: str | None,
    tree: Filter | None,
) -> TimelineSeries:
    size = frame.last - frame.first + 1
    values: list[float | None] = [None] * size
    counts = [0] * size
    for bucket, known, value in points:
        if frame.first <= bucket <= frame.last:
            values[bucket - frame.first] = float(f"{value:.8g}")
            counts[bucket - frame.first] = known
    kind = "all" if by is None else "missing" if group is None else "value"
    parts: list[Filter | None] = [tree]
    if by is not None:
        named = field_of(by)
        is_it = Comparison(named, "IS NULL") if group is None else Comparison(named, "=", (group,))
        parts.append(is_it)
    return TimelineSeries(
        kind=kind,
        group=group,
        traces=traces,
        values=values,
        counts=counts,
        filter_string=_show(*parts),
    )


# --- Markers --------------------------------------------------------------------------------------


def _environment_of(tree: Filter | None) -> str | None:
    """Return the one environment that a filter asks for, where it plainly does."""
    parts = tree.operands if isinstance(tree, And) else (tree,)
    for one in parts:
        if isinstance(one, Comparison) and one.field == ENVIRONMENT and one.operator == "=":
            return str(one.values[0])
    return None


def _read_markers(
    store: Store, scope: Scope, environment: str | None, frame: _Frame
) -> tuple[list[VersionMarker], list[str]]:
    """Return when each version began, in order of time, of all traffic of the environment."""
    selection = Selection(
        environment=environment, experiment_ids=tuple(sorted(set(scope.experiment_ids)))
    )
    rows, _ = read_rows(
        store, selection, keys=(BY_ENVIRONMENT, *BY_VERSION), limit=MAX_MAX_VERSIONS
    )
    since, until = frame.start_of(frame.first), frame.start_of(frame.last + 1)
    began = [
        VersionMarker(
            at_ms=row.first_seen_ms,
            environment=row.environment,
            app_version=row.app_version,
            commit=row.commit or (row.commits[0].commit if row.commits else None),
            traces=row.traces,
        )
        for row in rows
        if since <= row.first_seen_ms < until and (row.app_version or row.commit)
    ]
    notes = []
    if len(began) > MAX_MARKERS:
        notes.append(f"{len(began):,} versions began: the last {MAX_MARKERS} are marked")
    return sorted(began[:MAX_MARKERS], key=lambda one: one.at_ms), notes


# --- Drift ----------------------------------------------------------------------------------------


def _tell(
    drift: Drift,
    series: int,
    metric: TimelineMetric,
    frame: _Frame,
    markers: Sequence[VersionMarker],
    tree: Filter | None,
) -> TimelineChange:
    version, at_ms = drift.version, frame.start_of(drift.bucket)
    is_version = version.app_version is not None
    name = version.app_version or version.commit or ""
    near = [
        one.app_version or one.commit or ""
        for one in markers
        if one.environment == version.environment
        and abs(one.at_ms - at_ms) <= frame.width_ms
        and (one.app_version or one.commit) != name
    ]
    parts: list[Filter | None] = [
        tree,
        Comparison(Field("attribute", "app_version" if is_version else "commit"), "=", (name,)),
        Comparison(ENVIRONMENT, "IS NULL")
        if version.environment is None
        else Comparison(ENVIRONMENT, "=", (version.environment,)),
    ]
    if tree is not None and version.environment == _environment_of(tree):
        parts.pop()  # said already
    where = "" if version.environment is None else f" in {version.environment}"
    release = f"; {', '.join(near)} began then" if near else ", with no release"
    return TimelineChange(
        environment=version.environment,
        app_version=version.app_version,
        commit=version.commit,
        at_ms=at_ms,
        before=drift.before,
        after=drift.after,
        effect=drift.effect,
        low=drift.low,
        high=drift.high,
        scale="ratio" if metric.is_ratio else "difference",
        worse=(drift.effect > 0) == (metric.better == "lower"),
        p_value=drift.p_value,
        series=series,
        buckets=drift.buckets,
        releases_near=near,
        text=f"{metric.name} of {name}{where} moved by {_write_effect(drift, metric)} from "
        f"{_write_time(at_ms)} on{release}",
        filter_before=_show(*parts, Comparison(_TIME, "<", (float(at_ms),))),
        filter_after=_show(*parts, Comparison(_TIME, ">=", (float(at_ms),))),
    )


def _write_effect(drift: Drift, metric: TimelineMetric) -> str:
    percent = metric.is_ratio or metric.kind == "share"
    shown = [
        f"{100 * one:+.1f}" if percent else f"{one:+.3g}"
        for one in (drift.effect, drift.low, drift.high)
    ]
    unit = " %" if metric.is_ratio else " points" if percent else ""
    return f"{shown[0]}{unit} ({shown[1]} to {shown[2]})"


def _write_notes(
    metric: TimelineMetric,
    found: Found,
    points: dict[str | None, list[Point]],
    looked_at: int,
) -> list[str]:
    notes = []
    if found.traces and not any(points.values()):
        notes.append(f"none of the {found.traces:,} traces has a {metric.name}")
    elif found.traces and not looked_at and metric.kind != "count":
        notes.append(
            f"drift was not looked for: no version has {LEAST_BUCKETS} buckets of "
            f"{metric.least} traces, over {LEAST_DAYS} days where they are shorter than a day"
        )
    if found.count > len(found.groups):
        notes.append(f"{found.count:,} groups: the {len(found.groups)} with most traces are drawn")
    return notes


def _write_time(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _show(*parts: Filter | None) -> str | None:
    kept = [one for one in parts if one is not None]
    if not kept:
        return ""
    try:
        return render(all_of(*kept))
    except ValueError:  # a name with both kinds of quotes
        return None
