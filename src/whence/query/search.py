"""Pages of traces, newest first or in another order, stable while traces arrive.

`traces` may hold several rows of one trace until the engine merges them, and reading it with FINAL
costs a pass over all of it. So a page is found in two steps: *candidates* are keys in sort order as
they lie (half as many again as asked for), then FINAL reads these keys only, and the filter and the
position decide again. What is short is continued behind the last candidate. `open_traces` (not
ended) is read the same way, and merged in by trace id.

Cursors are positions, not offsets: the values of the sort columns of the last trace shown.
Limit: a trace whose sort value changes between two pages may be shown twice or not at all.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from whence.errors import FilterError, InvalidInputError, StoreError
from whence.query.compile import (
    SETTINGS,
    Parameters,
    compile_filter,
    forms_of_trace_id,
    patterns,
)
from whence.query.environments import normalise_environments
from whence.query.filters import Filter, comparisons, is_about_span
from whence.query.order import (
    DEFAULT,
    Position,
    Term,
    after,
    compile_order,
    parse_order,
    sort_key_of,
)
from whence.query.parser import parse_filter
from whence.query.views import TraceInfo, view_infos
from whence.store.connection import Rows, list_columns
from whence.store.rows import TraceRow
from whence.store.traces import locate_traces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.store.connection import Store

DEFAULT_MAX_RESULTS = 100
MAX_MAX_RESULTS = 500
MAX_CANDIDATES = 4000  # their times fit one form field of the engine's HTTP interface
MAX_BRANCHES = 16  # experiments that are read side by side, each in the order it lies in

_TRACE_COLUMNS = list_columns(TraceRow)
_WIDTH = len(TraceRow.__struct_fields__)


class Page(msgspec.Struct, frozen=True):
    """Traces in search order, and the cursor of the next page, None on the last."""

    traces: list[TraceInfo]
    next_cursor: str | None


@dataclass(frozen=True)
class Search:
    """What is searched for, and in which order."""

    filter: Filter | None
    order: tuple[Term, ...]
    experiment_ids: tuple[str, ...]
    trace_ids: tuple[str, ...] | None

    @property
    def digest(self) -> str:
        """A mark of this search, by which a cursor of another one is known."""
        return blake2b(repr(self).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Found:
    position: Position
    row: TraceRow


def search_traces(
    store: Store,
    *,
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    cursor: str | None = None,
    trace_ids: Sequence[str] | None = None,
    environment_aliases: Mapping[str, str] | None = None,
) -> Page:
    """Find traces; no `experiment_ids` means all experiments, `trace_ids` asks about these only.

    `environment_aliases` are those that the traces were assembled with.
    Raises FilterError for a bad filter or order, InvalidInputError for a bad limit or cursor.
    """
    _check_max_results(max_results)
    known = (
        None
        if trace_ids is None
        else {form for one in trace_ids for form in forms_of_trace_id(one)}
    )
    tree = parse_filter(filter_string)
    search = Search(
        None if tree is None else normalise_environments(tree, environment_aliases),
        parse_order(order_by),
        tuple(sorted(set(experiment_ids or ()))),
        None if known is None else tuple(sorted(known)),
    )
    position = None if cursor is None else _read_cursor(cursor, search)
    for pattern, column in patterns(search.filter):
        _check_pattern(store, pattern, column)
    if search.trace_ids == ():
        return Page([], None)
    found = _find(store, search, position, max_results + 1)
    shown = found[:max_results]
    more = _write_cursor(search, shown[-1].position) if len(found) > max_results else None
    return Page(view_infos(store, [one.row for one in shown]), more)


def _check_max_results(max_results: int) -> None:
    if max_results < 1:
        raise InvalidInputError(
            f"Invalid value {max_results} for parameter 'max_results' supplied. "
            "It must be a positive integer"
        )
    if max_results > MAX_MAX_RESULTS:
        raise InvalidInputError(
            f"Invalid value {max_results} for parameter 'max_results' supplied: "
            f"it must be at most {MAX_MAX_RESULTS}; read further pages by the cursor"
        )


def _check_pattern(store: Store, pattern: str, column: int) -> None:
    """Let the engine compile a regular expression, to say which one it refuses."""
    try:
        store.query("SELECT match('', {pattern:String})", {"pattern": pattern})
    except StoreError as error:
        shown = pattern.removeprefix("(?-s)")
        raise FilterError(
            f"the regular expression {shown!r} at column {column} can't be compiled; "
            "the syntax is RE2's, without look-around and back-references",
            column=column,
        ) from error


# --- Two steps ------------------------------------------------------------------------------------


def _find(store: Store, search: Search, position: Position | None, limit: int) -> list[_Found]:
    key = sort_key_of(compile_order(search.order, Parameters()))
    closed = _find_in(store, "traces", search, position, limit)
    open_ = _find_in(store, "open_traces", search, position, limit)
    if open_:
        # A trace that has just ended stands in both for a moment.
        places = locate_traces(store, [one.row.trace_id for one in open_])
        ended = {trace_id for trace_id, (_, _, complete) in places.items() if complete}
        open_ = [one for one in open_ if one.row.trace_id not in ended]
    return sorted([*closed, *open_], key=lambda one: key(one.position))[:limit]


def _find_in(
    store: Store, table: str, search: Search, position: Position | None, limit: int
) -> list[_Found]:
    key = sort_key_of(compile_order(search.order, Parameters()))
    found: list[_Found] = []
    size = limit + limit // 2
    # Most searches of spans find a page among the first traces; only then are all spans looked at.
    look_ahead = _speaks_of_spans(search.filter)
    while len(found) < limit:
        candidates = _read_candidates(store, table, search, position, size, spans=not look_ahead)
        look_ahead = False
        if not candidates.rows:
            break
        ended = len(candidates.rows) < size
        boundary = tuple(candidates.rows[-1][3:])
        newest = _read_newest(store, table, search, position, candidates)
        found += [one for one in newest if ended or key(one.position) <= key(boundary)]
        if ended:
            break
        position, size = boundary, min(2 * size, MAX_CANDIDATES)
    return found[:limit]


def _speaks_of_spans(tree: Filter | None) -> bool:
    return tree is not None and any(map(is_about_span, comparisons(tree)))


def _read_candidates(
    store: Store,
    table: str,
    search: Search,
    position: Position | None,
    size: int,
    *,
    spans: bool,
) -> Rows:
    """Return (experiment_id, trace_id, request_time_ms, *position) of rows as they lie."""
    parameters = Parameters()
    order = compile_order(search.order, parameters)
    where = ["deleted = 0"]
    if position is not None:
        where.append(after(order, position, parameters))
    if search.trace_ids is not None:
        where.append(f"trace_id IN {parameters.bind(list(search.trace_ids), 'Array(String)')}")
    where.append(compile_filter(search.filter, parameters, spans=spans))
    limit = parameters.bind(size, "UInt64")
    branches = [
        f"SELECT experiment_id, trace_id, request_time_ms, {order.selected}\n"
        f"FROM {table}{order.joins}\n"
        f"WHERE {scope}{' AND '.join(where)}\n"
        f"ORDER BY {order.clause}\n"
        f"LIMIT {limit}"
        for scope in _scopes(store, table, search, parameters)
    ]
    if len(branches) == 1:
        return store.query(branches[0], parameters.values, settings=SETTINGS)
    union = "\nUNION ALL\n".join(f"({branch})" for branch in branches)
    sql = f"SELECT *\nFROM\n(\n{union}\n)\nORDER BY {order.clause}\nLIMIT {limit}"
    return store.query(sql, parameters.values, settings=SETTINGS)


def _scopes(store: Store, table: str, search: Search, parameters: Parameters) -> list[str]:
    """Return a condition on the experiment per branch of the reading.

    Within one experiment rows lie newest first, and reading stops at the limit.
    """
    ids = search.experiment_ids
    in_order = table == "traces" and search.order == DEFAULT
    if not ids and in_order and search.trace_ids is None:
        ids = tuple(row[0] for row in store.query("SELECT DISTINCT experiment_id FROM traces").rows)
        if len(ids) > MAX_BRANCHES:
            return [""]
    if not ids:
        return [""]
    if len(ids) == 1 or (in_order and len(ids) <= MAX_BRANCHES):
        return [f"experiment_id = {parameters.bind(one)} AND " for one in ids]
    return [f"experiment_id IN {parameters.bind(list(ids), 'Array(String)')} AND "]


def _read_newest(
    store: Store, table: str, search: Search, position: Position | None, candidates: Rows
) -> list[_Found]:
    """Read the newest rows of the candidates, and keep those that the search really asks for."""
    parameters = Parameters()
    order = compile_order(search.order, parameters)
    ids = parameters.bind(sorted({row[1] for row in candidates.rows}), "Array(String)")
    among = f"trace_id IN {ids}"
    # Columns of the key only: FINAL changes nothing about them, so PREWHERE may ask first.
    keys = [among]
    where = [compile_filter(search.filter, parameters, among=among)]
    if table == "traces":
        experiments = sorted({row[0] for row in candidates.rows})
        times = sorted({-row[2] for row in candidates.rows})
        keys.append(f"experiment_id IN {parameters.bind(experiments, 'Array(String)')}")
        keys.append(f"-request_time_ms IN {parameters.bind(times, 'Array(Int64)')}")
    elif search.experiment_ids:
        scope = parameters.bind(list(search.experiment_ids), "Array(String)")
        where.append(f"experiment_id IN {scope}")
    if position is not None:
        where.append(after(order, position, parameters))
    sql = (
        f"SELECT {_TRACE_COLUMNS}, {order.selected}\n"
        f"FROM {table} FINAL{order.joins}\n"
        f"PREWHERE {' AND '.join(keys)}\n"
        f"WHERE {' AND '.join(where)}\n"
        f"ORDER BY {order.clause}"
    )
    found = store.query(sql, parameters.values, settings=SETTINGS)
    rows = Rows(found.columns[:_WIDTH], [row[:_WIDTH] for row in found.rows]).structs(TraceRow)
    positions = [row[_WIDTH:] for row in found.rows]
    return [_Found(position, row) for position, row in zip(positions, rows, strict=True)]


# --- Cursors --------------------------------------------------------------------------------------


def _write_cursor(search: Search, position: Position) -> str:
    text = msgspec.json.encode([search.digest, list(position)])
    return base64.urlsafe_b64encode(text).decode()


def _read_cursor(cursor: str, search: Search) -> Position:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        digest, values = msgspec.json.decode(text, type=tuple[str, list[str | int | None]])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInputError(
            "Invalid page token, could not base64-decode; start again without a cursor"
        ) from error
    if digest != search.digest:
        raise InvalidInputError(
            "this cursor belongs to another search: its filter, order or experiments differ; "
            "start again without a cursor"
        )
    return tuple(values)
