"""What traces of each environment say about where they come from, counted for hints.

All traces are read, also those that have not ended, so that a count is what its filter finds.
Limit: in a store of more than `EXACT_TRACES` traces within the selection nothing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.errors import StoreError
from whence.query.compile import Parameters, compile_filter
from whence.query.facet_sql import EXACT_TRACES
from whence.query.facet_statement import is_too_many, limit_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from whence.query.version_source import Selection
    from whence.store.connection import Rows, Store

HOST = "host.name"
NOTEBOOK = "NOTEBOOK"
MAX_MACHINES = 500  # of hosts or users, those with the most traces
MAX_SYSTEMS = 100  # hosts whose operating system is looked up
MAX_SPELLINGS = 50
# Names of machines that people sit at, as their systems give them: RE2.
DESKTOP_HOST = (
    r"(?i)(^|[-_.])(macbook|imac|thinkpad)([-_]?(pro|air|mini|[0-9]+))*(\.[a-z.]+)?$"
    r"|[-_]laptop(\.|$)|^(desktop|laptop)-[a-z0-9]{7,8}$|^[^.]+\.local$"
)
DESKTOP_SYSTEM = "darwin"  # Windows runs servers too
_UNIT = (
    "cityHash64(coalesce(concat('session ', nullIf(session, '')), "
    "concat('user ', nullIf(user, '')), trace_id))"
)
_SOURCE = """\
SELECT {columns}
FROM {table} FINAL
WHERE {condition}"""
_FACTS = f"""\
SELECT
    environment,
    sum(n),
    uniqExactMerge(units),
    sum(dirty),
    sum(unversioned),
    sum(notebooks),
    arraySort(one -> (-toInt64(one.2), one.1), groupArray({MAX_SPELLINGS})((spelling, n)))
FROM
(
    SELECT
        environment,
        metadata_environment AS spelling,
        count() AS n,
        uniqExactState({_UNIT}) AS units,
        countIf(metadata['{semconv.GIT_DIRTY}'] = 'true') AS dirty,
        countIf(isNull(app_version) AND isNull(commit)) AS unversioned,
        countIf(metadata['{semconv.SOURCE_TYPE}'] = '{NOTEBOOK}') AS notebooks
    FROM
    (
{{source}}
    )
    GROUP BY environment, spelling
)
GROUP BY environment
"""
_FACT_COLUMNS = (
    "environment, metadata_environment, session, user, trace_id, metadata, app_version, commit"
)
# Every value of a key that the guarded environments have: its traces in each of them, the newest of
# them, and whether the loose environments have it too.
_MACHINES = f"""\
SELECT
    value,
    groupArrayIf((name, n), is_guarded AND n > 0) AS found,
    argMaxIf(newest, n, is_guarded AND n > 0),
    max(is_loose) AS is_shared
FROM
(
    SELECT
        metadata[{{key}}] AS value,
        assumeNotNull(environment) AS name,
        name IN {{guarded}} AS is_guarded,
        name IN {{loose}} AS is_loose,
        countIf({{own}}) AS n,
        argMaxIf(trace_id, request_time_ms, {{own}}) AS newest
    FROM
    (
{{source}}
    )
    WHERE value != '' AND isNotNull(environment) AND (is_guarded OR is_loose)
    GROUP BY value, name
)
GROUP BY value
HAVING notEmpty(found) AND ({{any}} OR is_shared)
ORDER BY arraySum(one -> one.2, found) DESC, value
LIMIT {MAX_MACHINES}
"""
_MACHINE_COLUMNS = (
    "environment, metadata, trace_id, request_time_ms, app_version, commit, session, user"
)
_SYSTEMS = """\
SELECT trace_id, max(JSONExtractString(toString(resource_json), 'os.type'))
FROM spans
WHERE trace_id IN {ids:Array(String)}
GROUP BY trace_id
"""


class EnvironmentFacts(msgspec.Struct, frozen=True):
    """The traces of an environment, ended or not, and how many of them say what."""

    environment: str | None
    traces: int
    units: int
    dirty: int
    unversioned: int
    notebooks: int
    spellings: list[tuple[str | None, int]]


class Machine(msgspec.Struct, frozen=True):
    """A host or user: its traces in each guarded environment, and one of them.

    `is_shared`: loose environments have traces of it too.
    """

    value: str
    traces: dict[str, int]
    trace_id: str
    is_shared: bool


def read_facts(store: Store, selection: Selection) -> list[EnvironmentFacts] | None:
    """Return the facts of each environment; None where there are too many traces to count."""
    parameters = Parameters()
    source = _all_traces(selection, parameters, _FACT_COLUMNS)
    found = _ask(store, _FACTS.format(source=source), parameters)
    return None if found is None else [EnvironmentFacts(*row) for row in found.rows]


def read_machines(
    store: Store,
    selection: Selection,
    key: str,
    *,
    guarded: Sequence[str],
    loose: Sequence[str],
    only_shared: bool = True,
) -> list[Machine]:
    """Return the values of a metadata key that traces of `guarded` environments share with `loose`.

    `guarded` traces are of the selection, `loose` ones of any version. Without `only_shared` the
    values that only `guarded` environments have are among them.
    """
    if not guarded:
        return []
    parameters = Parameters()
    wide = msgspec.structs.replace(selection, app_version=None, commit=None, manifest=None)
    sql = _MACHINES.format(
        key=parameters.bind(key),
        own=compile_filter(selection.ask().tree, parameters, among="1"),
        guarded=parameters.bind(list(guarded), "Array(String)"),
        loose=parameters.bind(list(loose), "Array(String)"),
        any=int(not only_shared),
        source=_all_traces(wide, parameters, _MACHINE_COLUMNS),
    )
    found = _ask(store, sql, parameters)
    rows = [] if found is None else found.rows
    return [Machine(value, dict(pairs), one, bool(shared)) for value, pairs, one, shared in rows]


def find_desktops(store: Store, machines: Sequence[Machine]) -> set[str]:
    """Return those hosts that are a person's computer, by their names or their systems."""
    looked_up = machines[:MAX_SYSTEMS]
    systems = dict(
        store.query(_SYSTEMS, {"ids": [one.trace_id for one in looked_up]}).rows
        if looked_up
        else ()
    )
    named = _match([one.value for one in machines], store)
    return named | {
        one.value for one in looked_up if systems.get(one.trace_id, "").lower() == DESKTOP_SYSTEM
    }


def _match(values: Collection[str], store: Store) -> set[str]:
    sql = "SELECT arrayFilter(one -> match(one, {pattern:String}), {values:Array(String)})"
    ((found,),) = store.query(sql, {"pattern": DESKTOP_HOST, "values": list(values)}).rows
    return set(found)


def _all_traces(selection: Selection, parameters: Parameters, columns: str) -> str:
    condition = selection.condition(parameters)
    return "\nUNION ALL\n".join(
        _SOURCE.format(columns=columns, table=table, condition=condition)
        for table in ("traces", "open_traces")
    )


def _ask(store: Store, sql: str, parameters: Parameters) -> Rows | None:
    try:
        return store.query(sql, parameters.values, settings=limit_rows(EXACT_TRACES))
    except StoreError as error:
        if is_too_many(error):
            return None
        raise
