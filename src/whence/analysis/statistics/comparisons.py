"""Comparisons: one call for each kind of metric, from two samples to verdicts.

| kind | function | answers |
|---|---|---|
| duration, time to first token | `compare_durations` | the shift, and the quantiles |
| tokens, cost, span count, calls | `compare_quantity` | ratio of means, raw and winsorised |
| error rate, tool-call rate, yes/no feedback | `compare_rate` | difference of rates |
| numeric feedback | `compare_score` | difference of means |
| yes/no feedback on the same inputs | `compare_paired_rate` | paired difference of shares |
| numeric feedback on the same inputs | `compare_paired_score` | mean of paired differences |

Each takes a `Pair` (`match` of two samples; metrics of the same traces can share one by
`with_values`) and a `Rule`, and returns frozen results. Guards decided together take the estimates
of the same names (`estimate_…`) to `multiplicity.decide_guards` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.means import estimate_mean, estimate_winsorised
from whence.analysis.statistics.paired import estimate_paired_rate, estimate_paired_values
from whence.analysis.statistics.quantiles import estimate_quantiles
from whence.analysis.statistics.ranks import estimate_shift, rank
from whence.analysis.statistics.rates import estimate_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whence.analysis.statistics.decision import Result
    from whence.analysis.statistics.rates import Weighting
    from whence.analysis.statistics.samples import Codes, Floats, Pair

QUANTILES = (0.5, 0.95, 0.99)
DURATION = Rule(margin=0.10)
QUANTITY = Rule(margin=0.10)
ERROR_RATE = Rule(margin=0.005)
QUALITY = Rule(margin=0.02, worse="lower")


def compare_durations(
    pair: Pair, rule: Rule = DURATION, *, quantiles: Sequence[float] = QUANTILES
) -> list[Result]:
    """Return the verdicts on the shift, then on each of `quantiles`; all are ratios."""
    estimates = [estimate_shift(rank(pair))]
    estimates += estimate_quantiles(pair, quantiles, alpha=rule.alpha)
    return [decide(one, rule) for one in estimates]


def compare_quantity(pair: Pair, rule: Rule = QUANTITY) -> list[Result]:
    """Return the verdicts on the ratio of means, raw and winsorised."""
    return [decide(estimate_mean(pair), rule), decide(estimate_winsorised(pair), rule)]


def compare_rate(
    pair: Pair, rule: Rule = ERROR_RATE, *, weighting: Weighting = "mantel-haenszel"
) -> Result:
    """Return the verdict on the difference of two rates of 0/1 values."""
    return decide(estimate_rate(pair, weighting=weighting), rule)


def compare_score(pair: Pair, rule: Rule = QUALITY) -> Result:
    """Return the verdict on the difference of two means."""
    return decide(estimate_mean(pair, "difference"), rule)


def compare_paired_rate(baseline: Floats, candidate: Floats, rule: Rule = QUALITY) -> Result:
    """Return the verdict on yes/no scores of the same inputs in both versions."""
    return decide(estimate_paired_rate(baseline, candidate), rule)


def compare_paired_score(
    baseline: Floats, candidate: Floats, rule: Rule = QUALITY, *, units: Codes | None = None
) -> Result:
    """Return the verdict on numeric scores of the same inputs in both versions."""
    return decide(estimate_paired_values(baseline, candidate, units), rule)
