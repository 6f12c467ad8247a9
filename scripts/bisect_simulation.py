"""Simulate `whence bisect`: how often it names a version, and how often a wrong one.

Eight versions, the second to the eighth of which is the first bad one, each as often. Sessions of
two traces of log-normal durations (sigma 0.6), through the comparison's own judge and estimators.
Beside it a search by halves that believes each comparison with the good version. Prints the table
of docs/bisect.md: `python scripts/bisect_simulation.py 500`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from whence.analysis.bisect import JITTER, LEVEL, Measure, weigh
from whence.analysis.judge import ALPHA, Measured, estimate
from whence.analysis.metrics import METRICS
from whence.analysis.statistics.decision import Rule, decide
from whence.analysis.statistics.localisation import locate_move

VERSIONS = 8
MARGIN = 0.10
SIGMA, ALIKE = 0.6, 0.3  # of the log of a duration; the part of it that a session's traces share
METRIC = next(one for one in METRICS if one.name == "duration")
RULE = Rule(margin=MARGIN)


@dataclass(frozen=True)
class Case:
    """A row of the table. `slower` is the change; `sparse` versions have `few` sessions."""

    name: str
    sessions: int = 150
    slower: float = 0.25
    sparse: int = 0
    few: int = 3
    wobble: float = 0.0  # what versions differ by without any change (standard deviation)
    steps: int = 1


CASES = (
    Case("+25 %"),
    Case("+20 %", slower=0.20),
    Case("+25 %, 60 sessions", sessions=60),
    Case("+25 %, two versions of 3 sessions", sparse=2),
    Case("+25 %, versions differ by 2 % anyway", wobble=0.02),
    Case("two changes of +25 %", steps=2),
    Case("no change", slower=0.0),
)


@dataclass
class Tally:
    """What came out of the runs."""

    runs: int = 0
    moved: int = 0
    named: int = 0
    wrong: int = 0
    held: int = 0
    halved: int = 0
    halved_wrong: int = 0


def simulate(case: Case, runs: int, seed: int = 1) -> Tally:
    """Run a case."""
    random = np.random.default_rng(seed)
    tally = Tally(runs=runs)
    for number in range(runs):
        _run(case, random, tally, number)
    return tally


def _run(case: Case, random: np.random.Generator, tally: Tally, seed: int) -> None:
    changes = sorted(random.choice(np.arange(1, VERSIONS), size=case.steps, replace=False))
    first = int(changes[0])
    levels = random.normal(0, case.wobble, VERSIONS)
    for change in changes:
        levels[change:] += np.log1p(case.slower)
    sessions = np.full(VERSIONS, case.sessions)
    if case.sparse:
        inside = random.choice(np.arange(1, VERSIONS - 1), size=case.sparse, replace=False)
        sessions[inside] = case.few
    traces = [_draw(random, level, count) for level, count in zip(levels, sessions, strict=True)]
    estimates = {}
    for place in range(1, VERSIONS):
        measured = _pair(traces[0], traces[place])
        found = estimate(measured, [METRIC], {METRIC.name: ALPHA})[METRIC.name]
        estimates[place] = (found, METRIC)
    verdicts = {place: decide(one, RULE).verdict for place, (one, _) in estimates.items()}
    if verdicts[VERSIONS - 1] not in ("regressed", "improved"):
        return
    tally.moved += 1
    measures = weigh(estimates, 0, VERSIONS)
    place = _locate(measures, seed)
    best = int(place.first[1:].argmax()) + 1
    tally.held += first in place.credible(LEVEL)
    if place.first[best] >= LEVEL:
        tally.named += 1
        tally.wrong += best != first or not case.slower
    tally.halved += 1
    tally.halved_wrong += _halve(verdicts) != first or not case.slower


def _draw(
    random: np.random.Generator, level: float, sessions: int
) -> tuple[np.ndarray, np.ndarray]:
    shared = np.repeat(random.normal(0, SIGMA * ALIKE**0.5, sessions), 2)
    own = random.normal(0, SIGMA * (1 - ALIKE) ** 0.5, 2 * sessions)
    return 100 * np.exp(level + shared + own), np.repeat(np.arange(sessions), 2)


def _pair(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> Measured:
    values = np.concatenate((one[0], other[0]))
    units = np.concatenate((one[1], other[1] + one[1].max() + 1)).astype(np.int64)
    arm = np.arange(len(values)) >= len(one[0])
    strata = np.zeros(len(values), np.int64)
    return Measured(arm, strata, units, {"duration": values})


def _locate(measures: list[Measure], seed: int):  # noqa: ANN202 - a Location
    margin = float(np.log1p(MARGIN))
    total = measures[-1].level - measures[0].level
    sign = 1 if total > 0 else -1
    return locate_move(
        [sign * one.level for one in measures],
        [one.variance for one in measures],
        threshold=min(margin, abs(total) / 2),
        spread=max(abs(total), 2 * margin),
        jitter=JITTER * margin,
        seed=seed,
    )


def _halve(verdicts: dict[int, str]) -> int:
    """Search by halves: a version is bad where the comparison says regressed."""
    good, bad = 0, VERSIONS - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if verdicts[middle] == "regressed":
            bad = middle
        else:
            good = middle
    return bad


def write_table(runs: int) -> str:
    """Return the table in Markdown."""
    lines = [
        (
            "| eight versions, 150 sessions of two traces each | moved | one named | wrongly | "
            "within the candidates | by halves: wrong |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for case in CASES:
        found = simulate(case, runs)
        share = [
            found.moved / runs,
            found.named / runs,
            found.wrong / runs,
            found.held / max(1, found.moved),
            found.halved_wrong / runs,
        ]
        shown = " | ".join(f"{one:.1%}" for one in share)
        lines.append(f"| {case.name} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(write_table(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
