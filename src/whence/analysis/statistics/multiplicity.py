"""Multiplicity: several guards decided together, and explored slices with their false share held.

*Guards* are the metrics declared beforehand, at most `MOST_GUARDS`, that may stop a release. Each
kind of claim (regressed, improved, equivalent) is a family of its own, decided by Holm's step-down
on its one-sided p-values against the margin: the chance of *any* false "regressed" among the
guards is at most α/2, whatever their dependence.

*Slices* are explored: every metric by every trace name, model, customer. Their q-values
(Benjamini and Hochberg) hold the expected share of false findings; they are shown and never gate.

Sources: Holm, Scandinavian J. Statistics 1979; Guilbaud, Biometrical Journal 2008 (intervals that
fit Holm); Benjamini and Hochberg, JRSS B 1995. Limits: q-values need independent or positively
dependent tests (Benjamini and Yekutieli, Annals of Statistics 2001), as slices of one metric are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.decision import decide, explain, from_working, to_working
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.statistics.decision import Result, Rule, Verdict
    from whence.analysis.statistics.estimates import Estimate
    from whence.analysis.statistics.samples import Floats

MOST_GUARDS = 8

_CLAIMS: tuple[tuple[Verdict, str], ...] = (
    ("regressed", "p_regressed"),
    ("improved", "p_improved"),
    ("equivalent", "p_equivalent"),
)


def adjust_holm(p_values: Floats) -> Floats:
    """Return Holm's adjusted p-values, in the given order."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    adjusted = np.empty(p.size)
    adjusted[order] = steps
    return adjusted


def find_q_values(p_values: Floats) -> Floats:
    """Return Benjamini and Hochberg's q-values, in order; NaN stays and does not count."""
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    q = np.full(p.size, np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * known.size / np.arange(1, known.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return q


def decide_guards(judged: Sequence[tuple[Estimate, Rule]]) -> list[Result]:
    """Return the verdicts on declared guards, each with its rule; all rules share one alpha.

    Reported intervals are of the level of the guard's own step: α/(m - k + 1) where it was the
    k-th to be decided, α/(m - R) where R others were and it was not, so that no interval
    contradicts its verdict. Guards without limits take no part, and stay inconclusive.
    """
    if len(judged) > MOST_GUARDS:
        raise InvalidInputError(
            f"{len(judged)} guards: declare at most {MOST_GUARDS}, and explore the others as slices"
        )
    if len({rule.alpha for _, rule in judged}) > 1:
        raise InvalidInputError("the guards' rules differ in alpha: one family has one level")
    results = [decide(estimate, rule) for estimate, rule in judged]
    counted = [i for i, one in enumerate(results) if one.p_regressed is not None]
    if not counted:
        return results
    alpha, m = judged[0][1].alpha, len(counted)
    claims: dict[int, tuple[Verdict, float]] = {}
    for verdict, name in _CLAIMS:
        p = np.array([getattr(results[i], name) for i in counted])
        adjusted = adjust_holm(p)
        ranks = np.argsort(np.argsort(p, kind="stable"), kind="stable")
        for place, i in enumerate(counted):
            if adjusted[place] < alpha / 2:
                claims[i] = verdict, alpha / (m - ranks[place])
    rest = alpha / max(m - len(claims), 1)
    for i in counted:
        verdict, level = claims.get(i, ("inconclusive", rest))
        results[i] = _restate(*judged[i], verdict, level)
    return results


def _restate(estimate: Estimate, rule: Rule, verdict: Verdict, level: float) -> Result:
    """Return the result of the level, with the verdict that the family gave."""
    result = decide(estimate, rule, alpha=level)
    if result.verdict == verdict or estimate.limits is None:
        return result
    interval = estimate.limits.interval(level)
    detectable = result.smallest_detectable_effect
    margin = to_working(detectable if detectable is not None else rule.margin, estimate.scale)
    reason = explain(verdict, estimate, interval, rule, result.units_needed, margin)
    return replace(
        result,
        verdict=verdict,
        reason=reason,
        low=from_working(interval[0], estimate.scale),
        high=from_working(interval[1], estimate.scale),
    )
