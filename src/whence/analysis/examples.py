"""Pairs of traces to open side by side: one of each version, asked the same or nearly so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.overrepresented import find_slow
from whence.entities.comparison import ExemplarPair
from whence.query.compared_values import Example, find_same_inputs, read_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from whence.analysis.error_comparison import Errors
    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.store.connection import Store

LOOKED_AT = 200
SLOW_PAIRS, FAILED_PAIRS = 3, 2
SAME_INPUT, NEAREST = "same input", "nearest"


def find_pairs(
    store: Store,
    scope: Scope,
    arms: tuple[NamedArm, NamedArm],
    population: Population,
    errors: Errors,
) -> list[ExemplarPair]:
    """Return pairs for slow traces, then for failed ones; each trace is in one pair at most.

    The candidate's slow traces nearest to the median of the slow come first: typical ones, not the
    worst of all.
    """
    if population.is_candidate.all() or not population.is_candidate.any():
        return []
    slow = _typical(
        population, find_slow(population) & population.is_candidate & ~population.failed
    )
    new = {one.example for one in errors.signatures if one.status in ("new", "more")}
    failed = np.flatnonzero(population.failed & population.is_candidate)[:LOOKED_AT]
    candidates = [int(population.key[row]) for row in (*slow, *failed)]
    shown = read_examples(store, scope, arms[1], candidates)
    inputs = sorted({one.input for one in shown.values() if one.has_input})
    same = find_same_inputs(store, scope, arms[0], population, inputs)
    failed_first = sorted(
        failed.tolist(),
        key=lambda row: (
            (example.trace_id if (example := shown.get(int(population.key[row]))) else "")
            not in new
        ),
    )
    used: set[int] = set()
    pairs = _pair(population, slow, shown, same, used, "slow", SLOW_PAIRS)
    pairs += _pair(population, failed_first, shown, same, used, "failed", FAILED_PAIRS)
    near = {pair[1] for pair in pairs if pair[2] == NEAREST}
    others = read_examples(store, scope, arms[0], sorted(near))
    found = []
    for row, other, basis, reason in pairs:
        example = others.get(other) if basis == NEAREST else _by_key(same, other)
        if example is not None:
            found.append(_view(population, row, other, shown, example, basis, reason))
    return found


def _typical(population: Population, chosen: NDArray[np.bool_]) -> list[int]:
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return []
    away = np.abs(population.duration_ms[rows] - np.median(population.duration_ms[rows]))
    found: list[int] = rows[np.argsort(away, kind="stable")][:LOOKED_AT].tolist()
    return found


def _pair(
    population: Population,
    rows: Sequence[int],
    shown: dict[int, Example],
    same: dict[int, list[Example]],
    used: set[int],
    reason: str,
    most: int,
) -> list[tuple[int, int, str, str]]:
    """Return (row of the candidate's trace, key of the baseline's, basis, reason)."""
    pairs = []
    ordered = sorted(rows, key=lambda row: not _matches(shown.get(int(population.key[row])), same))
    for row in ordered[:most] if len(ordered) > most else ordered:
        example = shown.get(int(population.key[row]))
        if example is None:
            continue
        other, basis = _same(example, same, used), SAME_INPUT
        if other is None:
            other, basis = _nearest(population, row, used), NEAREST
        if other is not None:
            used.add(other)
            pairs.append((row, other, basis, reason))
    return pairs


def _matches(example: Example | None, same: dict[int, list[Example]]) -> bool:
    return example is not None and example.has_input and bool(same.get(example.input))


def _same(example: Example, same: dict[int, list[Example]], used: set[int]) -> int | None:
    if not example.has_input:
        return None
    return next((one.key for one in same.get(example.input, ()) if one.key not in used), None)


def _nearest(population: Population, row: int, used: set[int]) -> int | None:
    """Return the baseline's trace of the same name whose request is most nearly as long."""
    names = population.labels["trace_name"].codes
    alike = np.flatnonzero(~population.is_candidate & ~population.failed & (names == names[row]))
    if not len(alike):
        return None
    sizes = np.nan_to_num(population.request_bytes)
    away = np.abs(sizes[alike] - sizes[row])
    durations = np.nan_to_num(population.duration_ms[alike])
    typical = np.abs(durations - np.median(durations))
    for place in np.lexsort((typical, away))[: len(used) + 1]:
        key = int(population.key[alike[place]])
        if key not in used:
            return key
    return None


def _by_key(same: dict[int, list[Example]], key: int) -> Example | None:
    return next((one for group in same.values() for one in group if one.key == key), None)


def _view(
    population: Population,
    row: int,
    other: int,
    shown: dict[int, Example],
    example: Example,
    basis: str,
    reason: str,
) -> ExemplarPair:
    place = int(np.searchsorted(population.key, np.uint64(other)))
    if place == population.size or population.key[place] != other:  # delivered meanwhile
        place = -1
    return ExemplarPair(
        baseline=example.trace_id,
        candidate=shown[int(population.key[row])].trace_id,
        basis=basis,
        baseline_ms=_ms(population, place),
        candidate_ms=_ms(population, row),
        reason=reason,
    )


def _ms(population: Population, row: int) -> float | None:
    if not 0 <= row < population.size or not np.isfinite(population.duration_ms[row]):
        return None
    return float(population.duration_ms[row])
