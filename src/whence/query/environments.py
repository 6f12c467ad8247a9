"""The bare field `environment` holds a name in its canonical form, so its literals take that form.

Only where a literal is a whole name (`=`, `!=`, `IN`, `NOT IN`): patterns and orders see the column
as it is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from whence import semconv
from whence.query.filters import And, Comparison, Filter, Not
from whence.query.vocabulary import EQUALITY, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = Field("attribute", "environment")


def normalise_environments(tree: Filter, aliases: Mapping[str, str] | None = None) -> Filter:
    """Return the filter with every environment by its canonical name; `aliases` come first."""
    if isinstance(tree, Comparison):
        return _normalise(tree, aliases) if tree.field == ENVIRONMENT else tree
    if isinstance(tree, Not):
        return Not(normalise_environments(tree.operand, aliases))
    operands = tuple(normalise_environments(one, aliases) for one in tree.operands)
    return And(operands) if isinstance(tree, And) else type(tree)(operands)


def _normalise(one: Comparison, aliases: Mapping[str, str] | None) -> Comparison:
    if one.operator not in EQUALITY:
        return one
    values = tuple(
        semconv.normalise_environment(value, aliases) if isinstance(value, str) else value
        for value in one.values
    )
    return dataclasses.replace(one, values=values)
