"""The statements of a search: candidates as they lie, and which of them are the newest rows.

`traces` may hold several rows of one trace until the engine merges them, and reading it with FINAL
costs a pass over all of it. So *candidates* are rows in sort order as they lie, whole, and then the
versions that lie at their keys are told from memory (`store/superseded.py`), or asked for where
they aren't known, beside their tags and assessments. A candidate whose version is the highest of
its key is found: the filter has been applied to that very row. Where a higher one lies that was not
among the candidates (it does not match, or has just been written), and where a trace of
`open_traces` has ended meanwhile, that row is read, and decides.

A filter that speaks of spans is the exception: the spans of candidates are read as they lie, too
(`compile.py`), so all candidates are tested again, with FINAL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from whence.query.compile import SETTINGS, Parameters, compile_filter, set_costly_apart
from whence.query.coverage import with_stored_names
from whence.query.filters import comparisons, is_about_span
from whence.query.order import DEFAULT, after, compile_order, sort_key_of
from whence.query.reach import kind_of, reaches_of
from whence.query.running import may_find_running
from whence.query.version_ranges import with_listed_versions
from whence.store.connection import Rows
from whence.store.overlay import Overlay, ask_overlay, merge_overlays, read_overlay
from whence.store.superseded import ANY, NONE, is_tombstone, version_of
from whence.store.traces import WHOLE, locate_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from whence.query.filters import Filter
    from whence.query.order import Order, Position, Term
    from whence.query.reach import Kind
    from whence.store.connection import Store

MAX_BRANCHES = 16  # experiments that are read side by side, each in the order it lies in

Key = tuple[str, int, str]  # experiment_id, request_time_ms, trace_id


_VERSIONS = "SELECT trace_id, experiment_id, request_time_ms, version, deleted\nFROM traces\n"
# Without a buffer between reading and merging, which is filled before anything is merged: that is a
# fifth to a third of the time of sparse pages at ten million traces.
_IN_ORDER = {**SETTINGS, "read_in_order_use_buffering": 0}
# What a part gives is merged with the others' only when a block of so many rows has been read of
# it; with the engine's 65,536, most of what a sparse page read was never looked at.
_IN_STEPS = {**_IN_ORDER, "max_block_size": 2048}
# The sort key finds them; asking the index of the trace ids as well takes longer.
_VERSIONS_AT = f"""\
{_VERSIONS}PREWHERE experiment_id IN {{experiment_ids:Array(String)}}
    AND -request_time_ms IN {{times:Array(Int64)}}
    AND trace_id IN {{trace_ids:Array(String)}}
SETTINGS use_skip_indexes = 0, max_threads = 1
"""
_VERSIONS_OF = f"{_VERSIONS}WHERE trace_id IN {{trace_ids:Array(String)}}"


@dataclass(frozen=True)
class Search:
    """What is searched for, and in which order."""

    filter: Filter | None
    order: tuple[Term, ...]
    experiment_ids: tuple[str, ...]
    trace_ids: tuple[str, ...] | None
    plain_names: bool = field(default=False, compare=False, repr=False)  # none was set by a tag
    # All there are, where the filter compares them and they are known.
    versions: frozenset[str] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def condition(self) -> Filter | None:
        """The filter in the terms of what is stored: the names, and which versions there are."""
        tree = self.filter
        if tree is not None and self.plain_names:
            tree = with_stored_names(tree)
        if tree is not None and self.versions is not None:
            tree = with_listed_versions(tree, self.versions)
        return tree

    @property
    def speaks_of_spans(self) -> bool:
        """Tell whether candidates must be tested again."""
        return self.filter is not None and any(map(is_about_span, comparisons(self.filter)))


@dataclass(frozen=True)
class Candidate:
    """A row of `traces` or, `is_open`, of `open_traces`; `packed` is '' where it is read later."""

    is_open: bool
    experiment_id: str
    trace_id: str
    request_time_ms: int
    version: int
    packed: str
    position: Position

    @property
    def key(self) -> Key:
        """What rows replace each other by, in `traces`."""
        return self.experiment_id, self.request_time_ms, self.trace_id


# --- As they lie ----------------------------------------------------------------------------------


def read_candidates(
    store: Store, search: Search, position: Position | None, size: int, *, spans: bool
) -> list[Candidate]:
    """Return the first `size` rows behind the position that match, without `spans` all of spans."""
    parameters = Parameters()
    order = compile_order(search.order, parameters)
    where = ["deleted = 0", *_bounds(search, position, order, parameters)]
    quick, costly = search.condition, None
    if not order.joins:
        quick, costly = set_costly_apart(quick)
    where.append(compile_filter(quick, parameters, spans=spans))
    late = costly and compile_filter(costly, parameters)
    limit = parameters.bind(size, "UInt64")
    whole = WHOLE.replace("packed", "'' AS packed") if search.speaks_of_spans else WHOLE

    def select(is_open: int, table: str, scope: str, times: str = "") -> str:
        condition = f"WHERE {scope}{times}{' AND '.join(where)}"
        if late and is_open:
            condition = f"{condition} AND {late}"
        elif late:
            # Left to itself the engine begins with the smallest column.
            condition = f"PRE{condition}\nWHERE {late}"
        return (
            f"SELECT {is_open} AS is_open, {whole}, {order.selected}\n"
            f"FROM {table}{order.joins}\n"
            f"{condition}\n"
            f"ORDER BY {order.clause}\n"
            f"LIMIT {limit}"
        )

    scopes = _scopes(store, search, parameters)

    def select_ended(times: str) -> str:
        branches = [select(0, "traces", scope, times) for scope in scopes]
        return _unite(branches, f"ORDER BY {order.clause}\nLIMIT {limit}")

    running_sql = select(1, "open_traces FINAL", _scope(search.experiment_ids, parameters))

    def read_both(times: str) -> tuple[list[Candidate], list[Candidate]]:
        return _read_both(store, search, position, running_sql, select_ended(times), parameters)

    kind = _kind_of(search, size)
    if kind is None:
        running, ended = read_both("")
    else:
        from_ms = None if position is None else -position[0]
        running, ended = _read_within_reach(
            store, kind, from_ms, size, read_both, select_ended, parameters
        )
    if not running:
        return ended
    key = sort_key_of(order)
    return sorted([*running, *ended], key=lambda one: key(one.position))[:size]


def _bounds(
    search: Search, position: Position | None, order: Order, parameters: Parameters
) -> list[str]:
    """Return conditions beside the filter: behind the position, and which traces at all."""
    bounds = [] if position is None else [after(order, position, parameters)]
    if search.trace_ids is not None:
        bounds.append(f"trace_id IN {parameters.bind(list(search.trace_ids), 'Array(String)')}")
    return bounds


def _unite(branches: Sequence[str], clauses: str) -> str:
    if len(branches) == 1:
        return branches[0]
    union = "\nUNION ALL\n".join(f"(\n{branch}\n)" for branch in branches)
    return f"SELECT *\nFROM\n(\n{union}\n)\n{clauses}"


def _kind_of(search: Search, size: int) -> Kind | None:
    """Return the kind of a search whose pages reach back in time."""
    if search.order != DEFAULT or search.trace_ids is not None or search.speaks_of_spans:
        return None
    return kind_of(search.filter, search.experiment_ids, size)


def _read_within_reach(
    store: Store,
    kind: Kind,
    from_ms: int | None,
    size: int,
    read_both: Callable[[str], tuple[list[Candidate], list[Candidate]]],
    select_ended: Callable[[str], str],
    parameters: Parameters,
) -> tuple[list[Candidate], list[Candidate]]:
    """Read as `_read_both` does, first of all no further back than such pages usually reach."""
    reaches = reaches_of(store)
    until_ms = reaches.guess_ms(kind, from_ms)
    if until_ms is None:
        running, ended = read_both("")
    else:
        until = parameters.bind(-until_ms, "Int64")
        before = store.count_inserts("traces")
        running, ended = read_both(f"-request_time_ms <= {until} AND ")
        if len(ended) < size:
            rest = select_ended(f"-request_time_ms > {until} AND ")
            beyond = store.query(rest, parameters.values, settings=_IN_STEPS).rows
            ended = [*ended, *_candidates(beyond)][:size]
            # A trace may have moved from beyond to within, and was seen at neither time: by an
            # insert that began meanwhile, or was under way already.
            if before is None or before % 2 or store.count_inserts("traces") != before:
                running, ended = read_both("")
    began = [one.request_time_ms for one in ended]
    reaches.learn(kind, from_ms, began, full=len(ended) == size)
    return running, ended


def _read_both(
    store: Store,
    search: Search,
    position: Position | None,
    running_sql: str,
    ended_sql: str,
    parameters: Parameters,
) -> tuple[list[Candidate], list[Candidate]]:
    """Read `open_traces`, then `traces`: what ends meanwhile is seen twice rather than never.

    A trace that ends is inserted there first, and then taken from here by another insert. Where
    none has begun, the order of reading makes no difference, and both are read side by side, or
    `open_traces` not at all where it is known to have nothing for this page.
    """
    values, settings = parameters.values, _IN_ORDER
    if search.order == DEFAULT and not search.speaks_of_spans:
        settings = _IN_STEPS
    before = store.count_inserts("open_traces")
    running = Rows((), [])
    if before is None:
        running = store.query(running_sql, values, settings=settings)
    elif may_find_running(store, search, position):
        statements = [(ended_sql, values), (running_sql, values)]
        ended, running = store.query_together(statements, **settings)
    else:
        ended = store.query(ended_sql, values, settings=settings)
    if before is None or store.count_inserts("open_traces") != before:
        ended = store.query(ended_sql, values, settings=settings)
    return _candidates(running.rows), _candidates(ended.rows)


def _candidates(rows: Iterable[tuple[Any, ...]]) -> list[Candidate]:
    return [
        Candidate(bool(row[0]), row[1], row[2], row[3], row[4], row[5], row[6:]) for row in rows
    ]


def _scope(experiment_ids: Sequence[str], parameters: Parameters) -> str:
    if not experiment_ids:
        return ""
    if len(experiment_ids) == 1:
        return f"experiment_id = {parameters.bind(experiment_ids[0])} AND "
    return f"experiment_id IN {parameters.bind(list(experiment_ids), 'Array(String)')} AND "


def _scopes(store: Store, search: Search, parameters: Parameters) -> list[str]:
    """Return a condition on the experiment per branch of the reading of `traces`.

    Within one experiment rows lie newest first, and reading stops at the limit.
    """
    ids = search.experiment_ids
    if not ids and search.order == DEFAULT and search.trace_ids is None:
        ids = tuple(sorted(store.kept.list_experiment_ids()))
        if len(ids) > MAX_BRANCHES:
            return [""]
    if search.order == DEFAULT and 1 < len(ids) <= MAX_BRANCHES:
        return [_scope([one], parameters) for one in ids]
    return [_scope(ids, parameters)]


# --- As they are ----------------------------------------------------------------------------------


def verify_candidates(
    store: Store, search: Search, position: Position | None, candidates: Sequence[Candidate]
) -> tuple[list[Candidate], list[Candidate], Overlay]:
    """Return the candidates that are found, in their order; what was read again; tags and so on.

    What was read again may lie behind the last candidate.
    """
    if search.speaks_of_spans:
        keys = {one.key for one in candidates if not one.is_open}
        open_ids = {one.trace_id for one in candidates if one.is_open}
        for trace_id, (experiment_id, time_ms, complete) in locate_traces(store, open_ids).items():
            if complete:
                open_ids.discard(trace_id)
                keys.add((experiment_id, time_ms, trace_id))
        again = _read_again(store, search, position, keys, open_ids)
        return [], again, read_overlay(store, [one.trace_id for one in again])
    rows, overlay = _read_versions(store, candidates)
    found, doubtful = _tell_apart(candidates, _newest_of(rows))
    again = _read_again(store, search, position, doubtful, ())
    changed = read_overlay(store, [one.trace_id for one in again])
    return found, again, merge_overlays(overlay, changed)


def _newest_of(rows: Iterable[tuple[Any, ...]]) -> dict[Key, tuple[int, bool]]:
    """Return the highest version at every key, and whether it is a tombstone."""
    newest: dict[Key, tuple[int, bool]] = {}
    for trace_id, experiment_id, time_ms, version, deleted in rows:
        key = experiment_id, time_ms, trace_id
        newest[key] = max(newest.get(key, (0, False)), (version, bool(deleted)))
    return newest


def _tell_apart(
    candidates: Iterable[Candidate], newest: Mapping[Key, tuple[int, bool]]
) -> tuple[list[Candidate], set[Key]]:
    """Return the candidates that are found, and the keys of rows that have yet to be read."""
    places = {key[2]: key for key, (_, deleted) in newest.items() if not deleted}
    found: dict[Key | str, Candidate] = {}
    doubtful: set[Key] = set()
    for one in candidates:
        version, deleted = newest.get(one.key, (0, True))
        if one.is_open and one.trace_id in places:
            doubtful.add(places[one.trace_id])
        elif one.is_open:
            found[one.trace_id] = one
        elif not deleted and version == one.version:
            found[one.key] = one
        elif not deleted:
            doubtful.add(one.key)
    return list(found.values()), doubtful - found.keys()


def _read_versions(
    store: Store, candidates: Sequence[Candidate]
) -> tuple[list[tuple[Any, ...]], Overlay]:
    """Tell what lies at the candidates' keys, and read their tags and assessments."""
    closed = [one for one in candidates if not one.is_open]
    rows, doubtful = _recall_versions(store, closed)
    statements: list[tuple[str, dict[str, Any]]] = []
    if doubtful:
        at = {
            "experiment_ids": sorted({one.experiment_id for one in doubtful}),
            "times": sorted({-one.request_time_ms for one in doubtful}),
            "trace_ids": list({one.trace_id for one in doubtful}),
        }
        statements.append((_VERSIONS_AT, at))
    running = [one.trace_id for one in candidates if one.is_open]
    unsure = store.kept.unended.find_unsure(running)
    if unsure:
        statements.append((_VERSIONS_OF, {"trace_ids": unsure}))
    asked = ask_overlay(store, list({one.trace_id for one in candidates}))
    found = store.query_together([*statements, *asked.statements])
    versions, changed = found[: len(statements)], found[len(statements) :]
    return [*rows, *(row for one in versions for row in one.rows)], asked.gather(changed)


def _recall_versions(
    store: Store, closed: Sequence[Candidate]
) -> tuple[list[tuple[Any, ...]], list[Candidate]]:
    """Return the newest rows at the candidates' keys as they are known, and the doubtful ones."""
    marks = store.superseded.find([one.key for one in closed])
    if marks is None:
        return [], list(closed)
    rows: list[tuple[Any, ...]] = []
    doubtful = []
    for one, mark in zip(closed, marks, strict=True):
        known = (one.trace_id, one.experiment_id, one.request_time_ms)
        if mark == NONE:
            rows.append((*known, one.version, 0))
        elif mark == ANY or version_of(mark) < one.version:
            doubtful.append(one)
        else:
            rows.append((*known, version_of(mark), is_tombstone(mark)))
    return rows, doubtful


def _read_again(
    store: Store,
    search: Search,
    position: Position | None,
    keys: Collection[Key],
    open_ids: Collection[str],
) -> list[Candidate]:
    """Read the newest rows at these keys, and keep those that the search really asks for."""
    parameters = Parameters()
    order = compile_order(search.order, parameters)
    ids = sorted({*(key[2] for key in keys), *open_ids})
    if not ids:
        return []
    among = f"trace_id IN {parameters.bind(ids, 'Array(String)')}"
    where = [_scope(search.experiment_ids, parameters) + "1"]
    where.append(compile_filter(search.condition, parameters, among=among))
    if position is not None:
        where.append(after(order, position, parameters))
    # Columns of the key only: FINAL changes nothing about them, so PREWHERE may ask first.
    experiments = parameters.bind(sorted({key[0] for key in keys}), "Array(String)")
    times = parameters.bind(sorted({-key[1] for key in keys}), "Array(Int64)")
    at = f"{among} AND experiment_id IN {experiments} AND -request_time_ms IN {times}"
    open_among = f"trace_id IN {parameters.bind(sorted(open_ids), 'Array(String)')}"
    sources = [(1, "open_traces", open_among)] * bool(open_ids) + [(0, "traces", at)] * bool(keys)
    branches = [
        f"SELECT {is_open} AS is_open, {WHOLE}, {order.selected}\n"
        f"FROM {table} FINAL{order.joins}\n"
        f"PREWHERE {wanted}\n"
        f"WHERE {' AND '.join(where)}"
        for is_open, table, wanted in sources
    ]
    union = "\nUNION ALL\n".join(branches)
    sql = f"SELECT *\nFROM\n(\n{union}\n)\nORDER BY {order.clause}"
    found = _candidates(store.query(sql, parameters.values, settings=SETTINGS).rows)
    # A trace that moved lies at several keys; only these were asked for.
    return [one for one in found if one.is_open or one.key in keys]
