"""How often two filters find the same traces: `TracingClient.calculate_trace_filter_correlation`.

The answer is the normalised pointwise mutual information of the two, from -1 (never together) over
0 (as often as by chance) to 1 (always together), and the same with half a trace added to each of
the four combinations (Jeffreys' prior), which keeps small counts from shouting. Both are absent
where either filter finds nothing: a client then reads NaN.

Limit: beyond 2.5 million traces counts may be extrapolated from a sample (`whence.query.facets`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from whence.query.facets import count_facets
from whence.query.parser import parse_filter
from whence.server.mlflow.requests import check_experiment_id, missing, read_fields
from whence.server.mlflow.routes import V3
from whence.server.replies import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

PRIOR = 0.5


class Counts(msgspec.Struct, frozen=True):
    """How many traces the filters find: each alone, both at once, and how many there are."""

    filter1_count: int
    filter2_count: int
    joint_count: int
    total_count: int


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    npmi: float | UnsetType = UNSET
    npmi_smoothed: float | UnsetType = UNSET
    filter1_count: int
    filter2_count: int
    joint_count: int
    total_count: int


class Comparison(msgspec.Struct, frozen=True):
    """What is asked: two filters, on top of a third where there is one."""

    experiment_ids: list[str]
    first: str
    second: str
    base: str | None


def add_correlation(routes: Routes, services: Services) -> None:
    """Tell how two filters go together."""

    async def correlate(request: Request) -> Response:
        comparison = _read_comparison(await read_fields(services, request))
        return reply(weigh(await services.read(_count_all, services, comparison)))

    routes.add("POST", "/traces/calculate-filter-correlation", correlate, versions=(V3,))


def weigh(counts: Counts) -> Correlation:
    """Return the correlation that four counts amount to.

    >>> found = weigh(Counts(filter1_count=4, filter2_count=1, joint_count=1, total_count=8))
    >>> round(found.npmi, 4), round(found.npmi_smoothed, 4)
    (0.3333, 0.2137)
    """
    known = counts.filter1_count > 0 and counts.filter2_count > 0
    return Correlation(
        npmi=_npmi(counts, 0.0) if known else UNSET,
        npmi_smoothed=_npmi(counts, PRIOR) if known else UNSET,
        filter1_count=counts.filter1_count,
        filter2_count=counts.filter2_count,
        joint_count=counts.joint_count,
        total_count=counts.total_count,
    )


def _npmi(counts: Counts, prior: float) -> float:
    """Return the normalised pointwise mutual information, `prior` added to each combination."""
    if counts.joint_count >= counts.total_count:
        return 1.0
    total = counts.total_count + 4 * prior
    joint = (counts.joint_count + prior) / total
    if joint == 0:
        return -1.0
    first = (counts.filter1_count + 2 * prior) / total
    second = (counts.filter2_count + 2 * prior) / total
    return max(-1.0, min(1.0, math.log(joint / (first * second)) / -math.log(joint)))


def _read_comparison(fields: Fields) -> Comparison:
    if fields.raw("experiment_ids") is None:
        raise missing("experiment_ids")
    return Comparison(
        [check_experiment_id(one) for one in fields.texts("experiment_ids")],
        fields.need_text("filter_string1"),
        fields.need_text("filter_string2"),
        fields.text("base_filter"),
    )


def _count_all(services: Services, comparison: Comparison) -> Counts:
    base, first, second = (comparison.base, comparison.first, comparison.second)
    total = _count(services, comparison.experiment_ids, base)
    ones = _count(services, comparison.experiment_ids, base, first)
    others = _count(services, comparison.experiment_ids, base, second)
    both = _count(services, comparison.experiment_ids, base, first, second)
    # Traces may arrive, and counts be extrapolated: what is part of a whole is never more.
    ones, others = min(ones, total), min(others, total)
    return Counts(ones, others, min(both, ones, others), total)


def _count(services: Services, experiment_ids: list[str], *filters: str | None) -> int:
    """Return how many traces all the filters find; nothing where no experiment is named."""
    wanted = [text for text in filters if text and text.strip()]
    for text in wanted:
        parse_filter(text)  # each for itself: parentheses of one must not close those around it
    if not experiment_ids:
        return 0
    found = count_facets(
        services.store,
        experiment_ids=experiment_ids,
        filter_string=" AND ".join(f"({text})" for text in wanted),
        fields=["state"],
        own=True,
        limit=1,
        environment_aliases=services.settings.aliases,
    )
    return found.total
