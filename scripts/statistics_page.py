"""Make docs/statistics.md from the full simulation: `uv run python scripts/statistics_page.py --run`.

With `--run` every scenario is run anew (some ten minutes) into scripts/statistics_results.json;
without it the page is made from the results that are there.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from statistics_simulation import (
    NO_DIFFERENCE,
    POWER,
    SCENARIOS,
    VERDICTS,
    Scenario,
    binomial_interval,
    find_breach,
    run,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "scripts" / "statistics_results.json"
PAGE = ROOT / "docs" / "statistics.md"

HEAD = """\
# Statistics: how a verdict is reached, and how often it is wrong

Made by `uv run just statistics-page`: every row is simulated with a fixed seed
through Whence's own functions (`whence.analysis.statistics`). A test re-runs all rows in short
form, and in full length in the slow tier, and holds them to the bounds below.

A metric is compared by its **effect** (a ratio, or a difference) with an **interval** of 95 %, against
a practical **margin**. Whole interval beyond the margin on the bad side: *regressed*; on the good
side: *improved*; inside both margins: *equivalent*; anything else is *inconclusive*, with the smallest
effect that would be found and how many units are needed.

| question | method | source |
|---|---|---|
| did everything shift? | van Elteren's rank test over strata, inverted to the Hodges–Lehmann ratio; variance from placements | van Elteren 1960; Hodges, Lehmann 1963; Brunner, Munzel 2000 |
| did p50, p95, p99 move? | weighted order statistics (Woodruff), both arms joined by variance recovery | Woodruff 1952; Zou, Donner 2008 |
| did a rate move? | Mantel–Haenszel difference, score interval; mid-p exact at few events | Miettinen, Nurminen 1985; Lancaster 1961 |
| did tokens or cost move? | ratio of means, delta method; raw and winsorised | Deng, Knoblich, Lu 2018 |
| same inputs in both? | Tango's score interval, McNemar; the mean of the differences, Student's t | Tango 1998; Student 1908 |
| new error signatures? | conditional exact test of two Poisson rates, q-values | Przyborowski, Wilenski 1940 |
| several guards, many slices? | Holm; Benjamini–Hochberg | Holm 1979; Benjamini, Hochberg 1995 |
| watched while it rolls out? | confidence sequences of means; looks at α_k = 6α/(π²k²) | Waudby-Smith et al. 2024 |
| drift without a release? | E-divisive with permutations | Matteson, James 2014 |

Everywhere the unit of independence is the session (else the user, else the trace), arms are
standardised to the candidate's mix of strata, and strata with fewer than five units in an arm are left
out and reported as coverage.
"""

NO_DIFFERENCE_HEAD = """
## Nothing changed: how often each test alarms

The no-difference tests (margin 0) at the 5 % level, both directions; *regressed* is the verdict.
"""
POWER_HEAD = """
## Something changed: how often the no-difference test finds it

One-sided at 5 %, σ of the logarithm = 0.7. The method's table does not state its σ nor its sides; these
are the settings at which the printed powers are possible.
"""
VERDICT_HEAD = """
## Verdicts against the margin

How often the verdict is *regressed*. Durations and tokens: margin 10 %, σ of the logarithm = 1; error
rates: margin half a point. A true change as large as the margin should be called in at most 2.5 % of
runs, no change nearly never.
"""
TAIL = """
## Where the method's figures are not reached, and why

- *+20 % found in 51 % at n = 1000 and 99.5 % at 5000*: the bound on any test that calls a true +10 %
  in at most 2.5 % is 49.4 % and 99.2 % (the z-test on logarithms with σ = 1 known, which is most powerful
  here). The Hodges–Lehmann ratio has 95.5 % of its efficiency in theory: 47.7 % and 98.9 %.
- *p95 +20 % found in 15 % and 57 %*: the asymptotic power of the sample p95 at σ = 1 is 14.9 % and
  53.9 %.
- *p95, n = 50*: p95 needs 76 traces in each version. Below that Whence shows a bootstrap interval and
  gives no verdict, where the method's table alarmed in 6.0 %.

## Limits

- A ratio of *means* of a heavy tail gets no verdict while a few traces decide it (skewness of the
  estimate above 0.3); read the winsorised mean beside it.
- With few sessions (below about 30) robust variances are noisy; Student's t with the *effective*
  number of sessions keeps the level, at a cost in power.
- Arms are taken as independent. Where one user is in both, intervals are too wide rather than too narrow.
- Above 200,000 values an arm, results come from quantile sketches and say so.
"""


def make_page(results: dict[str, dict[str, int]]) -> str:
    """Return the page for these results, by scenario: counts by alarm, and `runs`."""
    parts = [HEAD]
    for head, scenarios in (
        (NO_DIFFERENCE_HEAD, NO_DIFFERENCE),
        (POWER_HEAD, POWER),
        (VERDICT_HEAD, VERDICTS),
    ):
        parts += [
            head,
            "\n| what happens | rule or test | the method printed | measured | 95 % interval |",
        ]
        parts.append("\n|---|---|---|---|---|\n")
        parts += [line for one in scenarios for line in make_rows(one, results[one.key])]
    return "".join(parts) + TAIL


def make_rows(scenario: Scenario, counts: dict[str, int]) -> list[str]:
    """Return the table's lines of one scenario."""
    lines = []
    runs = counts["runs"]
    for name, bound in scenario.alarms.items():
        low, high = binomial_interval(counts[name], runs)
        rate = f"{100 * counts[name] / runs:.1f} % of {runs}"
        title = scenario.title if not lines else ""
        between = f"{100 * low:.1f}–{100 * high:.1f} %"
        lines.append(f"| {title} | {name} | {bound.printed} | {rate} | {between} |\n")
    return lines


def run_all() -> dict[str, dict[str, int]]:
    """Return the results of all scenarios, in as many processes as there are processors."""
    results = {}
    with ProcessPoolExecutor() as pool:
        counted = pool.map(run_one, range(len(SCENARIOS)))
        for scenario, counts in zip(SCENARIOS, counted, strict=True):
            results[scenario.key] = {"runs": scenario.runs, **counts}
            print(f"{scenario.key}: {counts}", file=sys.stderr, flush=True)  # noqa: T201
    return results


def run_one(place: int) -> dict[str, int]:
    """Return the counts of the scenario at this place."""
    return run(SCENARIOS[place], SCENARIOS[place].runs)


def find_breaches(results: dict[str, dict[str, int]]) -> list[str]:
    """Return which counts breach their bounds."""
    return [
        f"{one.key}, {name}: {breach}"
        for one in SCENARIOS
        for name, bound in one.alarms.items()
        if (breach := find_breach(bound, results[one.key][name], results[one.key]["runs"]))
    ]


def main() -> None:
    """Run if asked to, write the page, and fail where a bound is breached."""
    if "--run" in sys.argv[1:]:
        RESULTS.write_text(json.dumps(run_all(), indent=1) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(make_page(results), encoding="utf-8")
    if breaches := find_breaches(results):
        sys.exit("\n".join(breaches))


if __name__ == "__main__":
    main()
