"""Choosing the rows that count among all that lie at a key, where few rows are read.

FINAL does that for whole tables; planning it and merging the parts takes longer than a few rows do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.store.connection import Rows

RowT = TypeVar("RowT", bound=msgspec.Struct)


def newest_rows(found: Rows, row_type: type[RowT], key: Sequence[str]) -> list[RowT]:
    """Return the row with the highest `version` of every key, as FINAL does.

    The last column is `_part`: of equal versions the one that was inserted last counts, and parts
    are numbered in the order of their inserts.
    """
    if not found.rows:
        return []
    names = found.columns[:-1]
    places = [names.index(name) for name in key]
    version = names.index("version")
    newest: dict[tuple[Any, ...], tuple[tuple[int, int], tuple[Any, ...]]] = {}
    for row in found.rows:
        rank = row[version], _number_of_insert(row[-1])
        at = tuple(row[place] for place in places)
        if at not in newest or newest[at][0] <= rank:
            newest[at] = rank, row[:-1]
    return [row_type(**dict(zip(names, row, strict=True))) for _, row in newest.values()]


def _number_of_insert(part: str) -> int:
    """Return the number of a part's first insert; its name is partition_first_last_level."""
    numbers = part.removeprefix("all").split("_")
    return int(numbers[1])
