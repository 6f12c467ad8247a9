"""Errors of both versions by signature: which are new, more, fewer or gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from whence.analysis.failures import Failure, find_failures
from whence.analysis.statistics.signatures import compare_signatures
from whence.entities.comparison import ErrorSignature
from whence.query.compared_spans import MAX_ERRORS

if TYPE_CHECKING:
    from whence.analysis.judge import Measured
    from whence.analysis.trace_filters import Filters
    from whence.query.compared_spans import ErrorSpan
    from whence.query.population import Population

MAX_SIGNATURES = 50


class Errors(msgspec.Struct, frozen=True):
    """The signatures, those that changed most surely first; `by_key` is each failed trace's."""

    signatures: list[ErrorSignature]
    by_key: dict[int, Failure]
    note: str | None = None


def compare_errors(
    spans: list[ErrorSpan],
    population: Population,
    measured: Measured,
    filters: Filters,
) -> Errors:
    """Return what happened to every error of the compared traces; units are counted, not spans."""
    if not population.failed.any():
        return Errors([], {})
    found_keys = np.array(sorted({one.key for one in spans}), dtype=np.uint64)
    places = np.minimum(np.searchsorted(population.key, found_keys), population.size - 1)
    known = population.failed[places] & (population.key[places] == found_keys)
    rows = dict(zip(found_keys[known].tolist(), places[known].tolist(), strict=True))
    by_key = {one.key: one for one in find_failures(spans) if one.key in rows}
    units: dict[tuple[str, str, str], tuple[set[int], set[int]]] = {}
    examples: dict[tuple[str, str, str], Failure] = {}
    for failure in by_key.values():
        row = rows[failure.key]
        side = bool(population.is_candidate[row])
        one = failure.signature
        of_both = units.setdefault((one.type, one.message, one.span), (set(), set()))
        of_both[side].add(int(measured.units[row]))
        if side:
            examples.setdefault((one.type, one.message, one.span), failure)
    totals = measured.count_units()
    names = sorted(units)
    compared = compare_signatures(
        np.array([len(units[name][0]) for name in names], dtype=np.float64),
        np.array([len(units[name][1]) for name in names], dtype=np.float64),
        *totals,
    )
    found = [
        ErrorSignature(
            type=name[0],
            message=name[1],
            span=name[2],
            baseline=one.baseline,
            candidate=one.candidate,
            status=one.novelty,
            p_value=min(1.0, 2 * min(one.p_more, one.p_fewer)),
            q_value=one.q_value,
            baseline_filter=filters.of_span(0, name[2], failed=True),
            candidate_filter=filters.of_span(1, name[2], failed=True),
            example=examples[name].trace_id if name in examples else None,
        )
        for name, one in zip(names, compared, strict=True)
    ]
    found.sort(key=lambda one: (one.q_value or 0.0, -one.candidate, -one.baseline))
    note = None
    if len(spans) == MAX_ERRORS:
        note = f"of failed spans, the first {MAX_ERRORS:,} in the order of a hash were read"
    return Errors(found[:MAX_SIGNATURES], by_key, note)
