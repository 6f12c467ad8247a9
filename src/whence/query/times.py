"""A span of request times beside a filter: `since` and `until` of every route that finds traces."""

from __future__ import annotations

from whence.errors import InvalidInputError
from whence.query.filters import And, Comparison, Filter
from whence.query.vocabulary import Field

TIME = Field("attribute", "timestamp_ms")
MAX_TIME_MS = 2**53


def narrow(tree: Filter | None, since_ms: int | None, until_ms: int | None) -> Filter | None:
    """Return the filter for traces that began at `since_ms` or later and before `until_ms`.

    Times are Unix milliseconds; None leaves that side open. Raises InvalidInputError for a time
    that is none, or where `until_ms` is not after `since_ms`.
    """
    for name, value in (("since", since_ms), ("until", until_ms)):
        if value is not None and not 0 <= value <= MAX_TIME_MS:
            raise InvalidInputError(
                f"{name} must be Unix milliseconds, from 0 to 2^53, got {value}"
            )
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InvalidInputError(f"until ({until_ms}) must be later than since ({since_ms})")
    times: list[Filter] = []
    if since_ms is not None:
        times.append(Comparison(TIME, ">=", (float(since_ms),)))
    if until_ms is not None:
        times.append(Comparison(TIME, "<", (float(until_ms),)))
    if not times:
        return tree
    # One level, so that the operands of the filter stay in one group and can be told apart.
    rest = () if tree is None else tree.operands if isinstance(tree, And) else (tree,)
    return And((*times, *rest))
