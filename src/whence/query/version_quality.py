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
# A row for each trace and name; the sums of a trace are added up by version.
_BY_TRACE = f"""\
SELECT trace_id, name, sum(number) AS total, count() AS times
FROM ({FEEDBACK})
GROUP BY trace_id, name"""
_SELECT = """\
SELECT
    {environment} AS row_environment,
    {version} AS row_version,
    if({apart} AND isNull(app_version), commit, NULL) AS lone_commit,
    name,
    sum(total) / sum(times),
    sum(times) AS given,
    count()
FROM
(
    SELECT trace_id, environment, app_version, commit
    FROM traces FINAL
    WHERE {among} AND {condition}
) AS judged
INNER JOIN
(
{feedback}
) AS feedback USING trace_id
GROUP BY row_environment, row_version, lone_commit, name
ORDER BY given DESC, name
LIMIT {limit} BY row_environment, row_version, lone_commit
"""
_FEW = 1_000
"""So many judgements lead to their traces by the index; more are joined with a scan of them."""


def read_quality(
    store: Store, selection: Selection, *, by_environment: bool = False, by_version: bool = True
) -> dict[Key, list[VersionQuality]]:
    """Return the quality of every version of the selected traces that was judged.

    Without `by_version` and `by_environment` it is that of all, under (None, None, None).
    """
    parameters = Parameters()
    count = int(store.query("SELECT count() FROM assessments").rows[0][0])
    if not count:
        return {}
    ids = "SELECT trace_id FROM assessments"
    sql = _SELECT.format(
        feedback=_BY_TRACE,
        environment="environment" if by_environment else "NULL",
        version="app_version" if by_version else "NULL",
        apart=int(by_version),
        among=f"trace_id IN ({ids})" if count <= _FEW else "1",
        condition=selection.condition(parameters),
        limit=MAX_NAMES,
    )
    found: dict[Key, list[VersionQuality]] = {}
    for environment, version, commit, *quality in store.query(
        sql, parameters.values, settings=SETTINGS
    ).rows:
        found.setdefault((environment, version, commit), []).append(VersionQuality(*quality))
    return found
