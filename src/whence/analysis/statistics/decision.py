"""Decisions: a verdict from an interval and a practical margin, never from a p-value alone.

The verdict is read off where the whole interval lies: beyond the margin on the bad side
*regressed*, beyond it on the good side *improved*, inside both margins *equivalent*, anywhere else
*inconclusive*. A two-sided interval of level 1 - α thus calls a change that is exactly as large as
the margin *regressed* in at most α/2 of runs, and no change at all nearly never. Equivalence by a
1 - α interval is stricter than two one-sided tests at α (Schuirmann, J. Pharmacokinetics and
Biopharmaceutics 1987): it has level α/2.

On the ratio scale margins are symmetric in the logarithm: with a margin of +10 %, better means
below 1/1.1, so that swapping the arms mirrors every verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf, isfinite, isnan, log1p, nan
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from scipy import special

from whence.analysis.statistics.estimates import critical
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.estimates import Estimate, Facts, Scale, Source

Verdict: TypeAlias = Literal["regressed", "improved", "equivalent", "inconclusive"]
Worse: TypeAlias = Literal["higher", "lower"]

LEAST_POWER = 0.5
LARGEST_LOG = 700.0
MOST_TIMES = 1000.0
"""More than this many times today's units is not a plan: `units_needed` is then None."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How an effect is judged.

    `margin` is in the effect's unit: a relative change for ratios (0.1 is +10 %), a difference
    otherwise (0.005 is half a point). `worse` says which direction is bad. `power` is what the
    smallest detectable effect and the units needed are planned for.
    """

    margin: float = 0.1
    worse: Worse = "higher"
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        if not (isfinite(self.margin) and self.margin >= 0):
            raise InvalidInputError(f"margin is {self.margin}: give a number from 0 up")
        if not 0 < self.alpha < 1:
            raise InvalidInputError(f"alpha is {self.alpha}: give a number between 0 and 1")
        if not LEAST_POWER <= self.power < 1:
            raise InvalidInputError(f"power is {self.power}: give a number from 0.5, below 1")
        if self.worse not in {"higher", "lower"}:
            raise InvalidInputError(f"worse is {self.worse!r}: say 'higher' or 'lower'")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a comparison found. Numbers are None where there are none.

    `effect`, `low`, `high`, `margin` and `smallest_detectable_effect` share a unit: a relative
    change (0.1 is +10 %) where `scale` is ratio, the metric's own otherwise. `baseline` and
    `candidate` are standardised to one mix of strata, the `_raw` ones are not; `mix_part` and
    `within_part` split the raw difference over the covered strata. `coverage` is the share of the
    candidate's traces in strata that could be compared. `p_value` is two-sided, against no change;
    the `p_` verdict fields are one-sided, against each verdict's own margin. `units_needed` is a
    number for each arm at equal sizes, for what is inconclusive.
    """

    verdict: Verdict
    reason: str
    method: str
    scale: Scale
    source: Source
    effect: float | None
    low: float | None
    high: float | None
    margin: float
    worse: Worse
    alpha: float
    baseline: float | None
    candidate: float | None
    baseline_raw: float | None
    candidate_raw: float | None
    mix_part: float | None
    within_part: float | None
    n_baseline: int
    n_candidate: int
    units_baseline: int
    units_candidate: int
    missing_baseline: int
    missing_candidate: int
    coverage: float
    coverage_baseline: float
    p_value: float | None
    p_regressed: float | None
    p_improved: float | None
    p_equivalent: float | None
    smallest_detectable_effect: float | None
    units_needed: int | None


class _Told(TypedDict):
    method: str
    scale: Scale
    source: Source
    margin: float
    worse: Worse
    alpha: float
    baseline: float | None
    candidate: float | None
    baseline_raw: float | None
    candidate_raw: float | None
    mix_part: float | None
    within_part: float | None
    n_baseline: int
    n_candidate: int
    units_baseline: int
    units_candidate: int
    missing_baseline: int
    missing_candidate: int
    coverage: float
    coverage_baseline: float


def decide(estimate: Estimate, rule: Rule, *, alpha: float | None = None) -> Result:
    """Return the verdict on an estimate; `alpha` replaces the rule's (a corrected level)."""
    level = rule.alpha if alpha is None else alpha
    facts, limits = estimate.facts, estimate.limits
    if estimate.problem is not None or limits is None:
        return _undecided(estimate, rule, level)
    margin = to_working(rule.margin, estimate.scale)
    low, high = limits.interval(level)
    (above, not_above), (not_below, below) = limits.tails(margin), limits.tails(-margin)
    regressed, improved = (above, below) if rule.worse == "higher" else (below, above)
    verdict = read_verdict(low, high, margin, rule.worse)
    needed = find_units_needed(estimate, rule, level) if verdict == "inconclusive" else None
    detectable = margin + _plan(level, rule.power) * estimate.error
    reason = explain(verdict, estimate, (low, high), rule, needed, detectable)
    return Result(
        verdict=verdict,
        reason=reason,
        effect=from_working(estimate.effect, estimate.scale),
        low=from_working(low, estimate.scale),
        high=from_working(high, estimate.scale),
        p_value=min(2 * min(limits.tails(0.0)), 1.0),
        p_regressed=regressed,
        p_improved=improved,
        p_equivalent=max(not_above, not_below) if rule.margin > 0 else 1.0,
        smallest_detectable_effect=from_working(detectable, estimate.scale),
        units_needed=needed,
        **_tell(estimate, rule, level, facts),
    )


def read_verdict(low: float, high: float, margin: float, worse: Worse) -> Verdict:
    """Return where the whole interval lies, on the working scale; NaN ends are inconclusive."""
    if isnan(low) or isnan(high):
        return "inconclusive"
    if low > margin:
        return "regressed" if worse == "higher" else "improved"
    if high < -margin:
        return "improved" if worse == "higher" else "regressed"
    if low > -margin and high < margin:
        return "equivalent"
    return "inconclusive"


def find_units_needed(estimate: Estimate, rule: Rule, alpha: float) -> int | None:
    """Return about how many units each arm needs, at equal sizes and today's noise.

    It is the number at which a true change of *twice the margin* is found with the rule's power;
    the observed effect does not enter, which would make a plan of chance ("observed power":
    Hoenig and Heisey, The American Statistician 2001). Where there are as many already, the
    effect lies near the margin: then it is the number at which the interval around today's
    estimate would no longer reach it. None without a margin, or beyond `MOST_TIMES` today's.
    """
    margin = to_working(rule.margin, estimate.scale)
    units = estimate.facts.units
    if min(units) <= 0 or not estimate.error > 0:
        return None
    today = 2 * units[0] * units[1] / (units[0] + units[1])  # equal arms with the same error
    root = _plan(alpha, rule.power) * estimate.error / margin if margin > 0 else inf
    if root <= 1:
        near = abs(abs(estimate.effect) - margin)
        root = critical(alpha) * estimate.error / near if near > 0 else inf
    return None if not root < MOST_TIMES**0.5 else int(max(root, 1.0) ** 2 * today + 1)


def explain(
    verdict: Verdict,
    estimate: Estimate,
    interval: tuple[float, float],
    rule: Rule,
    needed: int | None,
    detectable: float,
) -> str:
    """Return the verdict in words: why, and what is missing to know more."""
    low, high = interval
    text = {
        "regressed": "the whole interval is beyond the margin, on the bad side",
        "improved": "the whole interval is beyond the margin, on the good side",
        "equivalent": "the whole interval is inside the margins",
    }.get(verdict, "")
    if verdict == "inconclusive":
        bad, good = (low > 0, high < 0) if rule.worse == "higher" else (high < 0, low > 0)
        text = "the interval holds both no change and the margin"
        if bad:
            text = "worse, may be below the margin"
        elif good:
            text = "better, may be below the margin"
        smallest = from_working(detectable, estimate.scale)
        if smallest is not None:
            text += f"; changes from {_show(smallest, estimate.scale)} on would be found"
        if needed is not None:
            text += f"; needs about {needed} units in each version"
    return f"{text}; {estimate.caution}" if estimate.caution else text


def to_working(value: float, scale: Scale) -> float:
    """Return a relative change as a log ratio; differences stay."""
    return log1p(value) if scale == "ratio" else value


def from_working(value: float, scale: Scale) -> float | None:
    """Return a log ratio as a relative change; None for what is not a finite number."""
    if isnan(value) or (scale == "ratio" and value > LARGEST_LOG):
        return None
    if scale == "ratio":
        return expm1(value) if value > -inf else -1.0
    return value if isfinite(value) else None


def _plan(alpha: float, power: float) -> float:
    return critical(alpha) + float(special.ndtri(power))


def _show(value: float, scale: Scale) -> str:
    return f"{100 * value:.3g} %" if scale == "ratio" else f"{value:.3g}"


def _undecided(estimate: Estimate, rule: Rule, alpha: float) -> Result:
    low, high = estimate.limits.interval(alpha) if estimate.limits else (nan, nan)
    return Result(
        verdict="inconclusive",
        reason=estimate.problem or "there is no interval",
        effect=from_working(estimate.effect, estimate.scale),
        low=from_working(low, estimate.scale),
        high=from_working(high, estimate.scale),
        p_value=None,
        p_regressed=None,
        p_improved=None,
        p_equivalent=None,
        smallest_detectable_effect=None,
        units_needed=find_units_needed(estimate, rule, alpha),
        **_tell(estimate, rule, alpha, estimate.facts),
    )


def _tell(estimate: Estimate, rule: Rule, alpha: float, facts: Facts) -> _Told:
    return _Told(
        method=estimate.method,
        scale=estimate.scale,
        source=facts.source,
        margin=rule.margin,
        worse=rule.worse,
        alpha=alpha,
        baseline=_number(facts.values[0]),
        candidate=_number(facts.values[1]),
        baseline_raw=_number(facts.raw[0]),
        candidate_raw=_number(facts.raw[1]),
        mix_part=None if facts.mix is None else _number(facts.mix),
        within_part=None if facts.within is None else _number(facts.within),
        n_baseline=facts.n[0],
        n_candidate=facts.n[1],
        units_baseline=facts.units[0],
        units_candidate=facts.units[1],
        missing_baseline=facts.missing[0],
        missing_candidate=facts.missing[1],
        coverage=facts.coverage[1],
        coverage_baseline=facts.coverage[0],
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
