"""Means: tokens and cost as a ratio of means, scores as a difference, robust to clusters.

The ratio's variance on the logarithmic scale is V_c/m_c² + V_b/m_b² (the delta method), each V a
clustered variance of the standardised mean. Per trace the mean of a cluster sample is itself a
ratio of sums by unit, which is what its influences account for; per session, sum by unit first
(`per_unit`), then every unit is one observation.

Sources: Deng, Knoblich and Lu, KDD 2018; Dixon and Tukey, Technometrics 1968 (winsorising); Hall,
The Bootstrap and Edgeworth Expansion, 1992, and Cochran, Sampling Techniques, 1977 (skewness).

Limits: a mean of heavy tails has no trustworthy interval before many units. Where the skewness of
the estimate exceeds `MOST_SKEW`, the interval is shown without a verdict, and the winsorised form
(values above one common threshold are set to it) shows the change of the bulk. It is another
question, not a better answer: it is blind to what lies above the threshold.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.estimates import Estimate, gather_facts, student
from whence.analysis.statistics.samples import Sample, with_values
from whence.analysis.statistics.strata import split_means
from whence.analysis.statistics.units import Spread, first_strata, pool, sum_by_unit

if TYPE_CHECKING:
    from whence.analysis.statistics.estimates import Scale
    from whence.analysis.statistics.samples import Arm, Pair

WINSORISED_AT = 0.99
MOST_SKEW = 0.3
"""At this skewness of the estimate a tail that should miss 2.5 % of the time misses up to 5 %
(Edgeworth's first term: skew·(2z² + 1)/6·φ(z)); it is √n ≥ 3.3 skewnesses of one arm's values."""


def estimate_mean(pair: Pair, scale: Scale = "ratio", *, method: str = "") -> Estimate:
    """Return the ratio (or difference) of the standardised means."""
    name = method or ("ratio of means" if scale == "ratio" else "difference of means")
    if pair.problem:
        nothing = gather_facts(pair, (float("nan"), float("nan")))
        return Estimate(name, scale, nothing, problem=pair.problem)
    means = pair.baseline.mean(pair.baseline.values), pair.candidate.mean(pair.candidate.values)
    facts = gather_facts(pair, means, split=split_means(pair))
    spreads = [arm.spread(arm.values) for arm in pair.arms]
    if scale == "ratio":
        if min(float(arm.values.min()) for arm in pair.arms) < 0:
            return Estimate(
                name, scale, facts, problem="some values are negative: their ratio has no meaning"
            )
        if min(means) <= 0:
            return Estimate(
                name, scale, facts, problem="all values of an arm are zero: there is no ratio"
            )
        effect = float(np.log(means[1] / means[0]))
        parts = [
            Spread(s.variance / m**2, s.freedom, s.third / m**3)
            for s, m in zip(spreads, means, strict=True)
        ]
    else:
        effect, parts = means[1] - means[0], spreads
    spread = pool(*parts)
    error = float(np.sqrt(spread.variance))
    size = max(1.0, *(abs(mean) for mean in means)) if scale == "difference" else 1.0
    if not error > 1e-13 * size:
        return Estimate(
            name,
            scale,
            facts,
            effect,
            problem="all values of each version are equal: there is no spread",
        )
    skew = abs(parts[1].third - parts[0].third) / error**3
    problem = None
    if skew > MOST_SKEW:
        problem = "a heavy tail: too few units, a few of the largest values decide the mean"
    return Estimate(name, scale, facts, effect, error, student(effect, spread), problem=problem)


def estimate_winsorised(
    pair: Pair, scale: Scale = "ratio", *, at: float = WINSORISED_AT
) -> Estimate:
    """Return the same with all values above one threshold set to it.

    The threshold is the larger of the two arms' `at` quantiles, so that swapping arms keeps it.
    """
    if pair.problem:
        return estimate_mean(pair, scale, method=f"winsorised at p{100 * at:g}")
    threshold = max(_plain_quantile(arm, at) for arm in pair.arms)
    cut = with_values(pair, *(np.minimum(arm.values, threshold) for arm in pair.arms))
    return estimate_mean(cut, scale, method=f"winsorised at p{100 * at:g}")


def per_unit(sample: Sample) -> Sample:
    """Return the sample of sums by unit, each in the stratum of the unit's first trace."""
    values = np.where(np.isfinite(sample.values), sample.values, 0.0)
    if sample.units is None:
        return Sample(sample.values, sample.strata)
    kinds, units = np.unique(sample.units, return_inverse=True)
    strata = np.zeros(values.size, np.int64) if sample.strata is None else sample.strata
    known = np.bincount(units, weights=np.isfinite(sample.values), minlength=kinds.size) > 0
    sums = np.where(known, sum_by_unit(values, units, kinds.size), np.nan)
    return Sample(sums, first_strata(units, strata, kinds.size))


def _plain_quantile(arm: Arm, p: float) -> float:
    place = min(max(ceil(arm.n * p - 1e-9), 1), arm.n) - 1
    return float(np.partition(arm.values, place)[place])
