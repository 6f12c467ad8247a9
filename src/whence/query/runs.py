"""A trace belongs to the run it was recorded in, and to those that it was linked to later.

`run_id = 'x'` and `run_id IN (…)` ask for both; every other operator looks at the run that was
recorded. Where no trace was ever linked, nothing more is asked: ingest writes the links that a
trace came with into `tags` as well.

Limit: when the first trace of a store is linked, a search by `run_id` that is being paged through
must be begun anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whence import semconv
from whence.ingest.jsontext import to_json
from whence.query.coverage import has_tag_writes
from whence.query.filters import And, Comparison, Filter, Not, Or, comparisons
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from whence.store.connection import Store

RUN = Field("attribute", "run_id")
LINKED_RUNS = Field("tag", semconv.LINKED_RUNS_TAG)


def follow_links(tree: Filter | None, store: Store) -> Filter | None:
    """Return the filter with what is said of runs said of linked ones as well."""
    if tree is None or not any(_asks_for_run(one) for one in comparisons(tree)):
        return tree
    return _extend(tree) if has_tag_writes(store, semconv.LINKED_RUNS_TAG) else tree


def _asks_for_run(one: Comparison) -> bool:
    return one.field == RUN and one.operator in ("=", "IN")


def _extend(tree: Filter) -> Filter:
    if isinstance(tree, Comparison):
        return Or((tree, _find_linked(tree))) if _asks_for_run(tree) else tree
    if isinstance(tree, Not):
        return Not(_extend(tree.operand))
    operands = tuple(_extend(one) for one in tree.operands)
    return And(operands) if isinstance(tree, And) else Or(operands)


def _find_linked(one: Comparison) -> Comparison:
    """Return: the tag's JSON list has one of the ids."""
    ids = "|".join(re.escape(to_json(str(value))) for value in one.values)
    return Comparison(LINKED_RUNS, "RLIKE", (rf"[\[,]({ids})[,\]]",), one.column)
