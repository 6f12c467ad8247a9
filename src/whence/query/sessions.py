"""Sessions and users: what their traces add up to, the latest active on top.

A *group* is the traces that name one session, or one user, among those that a filter finds. All is
counted from `traces` and `open_traces`, exactly. More than `EXACT_TRACES` rows are not read: the
newest whole hours are counted instead, and the answer says from when on (`counted_from_ms`).

Limit: a trace that ends while it is counted may be counted as ended and as not ended.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from whence.errors import InvalidInputError, StoreError
from whence.query.compile import SETTINGS, Parameters
from whence.query.coverage import ask, has_renamed, speaks_of_names
from whence.query.environments import normalise_environments
from whence.query.facet_samples import start_of_newest
from whence.query.facet_sql import EXACT_TRACES
from whence.query.facet_statement import is_too_many, limit_rows
from whence.query.filters import And, Comparison
from whence.query.parser import parse_filter
from whence.query.runs import follow_links
from whence.query.times import narrow
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.query.coverage import Question
    from whence.store.connection import Store

By = Literal["session", "user"]
Place = tuple[int, str]  # the time of the last trace in Unix ms, the name
Previews = tuple[str | None, str | None]  # of inputs, of outputs
DEFAULT_MAX_RESULTS = 50
MAX_MAX_RESULTS = 500
MAX_LISTED = 5  # users, versions, environments of a group
_OTHER: dict[By, By] = {"session": "user", "user": "session"}
_cursors = msgspec.json.Decoder(tuple[str, int, str])


class TraceGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The traces of a session, or of a user; times are Unix ms, at which traces began.

    `others` counts a session's users, or a user's sessions; `users`, `environments` and
    `app_versions` list at most five each, by name, `users` only of a session. Tokens and cost add
    up what traces recorded, null where none did. The previews are of the first trace's inputs and
    the last one's outputs.
    """

    name: str
    traces: int
    errors: int
    unfinished: int
    first_ms: int
    last_ms: int
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    others: int
    users: list[str]
    environments: list[str]
    app_versions: list[str]
    request_preview: str | None
    response_preview: str | None


@dataclass(frozen=True)
class GroupPage:
    """Groups, the latest active first; `total` counts those of other pages too."""

    groups: list[TraceGroup]
    total: int
    next_cursor: str | None
    counted_from_ms: int | None


def list_groups(
    store: Store,
    by: By,
    *,
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    name: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    cursor: str | None = None,
    environment_aliases: Mapping[str, str] | None = None,
) -> GroupPage:
    """Return a page of sessions or users of the traces that a filter finds; `name`: this one alone.

    Raises FilterError for a bad filter, InvalidInputError for a bad time, limit or cursor.
    """
    if not 0 < max_results <= MAX_MAX_RESULTS:
        raise InvalidInputError(
            f"max_results must be between 1 and {MAX_MAX_RESULTS}, got {max_results}"
        )
    position = None if cursor is None else _read_cursor(cursor, by)
    tree = follow_links(parse_filter(filter_string), store)
    if tree is not None:
        tree = normalise_environments(tree, environment_aliases)
    tree = narrow(tree, since_ms, until_ms)
    if name is not None:
        one = Comparison(Field("attribute", by), "=", (name,))
        tree = one if tree is None else And((tree, one))
    plain_names = speaks_of_names(tree) and not has_renamed(store)
    question = ask(tree, experiment_ids or (), plain_names=plain_names)
    counted_from_ms = None
    try:
        places, total = _find(store, by, question, position, max_results + 1, EXACT_TRACES)
    except StoreError as error:
        if not is_too_many(error):
            raise
        counted_from_ms = max(question.from_ms, start_of_newest(store, question, EXACT_TRACES))
        question = replace(question, from_ms=counted_from_ms)
        places, total = _find(store, by, question, position, max_results + 1, 0)
    shown = places[:max_results]
    return GroupPage(
        groups=_add_up(store, by, question, shown),
        total=total,
        next_cursor=_write_cursor(by, shown[-1]) if len(places) > max_results else None,
        counted_from_ms=counted_from_ms,
    )


def _find(
    store: Store, by: By, question: Question, position: Place | None, limit: int, at_most: int
) -> tuple[list[Place], int]:
    """Return the next places, and how many groups there are; columns of the sort alone are read."""
    parameters = Parameters()
    behind = "1"
    if position is not None:
        behind = (
            f"(-last_ms, name) > ({parameters.bind(-position[0], 'Int64')}, "
            f"{parameters.bind(position[1], 'String')})"
        )
    sql = _FIND.format(
        source=_unite(question, parameters, f"request_time_ms, {by} AS name", f"isNotNull({by})"),
        behind=behind,
        limit=parameters.bind(limit, "UInt64"),
    )
    settings = {**SETTINGS, **limit_rows(at_most)}
    rows = store.query(sql, parameters.values, settings=settings).rows
    return [(last_ms, name) for last_ms, name, _ in rows], rows[0][2] if rows else 0


def _add_up(store: Store, by: By, question: Question, places: Sequence[Place]) -> list[TraceGroup]:
    names = [name for _, name in places]
    if not names:
        return []
    parameters = Parameters()
    sql = _ADD_UP.format(
        source=_unite(
            question,
            parameters,
            f"{_COLUMNS}, {by} AS name, {_OTHER[by]} AS other",
            f"{by} IN {parameters.bind(names, 'Array(String)')}",
        ),
        users="groupUniqArray(other)" if by == "session" else "emptyArrayString()",
    )
    found = store.query(sql, parameters.values, settings=SETTINGS).dicts()
    previews = _read_previews(store, [row[end] for row in found for end in ("first", "last")])
    groups = {row["name"]: _show(row, previews) for row in found}
    return [groups[name] for name in names if name in groups]


def _unite(question: Question, parameters: Parameters, columns: str, condition: str) -> str:
    where = f"{question.time_condition(parameters)} AND {question.condition(parameters)}"
    return "\nUNION ALL\n".join(
        f"SELECT {columns}\nFROM {table} FINAL\nWHERE deleted = 0 AND {condition} AND {where}"
        for table in ("traces", "open_traces")
    )


_FIND = """\
SELECT *
FROM
(
    SELECT *, count() OVER () AS total
    FROM
    (
        SELECT max(request_time_ms) AS last_ms, assumeNotNull(name) AS name
        FROM
        (
{source}
        )
        GROUP BY name
    )
)
WHERE {behind}
ORDER BY last_ms DESC, name
LIMIT {limit}
"""
_COLUMNS = """\
experiment_id, trace_id, request_time_ms, state, environment, app_version,
    input_tokens, output_tokens, total_tokens, cost_usd"""
_ADD_UP = """\
SELECT
    assumeNotNull(name) AS name,
    count() AS traces,
    countIf(state = 'ERROR') AS errors,
    countIf(state = 'IN_PROGRESS') AS unfinished,
    min(request_time_ms) AS first_ms,
    max(request_time_ms) AS last_ms,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(total_tokens) AS total_tokens,
    sum(cost_usd) AS cost_usd,
    uniqExact(other) AS others,
    {users} AS users,
    groupUniqArray(environment) AS environments,
    groupUniqArray(app_version) AS app_versions,
    min((request_time_ms, trace_id, experiment_id)) AS first,
    max((request_time_ms, trace_id, experiment_id)) AS last
FROM
(
{source}
)
GROUP BY name
"""
_PREVIEWS = """\
SELECT trace_id, request_preview, response_preview
FROM {table} FINAL
WHERE experiment_id IN {{experiment_ids:Array(String)}}
    AND -request_time_ms IN {{times:Array(Int64)}}
    AND trace_id IN {{trace_ids:Array(String)}}
SETTINGS use_skip_indexes = 0
"""


def _show(row: Mapping[str, Any], previews: Mapping[str, Previews]) -> TraceGroup:
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN}
    lists: dict[str, Any] = {name: sorted(row[name])[:MAX_LISTED] for name in _LISTS}
    return TraceGroup(
        **plain,
        **lists,
        request_preview=previews.get(row["first"][1], (None, None))[0],
        response_preview=previews.get(row["last"][1], (None, None))[1],
    )


_LISTS = ("users", "environments", "app_versions")
_PLAIN = tuple(
    name
    for name in TraceGroup.__struct_fields__
    if name not in (*_LISTS, "request_preview", "response_preview")
)


def _read_previews(store: Store, keys: Sequence[tuple[int, str, str]]) -> dict[str, Previews]:
    """Return the two previews of these traces, by id."""
    times, trace_ids, experiment_ids = (sorted(set(part)) for part in zip(*keys, strict=True))
    parameters = {
        "times": [-ms for ms in times],
        "trace_ids": trace_ids,
        "experiment_ids": experiment_ids,
    }
    sql = "\nUNION ALL\n".join(
        f"SELECT * FROM (\n{_PREVIEWS.format(table=table)})" for table in ("open_traces", "traces")
    )
    found = store.query(sql, parameters, settings=SETTINGS).rows
    return {trace_id: (request, response) for trace_id, request, response in found}


def _write_cursor(by: By, place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((by, *place))).decode()


def _read_cursor(cursor: str, by: By) -> Place:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        kind, last_ms, name = _cursors.decode(text)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        kind, last_ms, name = "", 0, ""
    if kind != by:
        raise InvalidInputError(f"this cursor is not of a list of {by}s; start again without one")
    return last_ms, name
