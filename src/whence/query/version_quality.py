"""The quality of versions: the mean of each feedback name over the traces that it was given to.

Numbers count as they are; true, and the text `yes`, are 1, false and `no` 0; other values are left
out, as is feedback that was overridden or deleted, and feedback of deleted traces. Feedback is
changed by people at any time, so it is read as it is and not rolled up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.entities.version import VersionQuality
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from whence.query.version_source import Selection
    from whence.store.connection import Store

MAX_NAMES = 50  # of a version, the most frequent ones
Key = tuple[str | None, str | None, str | None]  # environment, app_version, commit without one


_WORDS = "transform(value, ['true', '\"yes\"', 'false', '\"no\"'], ['1', '1', '0', '0'], value)"
# Every judgement that counts, as a number.
FEEDBACK = f"""\
SELECT trace_id, name, toFloat64OrNull({_WORDS}) AS number
FROM assessments FINAL
WHERE kind = 'feedback' AND valid = 1 AND deleted = 0 AND isFinite(ifNull(number, nan))"""
_SELECT = """\
WITH feedback AS (
{feedback}
)
SELECT
    {environment} AS row_environment,
    {version} AS row_version,
    if({apart} AND isNull(at_version), at_commit, NULL) AS lone_commit,
    name,
    avg(number),
    count() AS times,
    uniqExact(trace_id)
FROM feedback
INNER JOIN
(
    SELECT
        trace_id,
        argMax((environment, app_version, commit), version) AS newest,
        newest.1 AS at_environment,
        newest.2 AS at_version,
        newest.3 AS at_commit
    FROM traces
    WHERE trace_id IN (SELECT trace_id FROM feedback)
        AND trace_id NOT IN (SELECT trace_id FROM deletions)
        AND {condition}
    GROUP BY trace_id
) AS judged USING trace_id
GROUP BY row_environment, row_version, lone_commit, name
ORDER BY times DESC, name
LIMIT {limit} BY row_environment, row_version, lone_commit
"""


def read_quality(
    store: Store, selection: Selection, *, by_environment: bool = False, by_version: bool = True
) -> dict[Key, list[VersionQuality]]:
    """Return the quality of every version of the selected traces that was judged.

    Without `by_version` and `by_environment` it is that of all, under (None, None, None).
    """
    parameters = Parameters()
    sql = _SELECT.format(
        feedback=FEEDBACK,
        environment="at_environment" if by_environment else "NULL",
        version="at_version" if by_version else "NULL",
        apart=int(by_version),
        condition=selection.condition(parameters),
        limit=MAX_NAMES,
    )
    found: dict[Key, list[VersionQuality]] = {}
    for environment, version, commit, *quality in store.query(
        sql, parameters.values, settings=SETTINGS
    ).rows:
        found.setdefault((environment, version, commit), []).append(VersionQuality(*quality))
    return found
