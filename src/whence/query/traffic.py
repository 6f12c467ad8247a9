"""Where traffic arrives: the experiments that have it, and the versions of their environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from whence.query.compile import SETTINGS, Parameters
from whence.query.version_source import select
from whence.query.version_table import MAX_MAX_VERSIONS, read_versions

if TYPE_CHECKING:
    from whence.entities.version import VersionRow
    from whence.store.connection import Store

HOUR_MS = 3_600_000
_SELECT = """\
SELECT experiment_id, sum(one_traces) AS traces, max(one_last_seen_ms) AS last_seen_ms
FROM
(
{source}
)
WHERE isNotNull(app_version) OR isNotNull(lone_commit)
GROUP BY experiment_id
"""


class Traffic(NamedTuple):
    """How many traces that name a version ended in an experiment, and when the last one began."""

    traces: int
    last_seen_ms: int


def find_traffic(store: Store, since_ms: int) -> dict[str, Traffic]:
    """Return the experiments with traffic since about then (the beginning of the hour)."""
    parameters = Parameters()
    selection = select(since_ms=since_ms - since_ms % HOUR_MS)
    sql = _SELECT.format(source=selection.sources(store, parameters))
    rows = store.query(sql, parameters.values, settings=SETTINGS).rows
    return {row[0]: Traffic(int(row[1]), int(row[2])) for row in rows}


def list_named_versions(
    store: Store, experiment_id: str, *, since_ms: int | None = None
) -> dict[str | None, list[VersionRow]]:
    """Return the versions of each environment that have a name or a commit, the newest first."""
    table = read_versions(
        store,
        select(experiment_ids=[experiment_id], since_ms=since_ms),
        by_environment=True,
        max_versions=MAX_MAX_VERSIONS,
    )
    found: dict[str | None, list[VersionRow]] = {}
    for row in table.versions:
        if row.app_version is not None or row.commit is not None:
            found.setdefault(row.environment, []).append(row)
    return found


def count_traces(
    store: Store, experiment_id: str, environment: str | None, since_ms: int
) -> dict[tuple[str, str], int]:
    """Return how many traces of each version of an environment ended, those begun since a time.

    The keys are ("app_version", its name) and, of traces that name none, ("commit", its hash).
    """
    rows = list_named_versions(store, experiment_id, since_ms=since_ms).get(environment, ())
    return {name_version(row): row.traces for row in rows}


def name_version(row: VersionRow) -> tuple[str, str]:
    """Return the kind and the name of a version that has one."""
    if row.app_version is not None:
        return "app_version", row.app_version
    return "commit", row.commit or ""
