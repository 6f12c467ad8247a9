"""What a change of cost is made of: price × tokens × mix of models, by Shapley's rule.

The parts add up to the plain difference of the mean cost of a trace. Limits: the tokens and the
cost of a trace count for the first model that it used; other traffic is part of the parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.costs import Usage, split_cost
from whence.entities.comparison import CostPart

if TYPE_CHECKING:
    from whence.query.population import Population


def split_costs(population: Population) -> list[CostPart]:
    """Return the parts of the change of a trace's mean cost; none where a version has no costs."""
    cost = population.numbers["cost_usd"]
    arms = []
    for side in (False, True):
        rows = np.flatnonzero(population.is_candidate == side)
        priced = rows[np.isfinite(cost[rows])]
        if not len(priced):
            return []
        _, units = np.unique(population.unit[rows], return_inverse=True)
        of_priced = units[np.isfinite(cost[rows])].astype(np.int64)
        arms.append(
            Usage(
                model=population.labels["model"].codes[priced].astype(np.int64),
                tokens=np.nan_to_num(population.numbers["total_tokens"][priced]),
                cost=cost[priced],
                unit=of_priced,
                n=len(rows),
                traces_of_unit=np.bincount(units).astype(np.float64),
            )
        )
    return [
        CostPart(
            name=one.name,
            effect_usd=float(one.effect),
            low_usd=one.low if one.low is None or np.isfinite(one.low) else None,
            high_usd=one.high if one.high is None or np.isfinite(one.high) else None,
        )
        for one in split_cost(*arms)
        if np.isfinite(one.effect)
    ]
