"""The judgements of compared traces, by name and by who judged.

People are one source together; each judge model and each program is one of its own, because a
judge that was changed measures something else. A trace that was judged more than once by a source
counts with the mean. Values are numbers, or true and false as 1 and 0; texts are left out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.query.arm_sql import write_arms
from whence.query.compared_spans import FEW, Counts
from whence.query.compile import SETTINGS, Parameters

if TYPE_CHECKING:
    from whence.query.arms import NamedArm, Scope
    from whence.store.connection import Store

PEOPLE = "HUMAN"


class FeedbackSource(msgspec.Struct, frozen=True):
    """A feedback's name, who gave it (`HUMAN`, or type and id), and whether it is true or false."""

    name: str
    source: str
    is_boolean: bool
    counts: Counts


def read_feedback(
    store: Store, scope: Scope, arms: tuple[NamedArm, NamedArm]
) -> list[FeedbackSource]:
    """Return every feedback of the arms' traces, the most frequent first.

    Where there are few in the whole store, those of other traces are among them.
    """
    count = int(store.query("SELECT count() FROM assessments").rows[0][0])
    if not count:
        return []
    parameters = Parameters()
    where = write_arms(arms, scope, parameters).either
    among = "1" if count <= FEW else f"trace_id IN (SELECT trace_id FROM traces WHERE {where})"
    sql = f"""\
SELECT
    name,
    source,
    cityHash64(trace_id) AS key,
    avg(number) AS value,
    min(boolean) AND value IN (0, 1) AS is_boolean
FROM
(
    SELECT
        trace_id, toString(name) AS name,
        if(source_type = '{PEOPLE}', source_type, concat(source_type, ' ', source_id)) AS source,
        value IN ('true', 'false') AS boolean,
        if(boolean, toFloat64(value = 'true'), toFloat64OrNull(value)) AS number
    FROM assessments FINAL
    WHERE kind = 'feedback' AND deleted = 0 AND valid = 1
        AND {among}
)
WHERE isFinite(number)
GROUP BY name, source, trace_id
ORDER BY name, source, key
"""
    settings = {**SETTINGS, "use_index_for_in_with_subqueries": 0}
    table = store.query_table(sql, parameters.values, settings=settings)
    if not table.num_columns or not table.num_rows:
        return []
    names, sources = table.column("name").to_pylist(), table.column("source").to_pylist()
    keys = table.column("key").to_numpy().astype(np.uint64)
    values = table.column("value").to_numpy().astype(np.float64)
    booleans = table.column("is_boolean").to_numpy()
    borders = [0]
    borders += [
        i for i in range(1, len(names)) if (names[i], sources[i]) != (names[i - 1], sources[i - 1])
    ]
    borders.append(len(names))
    found = []
    for start, end in pairwise(borders):
        counts = Counts(keys[start:end], values[start:end])
        is_boolean = bool(booleans[start:end].all())
        found.append(FeedbackSource(names[start], sources[start], is_boolean, counts))
    return sorted(found, key=lambda one: (-len(one.counts.keys), one.name, one.source))
