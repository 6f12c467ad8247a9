"""The versions of an application in one environment, with what their traces say about each.

Counts, sums and the times of first and last sight are exact; percentiles come from histograms whose
buckets are 2.2 % wide, so they are within 1.1 % of the nearest-rank percentile. Rollups answer for
whole hours, `traces` for what has changed since (`coverage`).

Versions come in the order in which they were first seen, the newest first. That is no order of the
code: commits of two branches may be deployed in any order.

Limit: a trace that ends while it is counted may be counted as ended and as not ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.errors import InvalidInputError
from whence.query.compile import SETTINGS, Parameters
from whence.query.coverage import MAX_MS, Question, divide, living, within
from whence.query.filters import Comparison
from whence.query.vocabulary import Field
from whence.semconv import normalise_environment
from whence.store.rollups import (
    BUCKETS_PER_OCTAVE,
    MEASURED,
    list_measures,
    list_stored,
    list_sums,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.connection import Store

DEFAULT_MAX_VERSIONS = 100
MAX_MAX_VERSIONS = 1000
MAX_COMMITS = 10
_NS_PER_MS = 1_000_000
_ENVIRONMENT = Field("attribute", "environment")
PERCENTILES = (50, 95, 99)


class VersionCommit(msgspec.Struct, frozen=True):
    """A commit and the number of traces that name it."""

    commit: str
    traces: int


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version's traces. `app_version` is null for those that name none.

    `traces` have ended, `unfinished` have not. `error_rate` and percentiles (ms) are of ended
    traces, null without any. Tokens and cost are sums; `counted` and `priced` say of how many
    traces they are known. `commits`: the most frequent ones; `dirty`: traces whose work tree had
    changes.
    """

    app_version: str | None
    traces: int
    unfinished: int
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    spans: int
    counted: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    priced: int
    cost_usd: float
    commits: list[VersionCommit]
    commit_count: int
    dirty: int
    first_seen_ms: int
    last_seen_ms: int


class VersionTable(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, the one first seen last on top; `total` counts those that are not listed too."""

    versions: list[VersionRow]
    total: int


def read_versions(
    store: Store,
    *,
    environment: str | None = None,
    experiment_ids: Sequence[str] | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    max_versions: int = DEFAULT_MAX_VERSIONS,
    environment_aliases: Mapping[str, str] | None = None,
) -> VersionTable:
    """Return the versions of an environment (all environments without one), newest first.

    `since_ms` is included, `until_ms` is not. Raises InvalidInputError for a bad limit.
    """
    if not 0 < max_versions <= MAX_MAX_VERSIONS:
        raise InvalidInputError(
            f"max_versions must be between 1 and {MAX_MAX_VERSIONS}, got {max_versions}"
        )
    question = _ask(environment, experiment_ids, since_ms, until_ms, environment_aliases)
    parameters = Parameters()
    limit = parameters.bind(max_versions, "UInt64")
    source = "\nUNION ALL\n".join(_sources(store, question, parameters))
    rows = store.query(
        _SELECT.format(source=source, sums=list_sums(), limit=limit),
        parameters.values,
        settings=SETTINGS,
    )
    found = rows.dicts()
    return VersionTable(
        versions=[_read_row(row) for row in found], total=found[0]["total"] if found else 0
    )


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
    app_version, traces, still_open, errors, spans, counted, input_tokens, output_tokens,
    total_tokens, priced, cost_usd, dirty, first_seen_ms, last_seen_ms,
    measured,
    arrayMap(b -> if(b < 0, 0, exp2((b + 0.5) / {BUCKETS_PER_OCTAVE})), ranked) AS percentiles,
    length(commits) AS commit_count,
    arraySlice(
        arraySort(one -> (-toInt64(one.2), one.1), arrayZip(mapKeys(commits), mapValues(commits))),
        1, {MAX_COMMITS}
    ) AS frequent,
    count() OVER () AS total
FROM
(
    SELECT
        app_version,
        sum(open) AS still_open,
        {{sums}}
    FROM
    (
{{source}}
    )
    GROUP BY app_version
)
ORDER BY first_seen_ms DESC, app_version
LIMIT {{limit}}
"""


def _ask(
    environment: str | None,
    experiment_ids: Sequence[str] | None,
    since_ms: int | None,
    until_ms: int | None,
    aliases: Mapping[str, str] | None,
) -> Question:
    tree = None
    if environment is not None:
        named = normalise_environment(environment, aliases)
        tree = Comparison(_ENVIRONMENT, "=", (named,))
    question = Question(tuple(sorted(set(experiment_ids or ()))), tree)
    return Question(
        question.experiment_ids,
        tree,
        question.from_ms if since_ms is None else min(max(0, since_ms), MAX_MS),
        question.until_ms if until_ms is None else min(max(-1, until_ms - 1), MAX_MS),
    )


def _sources(store: Store, question: Question, parameters: Parameters) -> list[str]:
    """Return SELECTs of the columns of `trace_statistics` that answer the question together."""
    cover = divide(store, question)
    condition = question.condition(parameters)
    times = question.time_condition(parameters)
    if cover is None:
        tables = {"traces FINAL": (times, list_measures())}
    else:
        rolled = living(cover, parameters)
        tables = {"trace_statistics": (rolled, list_stored())}
        if cover.direct:
            tables["traces FINAL"] = (within(cover.direct, parameters), list_measures())
    parts = [
        f"SELECT app_version, toUInt64(0) AS open, {columns}\nFROM {table}\n"
        f"WHERE {condition} AND {rows}{'' if table == 'trace_statistics' else ' AND deleted = 0'}"
        for table, (rows, columns) in tables.items()
    ]
    still = {"first_seen_ms": "request_time_ms", "last_seen_ms": "request_time_ms"}
    empty = {"durations": "map()", "commits": "map()"}
    nothing = ", ".join(
        f"{still.get(name, empty.get(name, '0'))} AS one_{name}" for name in MEASURED
    )
    parts.append(
        f"SELECT app_version, toUInt64(1) AS open, {nothing}\n"
        f"FROM open_traces FINAL\nWHERE {condition} AND {times} AND deleted = 0"
    )
    return parts


msgspec.json.Decoder(VersionRow)  # compiles it before any thread: see `whence.otlp.json`


def _read_row(row: Mapping[str, object]) -> VersionRow:
    value: dict[str, object] = dict(row)
    ended, errors = int(str(value["traces"])), int(str(value["errors"]))
    return msgspec.convert(
        {
            **value,
            "unfinished": value["still_open"],
            "error_rate": errors / ended if ended else None,
            **_name_percentiles(value),
            "commits": [{"commit": one, "traces": n} for one, n in value["frequent"]],  # type: ignore[attr-defined]
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
