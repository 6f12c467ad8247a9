"""The comparison of two versions: what `whence.compare` returns and `POST /api/v1/compare` answers.

Plain numbers and texts, so that it loads nothing. Every number stands beside the filter that gives
its traces. `effect`, `low` and `high` are fractions of the baseline where `scale` is `ratio` (0.12
is +12 %), and differences in the metric's `unit` where it is `difference`. What could not be
computed is None, never NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import MissingPackageError

if TYPE_CHECKING:
    import pandas as pd

REGRESSED, IMPROVED = "regressed", "improved"
EQUIVALENT, INCONCLUSIVE = "equivalent", "inconclusive"
VERDICTS = (REGRESSED, IMPROVED, EQUIVALENT, INCONCLUSIVE)


def decide_all(metrics: list[MetricComparison]) -> str:
    """Return the guards' verdict together."""
    verdicts = {one.verdict for one in metrics if one.guard}
    for verdict in (REGRESSED, INCONCLUSIVE, IMPROVED):
        if verdict in verdicts:
            return verdict
    return EQUIVALENT if verdicts else INCONCLUSIVE


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One side: the traces that a version, a commit, a manifest, a branch or a filter names.

    `traces` have ended; `used` of them were compared (fewer where they were sampled); `units` are
    the independent ones: sessions, else users, else traces. `unfinished` have not ended.
    """

    asked: str
    kind: str
    filter_string: str
    traces: int
    used: int
    units: int
    unfinished: int
    unfinished_filter: str
    first_seen_ms: int | None = None
    last_seen_ms: int | None = None


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One metric: both values, the effect with its interval, and the verdict.

    `guard` metrics decide the verdict of all (their `p_adjusted` is Holm's); the others are
    explored (`p_adjusted` is a q-value). `needed` is the number of units in each arm that would
    probably decide it, `detectable` the smallest effect that these ones show. `mix`, `within` and
    `uncovered` split the plain difference of the two means into what other traffic made, what the
    version made, and what comes of strata that only one version has; they add up.
    """

    metric: str
    unit: str
    scale: str
    better: str
    guard: bool
    baseline: float | None
    candidate: float | None
    effect: float | None
    low: float | None
    high: float | None
    margin: float
    verdict: str
    reason: str
    n_baseline: int
    n_candidate: int
    units_baseline: int
    units_candidate: int
    needed: int | None
    detectable: float | None
    p_value: float | None
    p_adjusted: float | None
    method: str
    coverage: float
    difference: float | None
    mix: float | None
    within: float | None
    uncovered: float | None
    baseline_filter: str
    candidate_filter: str


class ErrorSignature(msgspec.Struct, frozen=True, kw_only=True):
    """Traces that failed alike: the exception's type, its message without numbers, and the span.

    `baseline` and `candidate` count independent units. `status` is `new` (only the candidate's, too
    often for chance), `more`, `fewer`, `gone`, `alike`, or `not seen yet`: the baseline has too
    little traffic to say that it lacks it.
    """

    type: str
    message: str
    span: str
    baseline: int
    candidate: int
    status: str
    p_value: float | None
    q_value: float | None
    baseline_filter: str
    candidate_filter: str
    example: str | None = None


class SpanEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What spans of one name add to a trace: their own time on its critical path, in ms.

    `difference` = `by_calls` + `by_mean`; `share` is its part of the whole difference of duration.
    Calls and times are per trace.
    """

    name: str
    span_type: str
    baseline_ms: float
    candidate_ms: float
    difference_ms: float
    low_ms: float | None
    high_ms: float | None
    share: float | None
    baseline_calls: float
    candidate_calls: float
    by_calls_ms: float
    by_mean_ms: float
    baseline_filter: str
    candidate_filter: str


class SpanPresence(msgspec.Struct, frozen=True, kw_only=True):
    """Spans that only one version has; `traces` is the share of its traces that has them."""

    name: str
    change: str
    traces: float
    filter_string: str


class ShapeChange(msgspec.Struct, frozen=True, kw_only=True):
    """A trait of the tree of spans that changed: how many calls below one parent, or how deep."""

    description: str
    baseline: float
    candidate: float
    p_value: float | None
    q_value: float | None


class Overrepresented(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is more frequent among the slow or failing traces of the candidate.

    `explained` is the share of the selected traces beyond what chance would give this value.
    """

    selected: str
    field: str
    value: str
    support: int
    share_selected: float
    share_rest: float
    cramers_v: float
    p_value: float
    q_value: float
    explained: float
    filter_string: str


class ExemplarPair(msgspec.Struct, frozen=True, kw_only=True):
    """A trace of each version to open side by side; `basis` says what makes them alike."""

    baseline: str
    candidate: str
    basis: str
    baseline_ms: float | None
    candidate_ms: float | None
    reason: str


class CostPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the change of a trace's mean cost: `price`, `tokens`, `models`, or `untold`.

    `models` is another mix of models, `untold` cost without tokens. The parts add up.
    """

    name: str
    effect_usd: float
    low_usd: float | None
    high_usd: float | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the versions differ. `traces` of each version were looked at (a sample where fewer)."""

    baseline_traces: int
    candidate_traces: int
    sampled: bool
    spans: list[SpanEffect]
    presence: list[SpanPresence]
    shapes: list[ShapeChange]
    overrepresented: list[Overrepresented]
    exemplars: list[ExemplarPair]
    cost: list[CostPart] = []


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """Where a comparison stands that is asked for again and again while traffic arrives.

    `look` is the number of the last look, `is_new` whether this answer is it: quantiles and ranks
    are judged at looks only, the next one at `next_units`. `units` are the independent ones that
    two versions of equal size would have (the harmonic mean); all looks share the level `alpha`.
    """

    look: int
    is_new: bool
    units: float
    next_units: int
    alpha: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate against its baseline. `str(comparison)` and `to_markdown()` make it readable.

    `verdict` is the guards' together: regressed if one is, else inconclusive if one is, else
    improved if one is, else equivalent. `coverage` is the share of the candidate's traces in
    strata that both versions have. `exact` is false where traces were sampled; `notes` say how.
    `watching` is set where verdicts hold at all looks together.
    """

    verdict: str
    summary: str
    environment: str | None
    filter_string: str
    since_ms: int | None
    until_ms: int | None
    baseline: Arm
    candidate: Arm
    metrics: list[MetricComparison]
    errors: list[ErrorSignature]
    strata_by: list[str]
    strata: int
    coverage: float
    confidence: float
    exact: bool
    notes: list[str]
    explanation: Explanation | None = None
    watching: Watching | None = None
    elapsed_ms: float = 0.0

    def __getitem__(self, metric: str) -> MetricComparison:
        """Return a metric by its name. Raises KeyError, which names those there are."""
        for one in self.metrics:
            if one.metric == metric:
                return one
        known = ", ".join(one.metric for one in self.metrics)
        raise KeyError(f"{metric!r} was not compared; there are: {known}")

    @property
    def regressed(self) -> bool:
        """Whether a guard metric regressed."""
        return self.verdict == REGRESSED

    def to_dict(self) -> dict[str, Any]:
        """Return what the API answered, as plain dicts and lists."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def to_json(self) -> str:
        """Return the API's JSON, indented."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def to_markdown(self) -> str:
        """Return a report for a pull request, a wiki or a notebook."""
        from whence.entities.comparison_text import write_markdown

        return write_markdown(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return the metrics, one a row. Raises MissingPackageError without pandas."""
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise MissingPackageError("to_pandas() needs pandas: pip install pandas") from None
        rows = [msgspec.to_builtins(one) for one in self.metrics]
        return pd.DataFrame(rows, columns=list(MetricComparison.__struct_fields__))

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()
