"""The simulations behind docs/statistics.md: scenarios run through Whence's own functions.

A scenario makes one run of both versions' data and says which alarms went off. `run` counts them
over many runs with a fixed seed. What each count must hold is in the scenario: at most a level
(false alarms) or at least a printed power, within the binomial error of the number of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from whence.analysis.statistics.decision import Result, Rule, decide
from whence.analysis.statistics.means import estimate_mean, estimate_winsorised
from whence.analysis.statistics.multiplicity import find_q_values
from whence.analysis.statistics.quantiles import estimate_quantiles
from whence.analysis.statistics.ranks import estimate_shift, rank, van_elteren
from whence.analysis.statistics.rates import estimate_rate
from whence.analysis.statistics.samples import Sample, match
from whence.analysis.statistics.sequences import Looks, decide_at_look, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Alarms = dict[str, bool]

LEVEL = 0.05
NO_MARGIN = Rule(margin=0.0)
TENTH = Rule(margin=0.10)
MEDIAN_MS = 1000.0


@dataclass(frozen=True)
class Bound:
    """What a rate must hold: `most` for false alarms, `least` for power, and what is printed."""

    most: float | None = None
    least: float | None = None
    printed: str = ""


@dataclass(frozen=True)
class Scenario:
    """One row of data-making; `alarms` names what is counted, with its bound."""

    key: str
    title: str
    make: Callable[[np.random.Generator], Alarms]
    alarms: dict[str, Bound]
    runs: int
    quick: int = 100


def log_normal(
    random: np.random.Generator, n: int, sigma: float = 1.0, times: float = 1.0
) -> Floats:
    """Return durations with this spread of the logarithm around `times` one second."""
    return random.lognormal(np.log(MEDIAN_MS * times), sigma, n)


def shift(baseline: Sample, candidate: Sample, rule: Rule = NO_MARGIN) -> Result:
    """Return the verdict on the shift."""
    return decide(estimate_shift(rank(match(baseline, candidate))), rule)


def p95(baseline: Sample, candidate: Sample, rule: Rule = NO_MARGIN) -> Result:
    """Return the verdict on p95."""
    return decide(estimate_quantiles(match(baseline, candidate), (0.95,))[0], rule)


def differs(result: Result) -> bool:
    """Whether the two-sided test at 5 % finds a difference."""
    return result.p_value is not None and result.p_value < LEVEL


def slower(result: Result) -> bool:
    """Whether the one-sided test at 5 % finds the candidate worse."""
    return result.p_regressed is not None and result.p_regressed < LEVEL


def tail_without_change(n: int) -> Callable[[np.random.Generator], Alarms]:
    """Two equal versions: a fixed rule on p95, and our test."""

    def make(random: np.random.Generator) -> Alarms:
        b, c = log_normal(random, n), log_normal(random, n)
        result = p95(Sample(b), Sample(c))
        return {
            "naive": bool(np.quantile(c, 0.95) > 1.25 * np.quantile(b, 0.95)),
            "p95": differs(result),
            "shift": differs(shift(Sample(b), Sample(c))),
            "undecided": result.p_value is None,
        }

    return make


def mix_changed(random: np.random.Generator) -> Alarms:
    """Only the traffic mix moves: long prompts from 20 to 35 %, three times as slow."""
    arms = []
    for share in (0.20, 0.35):
        long = (random.random(2000) < share).astype(np.int64)
        arms.append(Sample(log_normal(random, 2000, 0.7) * np.where(long, 3.0, 1.0), long))
    b, c = arms
    ranking = rank(match(b, c))
    pair = match(b, c)
    return {
        "naive": stats.mannwhitneyu(b.values, c.values).pvalue < LEVEL,
        "van Elteren": van_elteren(ranking)[1] < LEVEL,
        "shift": differs(decide(estimate_shift(ranking), NO_MARGIN)),
        "p95": differs(decide(estimate_quantiles(pair, (0.95,))[0], NO_MARGIN)),
        "mean": differs(decide(estimate_mean(pair), NO_MARGIN)),
    }


def sessions(
    random: np.random.Generator, n_sessions: int = 100, size: int = 10
) -> tuple[Sample, Sample]:
    """Return two equal versions of sessions whose traces share half of the logarithm's variance."""
    arms = []
    units = np.repeat(np.arange(n_sessions), size)
    for _ in range(2):
        shared = random.normal(0, 0.7, n_sessions)[units]
        values = MEDIAN_MS * np.exp(shared + random.normal(0, 0.7, units.size))
        arms.append(Sample(values, None, units))
    return arms[0], arms[1]


def sessions_of_ten(random: np.random.Generator) -> Alarms:
    """Sessions of ten traces, no change."""
    b, c = sessions(random)
    pair = match(b, c)
    failing = [Sample(arm.values > 4000.0, None, arm.units) for arm in (b, c)]
    return {
        "naive": stats.ttest_ind(b.values, c.values, equal_var=False).pvalue < LEVEL,
        "mean": differs(decide(estimate_mean(pair), NO_MARGIN)),
        "shift": differs(decide(estimate_shift(rank(pair)), NO_MARGIN)),
        "p95": differs(decide(estimate_quantiles(pair, (0.95,))[0], NO_MARGIN)),
        "rate": differs(decide(estimate_rate(match(*failing)), NO_MARGIN)),
    }


def fifty_looks(random: np.random.Generator) -> Alarms:
    """Both versions grow to 5000 traces; looked at fifty times."""
    b, c = log_normal(random, 5000, 0.7), log_normal(random, 5000, 0.7)
    naive = sequence = False
    for n in range(100, 5001, 100):
        estimate = estimate_mean(match(Sample(b[:n]), Sample(c[:n])))
        naive = naive or differs(decide(estimate, NO_MARGIN))
        low, high = watch(estimate).limits.interval(LEVEL)
        sequence = sequence or low > 0 or high < 0
    looks = Looks()
    looked = False
    for k in range(1, looks.due(5000) + 1):
        n = int(np.ceil(looks.units(k)))
        estimate = estimate_shift(rank(match(Sample(b[:n]), Sample(c[:n]))))
        result = decide_at_look(estimate, NO_MARGIN, k)
        looked = looked or (result.p_value is not None and result.p_value < looks.level(k))
    return {"naive": naive, "sequence of means": sequence, "looks at the shift": looked}


def slices(random: np.random.Generator) -> Alarms:
    """12 metrics × 8 slices of 200 traces, nothing changed."""
    p = np.array(
        [
            differs_p(Sample(log_normal(random, 200)), Sample(log_normal(random, 200)))
            for _ in range(96)
        ]
    )
    return {"naive": bool((p < LEVEL).any()), "q-values": bool((find_q_values(p) < LEVEL).any())}


def differs_p(baseline: Sample, candidate: Sample) -> float:
    """Return the two-sided p-value of the difference of mean logarithms' ranks."""
    return van_elteren(rank(match(baseline, candidate)))[1]


def everywhere(n: int) -> Callable[[np.random.Generator], Alarms]:
    """All calls 10 % slower."""

    def make(random: np.random.Generator) -> Alarms:
        b, c = log_normal(random, n, 0.7), log_normal(random, n, 0.7, 1.1)
        return {"shift": slower(shift(Sample(b), Sample(c)))}

    return make


def tail_slower(n: int) -> Callable[[np.random.Generator], Alarms]:
    """5 % of calls three times slower."""

    def make(random: np.random.Generator) -> Alarms:
        b, c = log_normal(random, n, 0.7), log_normal(random, n, 0.7)
        c = c * np.where(random.random(n) < 0.05, 3.0, 1.0)
        return {
            "shift": slower(shift(Sample(b), Sample(c))),
            "p95": slower(p95(Sample(b), Sample(c))),
        }

    return make


def verdicts(n: int, times: float, *, tail: bool = True) -> Callable[[np.random.Generator], Alarms]:
    """Shift all calls, judged against a margin of 10 %."""

    def make(random: np.random.Generator) -> Alarms:
        b, c = Sample(log_normal(random, n)), Sample(log_normal(random, n, 1.0, times))
        alarms = {"shift": shift(b, c, TENTH).verdict == "regressed"}
        if tail:
            alarms["p95"] = p95(b, c, TENTH).verdict == "regressed"
        return alarms

    return make


def error_rate(n: int, before: float, after: float) -> Callable[[np.random.Generator], Alarms]:
    """Error rates in four strata of unequal risk, judged against half a point."""

    def make(random: np.random.Generator) -> Alarms:
        arms = []
        for risk in (before, after):
            strata = random.integers(0, 4, n)
            risks = before * np.array([0.25, 0.5, 1.0, 2.25]) + (risk - before)
            arms.append(Sample(random.random(n) < risks[strata], strata))
        estimate = estimate_rate(match(*arms))
        return {
            "differs": differs(decide(estimate, NO_MARGIN)),
            "regressed": decide(estimate, Rule(margin=0.005)).verdict == "regressed",
        }

    return make


def tokens(n: int, times: float) -> Callable[[np.random.Generator], Alarms]:
    """Token counts, all multiplied, judged against a margin of 10 %."""

    def make(random: np.random.Generator) -> Alarms:
        b, c = Sample(log_normal(random, n)), Sample(log_normal(random, n, 1.0, times))
        pair = match(b, c)
        return {
            "mean": decide(estimate_mean(pair), TENTH).verdict == "regressed",
            "winsorised": decide(estimate_winsorised(pair), TENTH).verdict == "regressed",
        }

    return make


FALSE = Bound(most=LEVEL)
NAIVE = Bound()
UNKNOWN = Bound()
MANY, FEW = 2000, 600


def false(printed: str = "", most: float = LEVEL) -> Bound:
    """Return the bound of false alarms, with the rate that the method printed."""
    return Bound(most=most, printed=printed)


def power(least: float, printed: str = "") -> Bound:
    """Return the bound of power, with the rate that the method printed."""
    return Bound(least=least, printed=printed or f"{100 * least:.4g} %")


def naive(printed: str) -> Bound:
    """Return no bound: the naive rule is shown, not held."""
    return Bound(printed=printed)


NO_DIFFERENCE = [
    Scenario(
        "p95-50",
        "p95, n = 50",
        tail_without_change(50),
        {
            "naive": naive("25 %"),
            "p95": false("6.0 %"),
            "shift": FALSE,
            "undecided": Bound(least=1.0),
        },
        500,
        60,
    ),
    Scenario(
        "p95-100",
        "p95, n = 100",
        tail_without_change(100),
        {"naive": naive("16 %"), "p95": false("1.3 %"), "shift": FALSE},
        MANY,
    ),
    Scenario(
        "p95-300",
        "p95, n = 300",
        tail_without_change(300),
        {"naive": naive("5 %"), "p95": false("3.2 %"), "shift": FALSE},
        MANY,
    ),
    Scenario(
        "mix",
        "only the traffic mix changed, n = 2000",
        mix_changed,
        {
            "naive": naive("100 %"),
            "van Elteren": false("5.7 %"),
            "shift": FALSE,
            "p95": FALSE,
            "mean": FALSE,
        },
        MANY,
        120,
    ),
    Scenario(
        "sessions",
        "100 sessions of 10 traces",
        sessions_of_ten,
        {
            "naive": naive("35 %"),
            "mean": false("4.2 %"),
            "shift": FALSE,
            "p95": FALSE,
            "rate": FALSE,
        },
        MANY,
        120,
    ),
    Scenario(
        "looks",
        "looking 50 times",
        fifty_looks,
        {"naive": naive("34 %"), "sequence of means": false("2.1 %"), "looks at the shift": FALSE},
        FEW,
        15,
    ),
    Scenario(
        "slices",
        "12 metrics × 8 slices",
        slices,
        {"naive": naive("99.5 %"), "q-values": false("4.5 %")},
        FEW,
        20,
    ),
    Scenario(
        "rate-300",
        "error rate 1 %, 4 strata, n = 300",
        error_rate(300, 0.01, 0.01),
        {"differs": FALSE, "regressed": false(most=0.025)},
        MANY,
    ),
    Scenario(
        "rate-2000",
        "error rate 2 %, 4 strata, n = 2000",
        error_rate(2000, 0.02, 0.02),
        {"differs": FALSE, "regressed": false(most=0.002)},
        MANY,
    ),
]
POWER = [
    *(
        Scenario(
            f"everywhere-{n}",
            f"+10 % everywhere, n = {n}",
            everywhere(n),
            {"shift": power(least, printed)},
            runs,
            60,
        )
        for n, least, printed, runs in (
            (50, 0.16, "16 %", MANY),
            (200, 0.31, "31 %", MANY),
            (1000, 0.86, "86 %", MANY),
            (5000, 0.999, "100 %", FEW),
        )
    ),
    *(
        Scenario(
            f"tail-{n}",
            f"5 % of calls 3× slower, n = {n}",
            tail_slower(n),
            {"shift": power(by_rank), "p95": power(by_p95)},
            runs,
            60,
        )
        for n, by_rank, by_p95, runs in ((1000, 0.40, 0.48, MANY), (5000, 0.86, 0.98, FEW))
    ),
]
VERDICTS = [
    *(
        Scenario(
            f"verdict-{n}-{times:g}",
            f"{100 * (times - 1):+.0f} % everywhere, n = {n}",
            verdicts(n, times),
            {"shift": by_shift, "p95": by_p95},
            MANY if n < 5000 else FEW,
            60,
        )
        for n, times, by_shift, by_p95 in (
            (1000, 1.0, false("≤ 0.2 %", 0.002), false("≤ 0.2 %", 0.002)),
            (1000, 1.1, false("≤ 2.5 %", 0.025), false("≤ 2.5 %", 0.025)),
            (5000, 1.1, false("≤ 2.5 %", 0.025), false("≤ 2.5 %", 0.025)),
            (1000, 1.2, power(0.476, "51 %"), power(0.13, "15 %")),
            (5000, 1.2, power(0.985, "99.5 %"), power(0.51, "57 %")),
            (1000, 1.3, power(0.94), UNKNOWN),
            (5000, 1.3, power(0.999, "100 %"), UNKNOWN),
        )
    ),
    *(
        Scenario(
            f"tokens-{times:g}",
            f"tokens {100 * (times - 1):+.0f} %, n = 1000",
            tokens(1000, times),
            {"mean": by_mean, "winsorised": by_cut},
            MANY,
            60,
        )
        for times, by_mean, by_cut in (
            (1.0, false(most=0.002), false(most=0.002)),
            (1.1, false(most=0.025), false(most=0.025)),
            (1.3, UNKNOWN, UNKNOWN),
        )
    ),
    Scenario(
        "rate-margin",
        "error rate 2 % → 2.5 %, n = 2000",
        error_rate(2000, 0.02, 0.025),
        {"regressed": false(most=0.025)},
        MANY,
    ),
    Scenario(
        "rate-double",
        "error rate 2 % → 4 %, n = 2000",
        error_rate(2000, 0.02, 0.04),
        {"regressed": UNKNOWN},
        MANY,
    ),
]
SCENARIOS = [*NO_DIFFERENCE, *POWER, *VERDICTS]


def run(scenario: Scenario, runs: int) -> dict[str, int]:
    """Return how often each alarm went off in `runs` runs with the scenario's own seed."""
    random = np.random.default_rng(int.from_bytes(scenario.key.encode(), "big"))
    counts = dict.fromkeys(scenario.alarms, 0)
    for _ in range(runs):
        for name, rang in scenario.make(random).items():
            if name in counts:
                counts[name] += bool(rang)
    return counts


def find_breach(bound: Bound, count: int, runs: int) -> str | None:
    """Return what a count breaches, in words, or None; one breach in a thousand is chance."""
    if bound.most is not None:
        most = int(stats.binom.ppf(0.999, runs, bound.most))
        if count > most:
            return f"{count} of {runs} alarms, at most {most} are within the error of {bound.most}"
    if bound.least is not None:
        least = int(stats.binom.ppf(0.001, runs, bound.least))
        if count < least:
            return (
                f"{count} of {runs} found, at least {least} are within the error of {bound.least}"
            )
    return None


def binomial_interval(count: int, runs: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval of a rate."""
    low = special.betaincinv(count, runs - count + 1, 0.025) if count else 0.0
    high = special.betaincinv(count + 1, runs - count, 0.975) if count < runs else 1.0
    return float(low), float(high)
