"""`app_version >= '2.1.0'` as a list: the versions of the store's traces that it holds for.

To compare a text as a version the engine takes an expression whose analysis alone costs 10 ms of a
page, and then some microseconds a row. Versions are few, so where they are held in memory
(`store/values.py`) the comparison is made here, and the engine looks for those that satisfy it.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING

from whence.query.coverage import column_of
from whence.query.filters import And, Comparison, Not, Or, comparisons
from whence.query.versions import sort_key
from whence.query.vocabulary import ORDERING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from whence.query.filters import Filter
    from whence.store.connection import Store

Key = tuple[bytes, bytes]

_TESTS: dict[str, Callable[[Key, Key], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read_versions_compared(store: Store, tree: Filter | None) -> frozenset[str] | None:
    """Return the versions there are, where a filter compares them; None where they aren't known."""
    if tree is None or not any(map(_compares_versions, comparisons(tree))):
        return None
    return store.kept.app_versions.list()


def with_listed_versions(tree: Filter, versions: Collection[str]) -> Filter:
    """Return a filter that finds the same traces of these versions, without comparing versions."""
    if isinstance(tree, Comparison):
        return _list(tree, versions) if _compares_versions(tree) else tree
    if isinstance(tree, Not):
        return Not(with_listed_versions(tree.operand, versions))
    kind = And if isinstance(tree, And) else Or
    return kind(tuple(with_listed_versions(one, versions) for one in tree.operands))


def _compares_versions(one: Comparison) -> bool:
    return (
        one.operator in ORDERING
        and column_of(one.field) == "app_version"
        and isinstance(one.values[0], str)
    )


def _list(one: Comparison, versions: Collection[str]) -> Filter:
    test, key = _TESTS[one.operator], sort_key(str(one.values[0]))
    found = tuple(sorted(version for version in versions if test(sort_key(version), key)))
    if found:
        return replace(one, operator="IN", values=found)
    absent = replace(one, operator="IS NULL", values=())
    return And((absent, replace(one, operator="IS NOT NULL", values=())))
