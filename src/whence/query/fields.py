"""Which metadata keys and tags traces carry, and their most frequent values: for autocompletion.

What is looked at is bounded: the newest `SAMPLE` traces as they lie, so counts are of that sample,
not of the store. Tags are the initial ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence import semconv
from whence.query.compile import Parameters
from whence.query.filters import render_field
from whence.query.vocabulary import ATTRIBUTES, SPAN_FIELDS, Field, FieldKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.store.connection import Store

SAMPLE = 5000
MAX_FIELDS = 200
MAX_VALUES = 10
MAX_VALUE_CHARS = 200

# Bare fields with few values each, and the column that holds them.
_COLUMNS = {
    "state": "state",
    "name": "trace_name",
    "environment": "environment",
    "app_version": "app_version",
    "commit": "commit",
    "branch": "branch",
    "session": "session",
    "user": "user",
}


class SeenValue(msgspec.Struct, frozen=True):
    """A value, and how many traces of the sample have it."""

    value: str
    count: int


class SeenField(msgspec.Struct, frozen=True):
    """A field as a filter names it, with its most frequent values."""

    name: str
    values: list[SeenValue]


def field_values(
    store: Store, experiment_ids: Sequence[str] | None = None, prefix: str = ""
) -> list[SeenField]:
    """Return the fields whose name begins with `prefix` (any case), by name.

    All bare fields are listed, those without few values with no value; metadata keys and tags where
    they have been seen.
    """
    seen: dict[str, list[SeenValue]] = {name: [] for name in _bare_fields()}
    for kind, key, value, count in _count(store, experiment_ids or ()):
        name = key if kind == "attribute" else render_field(Field(kind, key))
        seen.setdefault(name, []).append(SeenValue(value, count))
    wanted = prefix.lower().replace("`", "")
    fields = [
        SeenField(name, values)
        for name, values in sorted(seen.items())
        if name.lower().replace("`", "").startswith(wanted)
    ]
    return fields[:MAX_FIELDS]


def _bare_fields() -> list[str]:
    return [*ATTRIBUTES, *(f"span.{name}" for name in SPAN_FIELDS)]


def _count(store: Store, experiment_ids: Sequence[str]) -> list[tuple[FieldKind, str, str, int]]:
    parameters = Parameters()
    among = "1"
    if experiment_ids:
        among = f"experiment_id IN {parameters.bind(list(experiment_ids), 'Array(String)')}"
    columns = {
        **{("attribute", name): column for name, column in _COLUMNS.items()},
        **{("metadata", key): column for key, column in semconv.COLUMN_OF_METADATA.items()},
    }
    pairs = ", ".join(f"('{kind}', '{name}', {column})" for (kind, name), column in columns.items())
    sql = f"""\
SELECT kind, key, value, count() AS seen
FROM
(
    SELECT arrayJoin(arrayConcat(
        arrayFilter(one -> isNotNull(one.3), [{pairs}]),
        arrayMap((k, v) -> ('metadata', k, v), mapKeys(metadata), mapValues(metadata)),
        arrayMap((k, v) -> ('tag', k, v), mapKeys(tags), mapValues(tags))
    )) AS found, found.1 AS kind, found.2 AS key, assumeNotNull(found.3) AS value
    FROM
    (
        SELECT *
        FROM traces
        WHERE {among} AND deleted = 0
        ORDER BY -request_time_ms
        LIMIT {{sample:UInt64}}
    )
)
WHERE lengthUTF8(value) <= {{longest:UInt64}}
GROUP BY kind, key, value
ORDER BY seen DESC, value
LIMIT {{values:UInt64}} BY kind, key
"""
    limits = {"sample": SAMPLE, "longest": MAX_VALUE_CHARS, "values": MAX_VALUES}
    rows = store.query(sql, {**parameters.values, **limits}).rows
    return [(kind, key, value, seen) for kind, key, value, seen in rows]
