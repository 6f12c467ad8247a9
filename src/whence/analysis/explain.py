"""Why the versions differ: spans, shapes, values and traces, from a sample of each version.

The sample is the traces with the lowest hashes of their ids, at most `MAX_SPANS` spans a version:
the same ones each time, and none preferred. Baseline traces are weighed to the candidate's mix of
strata, so that what is explained is what the version did, not what the traffic did. Intervals are
bootstraps over units. What is found here is where to look, never a verdict.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy import special

from whence.analysis.cost_parts import split_costs
from whence.analysis.examples import find_pairs
from whence.analysis.overrepresented import find_overrepresented, read_candidates_values
from whence.analysis.span_table import OTHERS, SpanTable, build_span_table
from whence.analysis.statistics.multiplicity import find_q_values
from whence.entities.comparison import Explanation, ShapeChange, SpanEffect, SpanPresence
from whence.query.compared_spans import join_columns, read_span_trees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whence.analysis.error_comparison import Errors
    from whence.analysis.judge import Measured
    from whence.analysis.trace_filters import Filters
    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.store.connection import Store

    Floats = NDArray[np.float64]

MAX_SPANS = 20_000
MOST_SPANS = 2 * MAX_SPANS  # where traces have grown since they were counted
REPLICATES = 500
SEED = 20_240_229
SURE = 0.01  # how improbable it must be that a version has a span and shows none
LEAST_SHARE = 0.05
SURE_Q = 0.05
MAX_SHOWN = 20


class Side(msgspec.Struct, frozen=True):
    """One version's rows of the span table, with weights that sum to 1 and units from 0."""

    rows: NDArray[np.int64]
    weights: Floats
    units: NDArray[np.int64]

    def means(self, table: Floats) -> Floats:
        """Return the weighted mean of every column."""
        found: Floats = self.weights @ table[self.rows]
        return found


def explain_difference(
    store: Store,
    scope: Scope,
    arms: tuple[NamedArm, NamedArm],
    population: Population,
    measured: Measured,
    filters: Filters,
    errors: Errors,
) -> Explanation:
    """Return what explains the difference of duration, and what slow and failed traces share."""
    values = store.submit(partial(read_candidates_values, store, scope, arms[1], population))
    rows = [_choose_rows(population, side) for side in (False, True)]
    trees = [
        store.submit(partial(read_span_trees, store, population, one, 2 * MAX_SPANS))
        for one in rows
    ]
    table = build_span_table(join_columns(*(one.result() for one in trees)))
    sides = _sides(table, population, measured)
    spans: list[SpanEffect] = []
    presence: list[SpanPresence] = []
    shapes: list[ShapeChange] = []
    if sides is not None:
        spans = _span_effects(table, sides, filters)
        presence = _presence(table, sides, filters)
        shapes = _shapes(table, sides)
    counts = [0, 0] if sides is None else [len(side.rows) for side in sides]
    ended = [int(np.count_nonzero(population.is_candidate == side)) for side in (False, True)]
    return Explanation(
        baseline_traces=counts[0],
        candidate_traces=counts[1],
        sampled=counts[0] < ended[0] or counts[1] < ended[1],
        spans=spans[:MAX_SHOWN],
        presence=presence[:MAX_SHOWN],
        shapes=shapes[:MAX_SHOWN],
        overrepresented=find_overrepresented(values.result(), population, measured, filters),
        exemplars=find_pairs(store, scope, arms, population, errors),
        cost=split_costs(population),
    )


def _choose_rows(population: Population, side: bool) -> NDArray[np.int64]:
    """Return an arm's first rows, in the order of their keys, of `MAX_SPANS` spans together."""
    rows = np.flatnonzero(population.is_candidate == side)
    counts = np.nan_to_num(population.numbers["span_count"][rows])
    count = int(np.searchsorted(np.cumsum(np.maximum(counts, 1)), MAX_SPANS, "right"))
    return rows[: max(1, count)]


def _sides(
    table: SpanTable, population: Population, measured: Measured
) -> tuple[Side, Side] | None:
    """Return both versions' rows in strata that both have, or None where there are none."""
    if not len(table.keys) or not population.size:
        return None
    places = np.minimum(np.searchsorted(population.key, table.keys), population.size - 1)
    known = population.key[places] == table.keys
    strata = measured.strata[places]
    is_candidate = population.is_candidate[places]
    size = measured.count_strata()
    counts = [
        np.bincount(strata[known & (is_candidate == side)], minlength=size)
        for side in (False, True)
    ]
    covered = (counts[0] > 0) & (counts[1] > 0)
    if not covered.any():
        return None
    mix = np.where(covered, counts[1], 0) / counts[1][covered].sum()
    found = []
    for side, count in zip((False, True), counts, strict=True):
        rows = np.flatnonzero(known & (is_candidate == side) & covered[strata])
        weights = (mix / np.maximum(count, 1))[strata[rows]]
        _, units = np.unique(measured.units[places[rows]], return_inverse=True)
        found.append(Side(rows, weights, units.astype(np.int64)))
    return found[0], found[1]


# --- Spans ----------------------------------------------------------------------------------------


def _span_effects(table: SpanTable, sides: tuple[Side, Side], filters: Filters) -> list[SpanEffect]:
    own = [side.means(table.own_ms) for side in sides]
    calls = [side.means(table.calls) for side in sides]
    difference = own[1] - own[0]
    whole = float(difference.sum())
    low, high = _bootstrap(table.own_ms, sides)
    each = [
        np.divide(o, c, out=np.zeros_like(o), where=c > 0) for o, c in zip(own, calls, strict=True)
    ]
    by_calls = (calls[1] - calls[0]) * (each[0] + each[1]) / 2
    found = [
        SpanEffect(
            name=name,
            span_type=table.span_types[i],
            baseline_ms=float(own[0][i]),
            candidate_ms=float(own[1][i]),
            difference_ms=float(difference[i]),
            low_ms=float(low[i]),
            high_ms=float(high[i]),
            share=float(difference[i]) / whole if whole else None,
            baseline_calls=float(calls[0][i]),
            candidate_calls=float(calls[1][i]),
            by_calls_ms=float(by_calls[i]),
            by_mean_ms=float(difference[i] - by_calls[i]),
            baseline_filter=filters.of_span(0, name) if name != OTHERS else filters.narrow(0),
            candidate_filter=filters.of_span(1, name) if name != OTHERS else filters.narrow(1),
        )
        for i, name in enumerate(table.names)
    ]
    return sorted(found, key=lambda one: (-abs(one.difference_ms), one.name))


def _bootstrap(values: Floats, sides: tuple[Side, Side]) -> tuple[Floats, Floats]:
    """Return 95 % limits of the difference of weighted means, by resampling units."""
    draw = np.random.default_rng(SEED)
    replicates = [_resample(values, side, draw) for side in sides]
    low, high = np.quantile(replicates[1] - replicates[0], [0.025, 0.975], axis=0)
    return low, high


def _resample(values: Floats, side: Side, draw: np.random.Generator) -> Floats:
    """Return `REPLICATES` weighted means (a row each)."""
    size = int(side.units.max()) + 1
    weighted = values[side.rows] * side.weights[:, None]
    sums = np.zeros((size, values.shape[1]))
    np.add.at(sums, side.units, weighted)
    weights = np.bincount(side.units, weights=side.weights, minlength=size)
    times = draw.multinomial(size, np.full(size, 1 / size), size=REPLICATES).astype(np.float64)
    found: Floats = (times @ sums) / np.maximum(times @ weights, 1e-12)[:, None]
    return found


def _presence(table: SpanTable, sides: tuple[Side, Side], filters: Filters) -> list[SpanPresence]:
    has = table.calls > 0
    counts = [has[side.rows].sum(axis=0) for side in sides]
    totals = [len(side.rows) for side in sides]
    found = []
    for i, name in enumerate(table.names):
        shares = [count[i] / total for count, total in zip(counts, totals, strict=True)]
        for one, other, change in ((1, 0, "added"), (0, 1, "removed")):
            if counts[one][i] and not counts[other][i]:
                by_chance = (1 - shares[one]) ** totals[other]
                if by_chance < SURE:
                    where = filters.of_span(one, name)
                    found.append(
                        SpanPresence(
                            name=name, change=change, traces=float(shares[one]), filter_string=where
                        )
                    )
    return sorted(found, key=lambda one: (-one.traces, one.name))


def _shapes(table: SpanTable, sides: tuple[Side, Side]) -> list[ShapeChange]:
    """Return traits whose mean changed beyond chance and by more than a twentieth."""
    if not table.traits:
        return []
    means = [side.means(table.trait_counts) for side in sides]
    variance = sum(
        _variance(table.trait_counts, side, mean) for side, mean in zip(sides, means, strict=True)
    )
    difference = means[1] - means[0]
    z = np.divide(difference, np.sqrt(variance), out=np.zeros_like(difference), where=variance > 0)
    p = np.where(variance > 0, 2 * special.ndtr(-np.abs(z)), np.where(difference != 0, 0.0, 1.0))
    q = find_q_values(p)
    scale = np.maximum(np.maximum(means[0], means[1]), 1e-12)
    found = [
        ShapeChange(
            description=trait,
            baseline=float(means[0][i]),
            candidate=float(means[1][i]),
            p_value=float(p[i]),
            q_value=float(q[i]),
        )
        for i, trait in enumerate(table.traits)
        if q[i] < SURE_Q and abs(difference[i]) / scale[i] > LEAST_SHARE
    ]
    return sorted(found, key=lambda one: -abs(one.candidate - one.baseline))


def _variance(values: Floats, side: Side, means: Floats) -> Floats:
    """Return the variance of each weighted mean, robust to units."""
    size = int(side.units.max()) + 1
    sums = np.zeros((size, values.shape[1]))
    np.add.at(sums, side.units, (values[side.rows] - means) * side.weights[:, None])
    found: Floats = (sums**2).sum(axis=0) * (size / max(size - 1, 1))
    return found
