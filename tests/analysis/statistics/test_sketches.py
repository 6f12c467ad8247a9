"""Sketches say what the exact values say, within their own error, and are marked as sketches."""

from __future__ import annotations

import numpy as np
import pytest

from whence.analysis.statistics.comparisons import compare_durations
from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.samples import Sample, match
from whence.analysis.statistics.sketches import (
    Sketch,
    estimate_sketched_quantiles,
    estimate_sketched_shift,
    match_sketches,
    merge_sketches,
)
from whence.errors import InvalidInputError

RANDOM = np.random.default_rng(13)


def sketch(values: np.ndarray) -> Sketch:
    parts = np.array_split(values, 20)
    return merge_sketches([merge_sketches([Sketch(part, np.ones(part.size))]) for part in parts])


def test_merging_keeps_the_count_the_sum_and_the_quantiles():
    values = RANDOM.lognormal(7, 1, 300_000)
    merged = sketch(values)
    assert merged.n == values.size and merged.means.size <= 401
    assert merged.means @ merged.weights == pytest.approx(values.sum())
    for p in (0.01, 0.5, 0.95, 0.99, 0.999):
        assert merged.below(np.quantile(values, [p]))[0] == pytest.approx(
            p, abs=3e-3 * np.sqrt(p * (1 - p)) + 1e-5
        )


def test_verdicts_and_intervals_are_those_of_the_exact_values():
    n = 250_000
    strata = RANDOM.integers(0, 3, n), RANDOM.choice(3, n, p=[0.2, 0.3, 0.5])
    values = [
        RANDOM.lognormal(7 + 0.4 * s, 0.8, n) * f for s, f in zip(strata, (1.0, 1.12), strict=True)
    ]
    exact = compare_durations(match(*(Sample(v, s) for v, s in zip(values, strata, strict=True))))
    arms = [{k: sketch(v[s == k]) for k in range(3)} for v, s in zip(values, strata, strict=True)]
    pair = match_sketches(*arms)
    estimates = [
        estimate_sketched_shift(pair),
        *estimate_sketched_quantiles(pair, (0.5, 0.95, 0.99)),
    ]
    for one, other in zip(exact, estimates, strict=True):
        result = decide(other, Rule())
        width = one.high - one.low
        assert result.source == "sketch" and result.verdict == one.verdict
        assert (result.effect, result.low, result.high) == pytest.approx(
            (one.effect, one.low, one.high), abs=0.15 * width
        )


def test_clusters_widen_by_their_design_effect():
    arms = [{0: sketch(RANDOM.lognormal(7, 1, 50_000))} for _ in range(2)]
    plain, clustered = (
        estimate_sketched_quantiles(match_sketches(*arms, design_effect=d), (0.95,))[0]
        for d in ((1.0, 1.0), (4.0, 4.0))
    )
    assert clustered.error == pytest.approx(2 * plain.error, rel=0.05)
    shifts = [
        estimate_sketched_shift(match_sketches(*arms, design_effect=d))
        for d in ((1.0, 1.0), (4.0, 4.0))
    ]
    assert shifts[1].error == pytest.approx(2 * shifts[0].error, rel=0.05)
    with pytest.raises(InvalidInputError, match="1 at least"):
        match_sketches(*arms, design_effect=(0.5, 1.0))


def test_empty_tied_and_tiny_sketches_are_inconclusive():
    full, tied = (
        {0: sketch(RANDOM.lognormal(7, 1, 1000))},
        {0: Sketch(np.array([5.0]), np.array([900.0]))},
    )
    for arms in (({}, full), (full, {}), (full, {1: full[0]}), (tied, tied)):
        pair = match_sketches(*arms)
        results = [
            decide(e, Rule())
            for e in (estimate_sketched_shift(pair), *estimate_sketched_quantiles(pair, (0.95,)))
        ]
        assert [one.verdict for one in results][0] == "inconclusive" and results[0].reason
    small = match_sketches({0: sketch(np.arange(1.0, 41))}, {0: sketch(np.arange(1.0, 41))})
    assert (
        "independent traces"
        in decide(estimate_sketched_quantiles(small, (0.99,))[0], Rule()).reason
    )
