"""Costs: what a change of cost is made of, price × tokens × model mix; and any product alike.

Cost per trace is tokens per trace × Σ over models of (share of tokens × price per token). A change
is split by Shapley's rule: each factor's part is its mean effect over all orders in which the
factors could have moved from the baseline's value to the candidate's. The parts add up to the
difference exactly, none is left as "interaction", and swapping the arms turns every sign.

Sources: Shapley 1953; Shorrocks, J. Economic Inequality 2013 (decomposition); Tukey 1958 and
Künsch, Annals of Statistics 1989 (the grouped jackknife behind the intervals).

Limits: a model that only one arm used has one price, which is taken for both: its arrival is model
mix. Traces without tokens count with zero tokens; cost without tokens is told as `untold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from whence.analysis.statistics.estimates import critical
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.analysis.statistics.samples import Codes, Floats

GROUPS = 40
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One factor's part of the difference, in the metric's unit, with its interval (or None)."""

    name: str
    effect: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Usage:
    """Calls of one arm: `trace`, `unit` and `model` codes, tokens and cost of each; `n` traces."""

    model: Codes
    tokens: Floats
    cost: Floats
    unit: Codes
    n: int
    traces_of_unit: Floats
    """Traces of each unit code, from zero; they sum to `n`."""


def split_cost(baseline: Usage, candidate: Usage, *, alpha: float = 0.05) -> list[Part]:
    """Return the parts price, tokens and models of the change in cost per trace, with intervals.

    `InvalidInputError` where arrays differ in length. All parts are NaN where an arm has no traces.
    """
    models = int(max(one.model.max(initial=-1) for one in (baseline, candidate))) + 1
    arms = [_tabulate(one, models) for one in (baseline, candidate)]
    totals = [(table.sum(axis=0), float(count.sum())) for table, count in arms]
    whole = _split_sums(totals[0], totals[1])
    errors = np.zeros(whole.size)
    freedom = float("inf")
    for side in (0, 1):
        table, count = arms[side]
        alive = np.flatnonzero(count)
        if alive.size <= 1:
            errors[:] = np.nan
            continue
        left = [(totals[side][0] - table[g], totals[side][1] - count[g]) for g in alive]
        other = totals[1 - side]
        parts = np.array(
            [_split_sums(*((one, other) if side == 0 else (other, one))) for one in left]
        )
        size = alive.size
        errors += ((parts - parts.mean(axis=0)) ** 2).sum(axis=0) * (size - 1) / size
        freedom = min(freedom, size - 1.0)
    half = critical(alpha, freedom) * np.sqrt(errors)
    names = ("price", "tokens", "models", "untold")
    return [
        Part(name, float(e), _known(e - h), _known(e + h))
        for name, e, h in zip(names, whole, half, strict=True)
    ]


def split_product(baseline: Sequence[float], candidate: Sequence[float]) -> list[float]:
    """Return each factor's Shapley part of Π candidate - Π baseline, e.g. calls × mean duration."""
    if len(baseline) != len(candidate) or not baseline:
        raise InvalidInputError(
            f"{len(baseline)} factors and {len(candidate)}: give the same ones for both"
        )
    return share_out(
        [np.float64(x) for x in baseline], [np.float64(x) for x in candidate], _multiply
    )


def share_out(
    baseline: Sequence[T], candidate: Sequence[T], value: Callable[[Sequence[T]], float]
) -> list[float]:
    """Return each factor's mean effect on `value` over all orders of moving to the candidate."""
    parts = [0.0] * len(baseline)
    for order in permutations(range(len(baseline))):
        now = list(baseline)
        before = value(now)
        for place in order:
            now[place] = candidate[place]
            after = value(now)
            parts[place] += after - before
            before = after
    return [part / factorial(len(baseline)) for part in parts]


def _tabulate(usage: Usage, models: int) -> tuple[Floats, Floats]:
    """Return tokens and costs by group of units and model, and the traces of each group.

    Units are dealt to `GROUPS` groups in turn, so that a group is a sample of all units.
    """
    shapes = {np.shape(a) for a in (usage.model, usage.tokens, usage.cost, usage.unit)}
    if len(shapes) != 1:
        raise InvalidInputError(
            "model, tokens, cost and unit differ in length: one entry for each call"
        )
    n_units = usage.traces_of_unit.size
    if usage.unit.size and not 0 <= usage.unit.min() <= usage.unit.max() < n_units:
        raise InvalidInputError("a unit code is outside traces_of_unit")
    group = np.arange(n_units) % GROUPS
    table = np.zeros((GROUPS, 2, models))
    np.add.at(table[:, 0], (group[usage.unit], usage.model), np.nan_to_num(usage.tokens))
    np.add.at(table[:, 1], (group[usage.unit], usage.model), np.nan_to_num(usage.cost))
    traces = np.bincount(group, weights=usage.traces_of_unit, minlength=GROUPS)
    return table, traces.astype(np.float64, copy=False)


def _split_sums(baseline: tuple[Floats, float], candidate: tuple[Floats, float]) -> Floats:
    """Return the parts price, tokens, models, untold from (tokens and costs by model, traces)."""
    arms = [_factors(*one) for one in (baseline, candidate)]
    (price_b, tokens_b, mix_b, untold_b), (price_c, tokens_c, mix_c, untold_c) = arms
    price_b, price_c = (
        np.where(np.isnan(price_b), price_c, price_b),
        np.where(np.isnan(price_c), price_b, price_c),
    )
    parts = share_out(
        (np.nan_to_num(price_b), np.array([tokens_b]), mix_b),
        (np.nan_to_num(price_c), np.array([tokens_c]), mix_c),
        _cost,
    )
    return np.array([*parts, untold_c - untold_b])


def _factors(sums: Floats, traces: float) -> tuple[Floats, float, Floats, float]:
    """Return price by model (NaN if unused), tokens per trace, their mix, cost without tokens."""
    tokens, costs = sums
    count = traces if traces > 0 else np.nan
    used, total = tokens > 0, float(tokens.sum())
    price = np.divide(costs, tokens, out=np.full(tokens.size, np.nan), where=used)
    mix = tokens / total if total > 0 else np.zeros(tokens.size)
    return price, total / count, mix, float(costs[~used].sum()) / count


def _cost(factors: Sequence[Floats]) -> float:
    price, tokens, mix = factors
    return float(tokens[0]) * float(price @ mix)


def _multiply(factors: Sequence[np.float64]) -> float:
    return float(np.prod(factors))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
