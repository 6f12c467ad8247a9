"""The versions of an application, with what their traces say about each.

Counts, sums and the times of first and last sight are exact; percentiles come from histograms whose
buckets are 2.2 % wide, so they are within 1.1 % of the nearest-rank percentile. Rollups answer for
whole hours, `traces` for what has changed since (`version_source`).

A version is an `app_version`; traces that name none are told apart by their commit. Versions come
in the order of `version_order`, the newest first.

Limit: a trace that ends while it is counted may be counted as ended and as not ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.entities.version import VersionRow
from whence.errors import InvalidInputError
from whence.query.compile import SETTINGS, Parameters
from whence.query.manifests import find_differences, read_manifests
from whence.query.version_order import Placed, order_versions
from whence.query.version_quality import read_quality
from whence.store.ancestors import read_ancestors
from whence.store.rollups import BUCKETS_PER_OCTAVE, list_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.entities.version_manifest import VersionManifest
    from whence.query.version_source import Selection
    from whence.store.connection import Store

DEFAULT_MAX_VERSIONS = 100
MAX_MAX_VERSIONS = 1000
MAX_COMMITS = 10
MAX_MANIFESTS = 10
_NS_PER_MS = 1_000_000
PERCENTILES = (50, 95, 99)
# How rows are grouped: name → the columns of the row that stay.
BY_VERSION = ("app_version", "lone_commit")
BY_ENVIRONMENT = "environment"
Name = tuple[str | None, str | None]  # app_version, and the commit of a row that has none


class VersionTable(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, the newest on top; `total` counts those that are not listed too."""

    versions: list[VersionRow]
    total: int


def read_versions(
    store: Store,
    selection: Selection,
    *,
    by_environment: bool = False,
    with_quality: bool = False,
    max_versions: int = DEFAULT_MAX_VERSIONS,
) -> VersionTable:
    """Return the versions of the selected traces, newest first; those first seen last are listed.

    `by_environment`: a row for each environment too, environments by name. Raises
    InvalidInputError for a bad limit.
    """
    if not 0 < max_versions <= MAX_MAX_VERSIONS:
        raise InvalidInputError(
            f"max_versions must be between 1 and {MAX_MAX_VERSIONS}, got {max_versions}"
        )
    keys = (BY_ENVIRONMENT, *BY_VERSION) if by_environment else BY_VERSION
    rows, total = read_rows(store, selection, keys=keys, limit=max_versions)
    if with_quality:
        quality = read_quality(store, selection, by_environment=by_environment)
        rows = [
            msgspec.structs.replace(
                row, quality=quality.get((row.environment, row.app_version, row.commit), [])
            )
            for row in rows
        ]
    return VersionTable(versions=_sort(store, warn(store, rows)), total=total)


def read_rows(
    store: Store, selection: Selection, *, keys: Sequence[str] = (), limit: int = 1
) -> tuple[list[VersionRow], int]:
    """Return the rows of the selected traces by these columns, and how many there would be.

    Without columns it is one row of all, without a name.
    """
    parameters = Parameters()
    bound = parameters.bind(limit, "UInt64")
    found = store.query(
        _SELECT.format(
            source=selection.sources(store, parameters),
            sums=list_sums(),
            keys="".join(f"{name}, " for name in keys),
            group=f"GROUP BY {', '.join(keys)}" if keys else "HAVING traces + still_open > 0",
            limit=bound,
        ),
        parameters.values,
        settings=SETTINGS,
    ).dicts()
    return [_read_row(row) for row in found], found[0]["total"] if found else 0


def warn(store: Store, rows: Sequence[VersionRow]) -> list[VersionRow]:
    """Add to each row what makes its version doubtful, in all the environments of these rows."""
    by_name = _group(rows)
    digests = {
        name: {one.digest: None for row in same for one in row.manifests}
        for name, same in by_name.items()
    }
    doubtful = {one for names in digests.values() if len(names) > 1 for one in names}
    manifests = read_manifests(store, doubtful)
    warnings = {
        name: _find_warnings(
            name, same, [manifests[one] for one in digests[name] if one in manifests]
        )
        for name, same in by_name.items()
    }
    return [
        msgspec.structs.replace(row, warnings=warnings[row.app_version, row.commit]) for row in rows
    ]


def read_warnings(store: Store, selection: Selection) -> list[str]:
    """Return what makes the version of these traces doubtful."""
    rows, _ = read_rows(store, selection, keys=BY_VERSION)
    return [text for row in warn(store, rows) for text in row.warnings]


def _find_warnings(
    name: Name, rows: Sequence[VersionRow], manifests: Sequence[VersionManifest]
) -> list[str]:
    app_version, commit = name
    if app_version is None and commit is None:
        return []
    shown = app_version if app_version is not None else f"commit {commit}"
    if len(manifests) > 1 and (parts := find_differences(manifests)):
        named = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
        return [f"{shown} names {len(manifests)} different manifests: they differ in {named}"]
    commits = {one.commit for row in rows for one in row.commits}
    if len(commits) > 1:
        return [f"{shown} names {max(len(commits), *(row.commit_count for row in rows))} commits"]
    return []


def _group(rows: Sequence[VersionRow]) -> dict[Name, list[VersionRow]]:
    by_name: dict[Name, list[VersionRow]] = {}
    for row in rows:
        by_name.setdefault((row.app_version, row.commit), []).append(row)
    return by_name


def _sort(store: Store, rows: Sequence[VersionRow]) -> list[VersionRow]:
    """Put the newest first, within each environment."""
    by_name = _group(rows)
    placed = [
        Placed(
            app_version,
            frozenset(one.commit for row in same for one in row.commits),
            min(row.first_seen_ms for row in same),
        )
        for (app_version, _), same in by_name.items()
    ]
    commits = {commit for one in placed for commit in one.commits}
    order = order_versions(placed, read_ancestors(store, commits) if len(placed) > 1 else {})
    names = list(by_name)
    newest_first = [row for number in reversed(order) for row in by_name[names[number]]]
    return sorted(newest_first, key=lambda row: (row.environment is None, row.environment or ""))


def _frequent(counts: str, limit: int) -> str:
    """Return the SQL of the most frequent keys of a map, each with its count."""
    pairs = f"arrayZip(mapKeys({counts}), mapValues({counts}))"
    return f"arraySlice(arraySort(one -> (-toInt64(one.2), one.1), {pairs}), 1, {limit})"


# `open` is 1 for unfinished traces, `percentiles` nanoseconds. A bucket's middle stands for it.
_SELECT = f"""\
WITH
    mapKeys(durations) AS buckets,
    arrayCumSum(mapValues(durations)) AS heights,
    arrayLast(height -> 1, heights) AS measured,
    arrayMap(
        percent -> buckets[arrayFirstIndex(
            height -> height >= greatest(1, intDivOrZero(measured * percent + 99, 100)), heights)],
        {list(PERCENTILES)}
    ) AS ranked
SELECT
    {{keys}}traces, still_open, errors, spans, counted, input_tokens, output_tokens,
    total_tokens, priced, cost_usd, dirty, first_seen_ms, last_seen_ms,
    measured,
    arrayMap(b -> if(b < 0, 0, exp2((b + 0.5) / {BUCKETS_PER_OCTAVE})), ranked) AS percentiles,
    length(commits) AS commit_count,
    {_frequent("commits", MAX_COMMITS)} AS frequent,
    length(manifests) AS manifest_count,
    {_frequent("manifests", MAX_MANIFESTS)} AS frequent_manifests,
    count() OVER () AS total
FROM
(
    SELECT
        {{keys}}
        sum(open) AS still_open,
        {{sums}}
    FROM
    (
{{source}}
    )
    {{group}}
)
ORDER BY first_seen_ms DESC
LIMIT {{limit}}
"""


msgspec.json.Decoder(VersionRow)  # compiles it before any thread: see `whence.otlp.json`


def _read_row(row: Mapping[str, object]) -> VersionRow:
    value: dict[str, object] = dict(row)
    ended, errors = int(str(value["traces"])), int(str(value["errors"]))
    return msgspec.convert(
        {
            BY_ENVIRONMENT: None,
            "app_version": None,
            **value,
            "commit": value.get("lone_commit"),
            "unfinished": value["still_open"],
            "error_rate": errors / ended if ended else None,
            **_name_percentiles(value),
            "commits": [{"commit": one, "traces": n} for one, n in value["frequent"]],  # type: ignore[attr-defined]
            "manifests": [
                {"digest": one, "traces": n}
                for one, n in value["frequent_manifests"]  # type: ignore[attr-defined]
            ],
        },
        VersionRow,
    )


def _name_percentiles(row: Mapping[str, object]) -> dict[str, float | None]:
    names = [f"p{percent}_ms" for percent in PERCENTILES]
    if not row["measured"]:
        return dict.fromkeys(names)
    found = row["percentiles"]
    # Six digits that count: whole nanoseconds would be too coarse for the shortest.
    return {name: float(f"{ns / _NS_PER_MS:.6g}") for name, ns in zip(names, found, strict=True)}  # type: ignore[call-overload]
