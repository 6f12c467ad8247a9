"""Verdicts while traffic arrives: valid at all looks together, however often somebody looks.

Means and rates are held against confidence sequences, at any moment. Quantiles and ranks are judged
at looks only, when the traffic has grown by half; the k-th may take 6/(π²k²) of the level. A guard
has its share of the level by Bonferroni: Holm's steps would ask for the limits of all guards at
every moment. Whoever looks again says how many looks were taken before (`Looking.taken`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from whence.analysis.judge import ALPHA, Judged, estimate, make_rule, settle_constant
from whence.analysis.statistics.decision import decide
from whence.analysis.statistics.sequences import (
    Looks,
    count_information,
    follow,
    look_at,
    share_of,
)
from whence.entities.comparison import Watching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whence.analysis.judge import Measured
    from whence.analysis.metrics import Metric
    from whence.analysis.statistics.estimates import Estimate

LEAST_UNITS = 25  # of each version: the bounds are asymptotic
AT_LOOKS = ("shift", "quantile")  # methods that are judged at looks; the others at any time


class Looking(msgspec.Struct, frozen=True, kw_only=True):
    """How to look again: `taken` looks before this one; all of them share `alpha`."""

    taken: int = 0
    alpha: float = ALPHA


def find_look(measured: Measured, looking: Looking) -> Watching:
    """Return where the looks stand with this traffic."""
    looks = Looks(alpha=looking.alpha)
    units = measured.count_units()
    information = count_information(*units) if min(units) >= LEAST_UNITS else 0.0
    look = max(looks.due(information), looking.taken)
    return Watching(
        look=look,
        is_new=look > looking.taken,
        units=round(information, 1),
        next_units=math.ceil(looks.units(look + 1)),
        alpha=looking.alpha,
    )


def judge_again(
    measured: Measured,
    metrics: Sequence[Metric],
    guards: Mapping[str, bool],
    margins: Mapping[str, float],
    watching: Watching,
) -> list[Judged]:
    """Return the verdict of every metric now, in the order given; before the first look none."""
    level = watching.alpha / max(1, sum(guards.values()))
    alphas = {one.name: level if guards[one.name] else watching.alpha for one in metrics}
    share = share_of(max(watching.look, 1))
    estimates = estimate(measured, metrics, {name: a * share for name, a in alphas.items()})
    judged = []
    for one in metrics:
        rule = make_rule(one, margins)
        result = decide(_follow(estimates[one.name], one, watching), rule, alpha=alphas[one.name])
        if result.low is None and watching.look and measured.is_constant(one.column):
            result = settle_constant(result, rule)
        judged.append(Judged(one, guards[one.name], result, None))
    return judged


def _follow(found: Estimate, metric: Metric, watching: Watching) -> Estimate:
    at = f"at {watching.next_units} independent units in each version"
    if not watching.look:
        return replace(found, limits=None, problem=found.problem or f"the first look is {at}")
    if metric.method not in AT_LOOKS:
        return follow(found)
    if not watching.is_new:
        return replace(found, limits=None, problem=found.problem or f"the next look is {at}")
    return look_at(found, watching.look)
