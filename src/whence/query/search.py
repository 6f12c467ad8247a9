"""Pages of traces, newest first or in another order, stable while traces arrive.

A page is read in two statements (`candidates.py` says how and why), more where it comes out short:
then it is continued behind the last candidate. `open_traces` (not ended) stand among the others.

Cursors are positions, not offsets: the values of the sort columns of the last trace shown.
Limit: a trace whose sort value changes between two pages, or while one is read, may be shown twice
or not at all.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from whence.errors import FilterError, InvalidInputError, StoreError
from whence.query.candidates import Candidate, Search, read_candidates, verify_candidates
from whence.query.compile import Parameters, forms_of_trace_id, patterns
from whence.query.coverage import has_renamed, speaks_of_names
from whence.query.environments import normalise_environments
from whence.query.order import compile_order, fits, parse_order, sort_key_of
from whence.query.parser import parse_filter
from whence.query.runs import follow_links
from whence.query.times import narrow
from whence.query.version_ranges import read_versions_compared
from whence.query.views import TraceInfo, view_infos
from whence.store.overlay import Overlay, merge_overlays
from whence.store.traces import unpack_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.query.order import Position
    from whence.store.connection import Store

DEFAULT_MAX_RESULTS = 100
MAX_MAX_RESULTS = 500
_cursors = msgspec.json.Decoder(tuple[str, list[str | int | None]])
MAX_CANDIDATES = 4000  # their times fit one form field of the engine's HTTP interface


class Page(msgspec.Struct, frozen=True):
    """Traces in search order, and the cursor of the next page, None on the last."""

    traces: list[TraceInfo]
    next_cursor: str | None


def search_traces(
    store: Store,
    *,
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    cursor: str | None = None,
    trace_ids: Sequence[str] | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    environment_aliases: Mapping[str, str] | None = None,
) -> Page:
    """Find traces; no `experiment_ids` means all experiments, `trace_ids` asks about these only.

    `since_ms` and `until_ms` narrow the times they began at (`query.times`).
    `environment_aliases` are those that the traces were assembled with.
    Raises FilterError for a bad filter or order, InvalidInputError for a bad limit or cursor.
    """
    _check_max_results(max_results)
    known = (
        None
        if trace_ids is None
        else {form for one in trace_ids for form in forms_of_trace_id(one)}
    )
    tree = follow_links(parse_filter(filter_string), store)
    if tree is not None:
        tree = normalise_environments(tree, environment_aliases)
    search = Search(
        narrow(tree, since_ms, until_ms),
        parse_order(order_by),
        tuple(sorted(set(experiment_ids or ()))),
        None if known is None else tuple(sorted(known)),
        plain_names=speaks_of_names(tree) and not has_renamed(store),
        versions=read_versions_compared(store, tree),
    )
    position = None if cursor is None else _read_cursor(cursor, search)
    for pattern, column in patterns(search.filter):
        check_pattern(store, pattern, column)
    if search.trace_ids == ():
        return Page([], None)
    found, overlay = _find(store, search, position, max_results + 1)
    shown = found[:max_results]
    more = _write_cursor(search, shown[-1].position) if len(found) > max_results else None
    rows = [
        unpack_trace(one.experiment_id, one.trace_id, one.request_time_ms, one.version, one.packed)
        for one in shown
    ]
    return Page(view_infos(rows, overlay), more)


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


def check_pattern(store: Store, pattern: str, column: int) -> None:
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


# --- Pages ----------------------------------------------------------------------------------------


def _find(
    store: Store, search: Search, position: Position | None, limit: int
) -> tuple[list[Candidate], Overlay]:
    """Return up to `limit` traces in their order, with their tags and assessments."""
    found: list[Candidate] = []
    overlay = Overlay({}, {})
    # Some are superseded, and many of those that only might have such a span fall away.
    size = limit + (limit // 2 if search.speaks_of_spans else limit // 8 + 2)
    # Most searches of spans find a page among the first traces; only then are all spans looked at.
    look_ahead = search.speaks_of_spans
    while len(found) < limit:
        candidates = read_candidates(store, search, position, size, spans=not look_ahead)
        look_ahead = False
        if not candidates:
            break
        ended = len(candidates) < size
        boundary = candidates[-1].position
        sure, again, changed = verify_candidates(store, search, position, candidates)
        if again:
            key = sort_key_of(compile_order(search.order, Parameters()))
            last = key(boundary)
            sure += [one for one in again if ended or key(one.position) <= last]
            sure.sort(key=lambda one: key(one.position))
        found += sure
        overlay = merge_overlays(overlay, changed)
        if ended:
            break
        position, size = boundary, min(2 * size, MAX_CANDIDATES)
    return found[:limit], overlay


# --- Cursors --------------------------------------------------------------------------------------


def _digest(search: Search) -> str:
    """Return a mark of a search, by which a cursor of another one is known."""
    return blake2b(repr(search).encode(), digest_size=8).hexdigest()


def _write_cursor(search: Search, position: Position) -> str:
    text = msgspec.json.encode([_digest(search), list(position)])
    return base64.urlsafe_b64encode(text).decode()


def _read_cursor(cursor: str, search: Search) -> Position:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        digest, values = _cursors.decode(text)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInputError(
            "Invalid page token, could not base64-decode; start again without a cursor"
        ) from error
    if digest != _digest(search):
        raise InvalidInputError(
            "this cursor belongs to another search: its filter, order or experiments differ; "
            "start again without a cursor"
        )
    if not fits(compile_order(search.order, Parameters()), values):
        raise InvalidInputError("this cursor was not made here; start again without a cursor")
    return tuple(values)
