"""What must hold for any data: arms swap, scales cancel, nothing raises, nothing warns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.analysis.statistics.comparisons import (
    compare_durations,
    compare_paired_rate,
    compare_paired_score,
    compare_quantity,
    compare_rate,
    compare_score,
)
from whence.analysis.statistics.decision import Result, Rule, from_working, to_working
from whence.analysis.statistics.samples import Sample, match

HOSTILE = [0.0, -1.0, 1.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 5e-324, 1e9]
SWAPPED = {"regressed": "improved", "improved": "regressed"}


@st.composite
def samples(draw, values: st.SearchStrategy[float], least: int = 0) -> Sample:
    n = draw(st.integers(least, 60))
    code = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    return Sample(
        np.array(draw(st.lists(values, min_size=n, max_size=n)), float),
        np.array(draw(code), dtype=np.int64) // draw(st.sampled_from([1, 3])),
        draw(st.sampled_from([None, np.arange(n) // 3, np.arange(n) * 7 - 3])),
    )


ANY = st.one_of(st.sampled_from(HOSTILE), st.floats(allow_nan=True, allow_infinity=True))
POSITIVE = st.floats(0.01, 1e6)


def compare_all(
    baseline: Sample, candidate: Sample, to: str = "candidate", worse: str = "higher"
) -> list[Result]:
    pair = match(baseline, candidate, to=to)
    return [
        *compare_durations(pair, Rule(worse=worse)),
        *compare_quantity(pair, Rule(worse=worse)),
        compare_rate(pair, Rule(margin=0.005, worse=worse)),
        compare_score(pair, Rule(margin=0.02, worse=worse)),
    ]


def close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == pytest.approx(other, rel=1e-5, abs=1e-6)


@given(samples(ANY), samples(ANY))
@settings(max_examples=60, deadline=None)
def test_hostile_data_never_raises_and_never_warns(baseline, candidate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in compare_all(baseline, candidate):
            assert result.reason
            if result.low is not None and result.high is not None:
                assert result.low <= result.high


@given(samples(POSITIVE, 20), samples(POSITIVE, 20))
@settings(max_examples=25, deadline=None)
def test_swapping_the_arms_mirrors_the_verdict(baseline, candidate):
    forth = compare_all(baseline, candidate)
    back = compare_all(candidate, baseline, to="baseline")
    for one, other in zip(forth, back, strict=True):
        if "bootstrap" in one.method:
            continue  # its draws are the arms' own, in order
        assert SWAPPED.get(one.verdict, one.verdict) == other.verdict
        if one.low is not None and other.high is not None:
            assert to_working(one.low, one.scale) == pytest.approx(
                -to_working(other.high, one.scale), rel=1e-6, abs=1e-7
            )
        if one.p_regressed is not None:
            assert one.p_regressed == pytest.approx(other.p_improved, rel=1e-4, abs=1e-9)


@given(samples(POSITIVE, 20), samples(POSITIVE, 20))
@settings(max_examples=15, deadline=None)
def test_lower_is_worse_mirrors_too(baseline, candidate):
    for one, other in zip(
        compare_all(baseline, candidate),
        compare_all(baseline, candidate, worse="lower"),
        strict=True,
    ):
        assert SWAPPED.get(one.verdict, one.verdict) == other.verdict


@given(samples(POSITIVE, 20), samples(POSITIVE, 20), st.sampled_from([1e-3, 7.0, 1e6]))
@settings(max_examples=15, deadline=None)
def test_a_constant_scale_leaves_ratios(baseline, candidate, times):
    scaled = [Sample(one.values * times, one.strata, one.units) for one in (baseline, candidate)]
    for one, other in zip(
        compare_all(baseline, candidate)[:6], compare_all(*scaled)[:6], strict=True
    ):
        for field in ("effect", "low", "high"):
            assert close(getattr(one, field), getattr(other, field))


@given(samples(POSITIVE, 20), samples(POSITIVE, 20), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_neither_the_order_of_traces_nor_the_names_of_codes_matter(baseline, candidate, random):
    order = np.array(random.sample(range(baseline.values.size), baseline.values.size))
    units = None if baseline.units is None else baseline.units[order] * 31 + 5
    shuffled = Sample(baseline.values[order], 17 - 4 * baseline.strata[order], units)
    renamed = Sample(candidate.values, 17 - 4 * candidate.strata, candidate.units)
    if baseline.units is not None and np.unique(baseline.strata).size > 1:
        return  # a unit's home is its first trace's stratum
    for one, other in zip(
        compare_all(baseline, candidate), compare_all(shuffled, renamed), strict=True
    ):
        if "bootstrap" not in one.method:
            assert one.verdict == other.verdict
            assert close(one.effect, other.effect)


EMPTY, ONE, FULL = np.zeros(0), np.ones(1), np.linspace(1, 9, 200)


@pytest.mark.parametrize(
    ("b", "c", "why"),
    [
        (EMPTY, FULL, "the baseline has no values"),
        (FULL, EMPTY, "the candidate has no values"),
        (EMPTY, EMPTY, "no values"),
        (ONE, FULL, "no stratum has 5 units"),
        (FULL, ONE, "no stratum has 5 units"),
        (np.full(90, np.nan), FULL, "only missing values"),
        (np.full(90, 3.0), np.full(90, 3.0), "no spread"),
        (np.zeros(90), FULL, "no ratio"),
        (FULL, np.zeros(90), "no ratio"),
        (np.zeros(90), np.zeros(90), "no ratio"),
        (-FULL, FULL, "negative"),
    ],
)
def test_what_has_no_answer_is_inconclusive_with_its_reason(b, c, why):
    pair = match(Sample(b), Sample(c))
    for result in (compare_durations(pair)[0], compare_quantity(pair)[0]):
        assert result.verdict == "inconclusive" and why in result.reason
    for result in (*compare_durations(pair), *compare_quantity(pair)):
        assert result.verdict == "inconclusive" and result.reason


def test_paired_hostile_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for b, c in (
            (EMPTY, EMPTY),
            (np.zeros(50), np.zeros(50)),
            (np.ones(50), np.zeros(50)),
            (np.full(50, np.nan), np.ones(50)),
            (np.array(HOSTILE * 4), np.array(HOSTILE[::-1] * 4)),
        ):
            assert compare_paired_rate(b, c).reason and compare_paired_score(b, c).reason


def test_effects_go_to_the_working_scale_and_back():
    for value in (-0.5, 0.0, 0.1, 3.0):
        assert from_working(to_working(value, "ratio"), "ratio") == pytest.approx(value)
        assert from_working(to_working(value, "difference"), "difference") == value
