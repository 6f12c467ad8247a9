"""The statistics of "did the candidate regress against the baseline?": arrays in, verdicts out.

The story, module by module. A metric of one arm is a `samples.Sample`: values with the codes of
their strata (`strata`) and units of independence (`units`); `samples.match` makes two of them
comparable. `ranks`, `quantiles`, `means`, `rates` and `paired` each turn a pair into an
`estimates.Estimate`, an effect with limits at any level; `decision` turns that into a verdict
against a practical margin; `comparisons` does both at once, one function for each kind of metric.

Around these: `multiplicity` (guards by Holm, slices by q-values), `sequences` (looking while
traffic arrives), `signatures` (new errors), `costs` (what a change of cost is made of),
`association` (which metadata values explain it), `drift` (change points without a release) and
`sketches` (the same from mergeable quantile sketches).

Nothing here reads or writes: numpy and scipy, frozen data in, frozen data out. Missing, tied, empty
or too few data give an *inconclusive* result with its reason, never a warning; only arguments that
contradict each other raise (`InvalidInputError`). docs/statistics.md shows the false alarms and the
power of all of it, as simulated through these functions.
"""

from whence.analysis.statistics.association import Association, find_associations
from whence.analysis.statistics.comparisons import (
    compare_durations,
    compare_paired_rate,
    compare_paired_score,
    compare_quantity,
    compare_rate,
    compare_score,
)
from whence.analysis.statistics.costs import Part, Usage, split_cost, split_product
from whence.analysis.statistics.decision import Result, Rule, Verdict, decide
from whence.analysis.statistics.drift import ChangePoint, find_change_points
from whence.analysis.statistics.estimates import Estimate, Facts
from whence.analysis.statistics.means import estimate_mean, estimate_winsorised, per_unit
from whence.analysis.statistics.multiplicity import adjust_holm, decide_guards, find_q_values
from whence.analysis.statistics.paired import (
    estimate_paired_rate,
    estimate_paired_values,
    mcnemar,
)
from whence.analysis.statistics.quantiles import estimate_quantiles, least_traces
from whence.analysis.statistics.ranks import (
    Superiority,
    estimate_shift,
    find_superiority,
    rank,
    van_elteren,
)
from whence.analysis.statistics.rates import cochran_mantel_haenszel, estimate_rate
from whence.analysis.statistics.samples import Pair, Sample, match, with_values
from whence.analysis.statistics.sequences import Looks, decide_at_look, watch
from whence.analysis.statistics.signatures import Signature, compare_signatures, units_to_tell
from whence.analysis.statistics.sketches import (
    EXACT_UP_TO,
    Sketch,
    estimate_sketched_quantiles,
    estimate_sketched_shift,
    match_sketches,
    merge_sketches,
)
from whence.analysis.statistics.strata import Split, code_strata, split_difference
from whence.analysis.statistics.units import choose_units

__all__ = [
    "EXACT_UP_TO",
    "Association",
    "ChangePoint",
    "Estimate",
    "Facts",
    "Looks",
    "Pair",
    "Part",
    "Result",
    "Rule",
    "Sample",
    "Signature",
    "Sketch",
    "Split",
    "Superiority",
    "Usage",
    "Verdict",
    "adjust_holm",
    "choose_units",
    "cochran_mantel_haenszel",
    "code_strata",
    "compare_durations",
    "compare_paired_rate",
    "compare_paired_score",
    "compare_quantity",
    "compare_rate",
    "compare_score",
    "compare_signatures",
    "decide",
    "decide_at_look",
    "decide_guards",
    "estimate_mean",
    "estimate_paired_rate",
    "estimate_paired_values",
    "estimate_quantiles",
    "estimate_rate",
    "estimate_shift",
    "estimate_sketched_quantiles",
    "estimate_sketched_shift",
    "estimate_winsorised",
    "find_associations",
    "find_change_points",
    "find_q_values",
    "find_superiority",
    "least_traces",
    "match",
    "match_sketches",
    "mcnemar",
    "merge_sketches",
    "per_unit",
    "rank",
    "split_cost",
    "split_difference",
    "split_product",
    "units_to_tell",
    "van_elteren",
    "watch",
    "with_values",
]
