"""Facets: the most frequent values of fields among the traces that a filter finds, with counts.

A field is counted under the filter without the conditions on that very field (unless `own` is
asked for), so that the values beside the chosen one stay to be chosen. Every trace counts once:
superseded and deleted rows don't, traces that have not ended do.

How it is read, field by field: what rollups are grouped by comes from rollups, where the filter
allows it (`coverage`); sessions and users too, where the filter speaks of no names. All else is
counted from `traces`, in one pass over the columns it needs; where rollups can tell in which hours
a filter finds anything, over these hours only. More than `EXACT_TRACES`, or `EXACT_VALUES` rows of
sessions or of users, are not read: hours drawn by a hash are counted instead, the counts are
extrapolated, and the answer says so. A value that the sample holds `FEW` times or less is counted
again exactly, as far as an index leads to it.

Limit: a trace that ends while it is counted may be counted as ended and as not ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from whence.errors import FilterError, InvalidInputError
from whence.query import facet_sql
from whence.query.coverage import ask, has_renamed, speaks_of_names, without_conditions_on
from whence.query.environments import normalise_environments
from whence.query.filters import Filter, render_field
from whence.query.parser import parse_filter
from whence.query.runs import follow_links
from whence.query.times import narrow
from whence.query.vocabulary import ATTRIBUTES, Field, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.query.facet_samples import Counted
    from whence.store.connection import Store

DEFAULT_FIELDS = (
    "environment",
    "app_version",
    "commit",
    "branch",
    "state",
    "name",
    "session",
    "user",
)
DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
MAX_FIELDS = 20
_NO_FACET = ("timestamp_ms", "execution_time_ms", "end_time_ms", "trace_id", "prompt")


class FacetValue(msgspec.Struct, frozen=True):
    """A value and the number of traces that have it."""

    value: str
    count: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted instead of everything: `traces` in `hours`, a `fraction` of what is asked.

    Counts are extrapolated from it; `distinct` is of the sample alone.
    """

    fraction: float
    traces: int
    hours: int
    method: str


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """A field's most frequent values. The counts of values, `other` and `missing` add up to all.

    `distinct` is the number of values; `other` counts traces with a value that is not listed,
    `missing` those without any. `sample` is null where everything was counted.
    """

    field: str
    values: list[FacetValue]
    distinct: int
    other: int
    missing: int
    sample: Sample | None = None


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """All facets; `total` is the number of traces that the whole filter finds.

    `sampled` tells whether any number here is extrapolated.
    """

    total: int
    facets: list[Facet]
    sampled: bool


@dataclass(frozen=True)
class _Request:
    fields: dict[Field, str]  # and the name by which each was asked for
    limit: int
    own: bool


def count_facets(
    store: Store,
    *,
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    fields: Sequence[str] | None = None,
    limit: int = DEFAULT_LIMIT,
    own: bool = False,
    since_ms: int | None = None,
    until_ms: int | None = None,
    environment_aliases: Mapping[str, str] | None = None,
) -> Facets:
    """Count the values of fields; no `experiment_ids` means all experiments.

    Raises FilterError for a bad filter or field, InvalidInputError for a bad limit.
    """
    request = _Request(_read_fields(fields or DEFAULT_FIELDS), limit, own)
    if not 0 < limit <= MAX_LIMIT:
        raise InvalidInputError(f"limit must be between 1 and {MAX_LIMIT}, got {limit}")
    tree = follow_links(parse_filter(filter_string), store)
    if tree is not None:
        tree = normalise_environments(tree, environment_aliases)
    tree = narrow(tree, since_ms, until_ms)
    named = speaks_of_names(tree) or any(facet_sql.is_name(field) for field in request.fields)
    plain_names = named and not has_renamed(store)
    counted: dict[Field, Counted] = {}
    total: Counted | None = None
    # All are started before the first is waited for.
    started = {
        part: facet_sql.start_count(
            store,
            ask(part, experiment_ids or (), plain_names=plain_names),
            members,
            limit=limit,
            plain_names=plain_names,
            total=part == tree,
        )
        for part, members in _group(tree, request).items()
    }
    for part, finish in started.items():
        counts, everything = finish()
        counted.update(counts)
        total = everything if part == tree else total
    facets = [_show(name, counted[field]) for field, name in request.fields.items()]
    sampled = any(facet.sample for facet in facets)
    return Facets(
        total=0 if total is None else total.traces,
        facets=facets,
        sampled=sampled or (total is not None and total.sample is not None),
    )


def _group(tree: Filter | None, request: _Request) -> dict[Filter | None, list[Field]]:
    """Return the fields by the filter they are counted under; the whole filter is always there."""
    groups: dict[Filter | None, list[Field]] = {tree: []}
    for field in request.fields:
        part = tree if request.own else without_conditions_on(tree, field)
        groups.setdefault(part, []).append(field)
    return groups


def _show(name: str, counted: Counted) -> Facet:
    values = [FacetValue(value, count) for value, count in counted.values]
    shown = sum(one.count for one in values)
    sample = counted.sample
    return Facet(
        field=name,
        values=values,
        distinct=max(counted.distinct, len(values)),
        other=max(0, counted.traces - counted.missing - shown),
        missing=counted.missing,
        sample=None
        if sample is None
        else Sample(
            fraction=round(sample.fraction, 6),
            traces=sample.traces,
            hours=sample.hours,
            method="whole hours, drawn by a hash; counts are extrapolated",
        ),
    )


def _read_fields(names: Sequence[str]) -> dict[Field, str]:
    if len(names) > MAX_FIELDS:
        raise InvalidInputError(f"at most {MAX_FIELDS} fields at once, got {len(names)}")
    return {_read_field(name): name for name in names}


def _read_field(name: str) -> Field:
    """Read a field as the filter language writes it."""
    bare = name.strip()
    if bare in ("state", "status"):
        return Field("attribute", "state")
    try:
        tree = parse_filter(f"{bare} IS NOT NULL")
    except FilterError as error:
        hint = suggest(None, bare)
        also = "" if hint in (None, bare) else f"; did you mean {hint!r}?"
        raise FilterError(f"{name[:200]!r} is not a field that has facets{also}") from error
    field = getattr(tree, "field", None)
    if (
        not isinstance(field, Field)
        or field.kind not in ("attribute", "metadata", "tag")
        or field.key in _NO_FACET
        or (field.kind == "attribute" and field.key not in ATTRIBUTES)
    ):
        shown = render_field(field) if isinstance(field, Field) else name[:200]
        raise FilterError(
            f"{shown!r} has no facets; bare fields with few values, metadata.KEY and tags.KEY have"
        )
    return field
