"""Samples: one metric of one arm, and the pair of arms that a comparison is made of.

A `Sample` is three arrays of one length: a value per trace, the trace's stratum and its unit of
independence. `match` makes a `Pair` of a baseline and a candidate: values that are missing (NaN,
infinite) are left out and counted, strata with fewer than `LEAST_UNITS` units in an arm are
dropped, and every trace gets the weight that standardises its arm to one arm's mix of strata (the
candidate's). All methods of this package start from a `Pair`, so what is sorted or summed once is
shared by the metrics that need it.

Limits: strata and units are integer codes, strata in one code space for both arms. The arms are
taken to be independent; where one unit has traces in both arms, intervals are too wide rather than
too narrow as long as the two are positively correlated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from whence.analysis.statistics.units import encode, first_strata, variance_of_sum
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from whence.analysis.statistics.units import Spread

Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]
Standard: TypeAlias = Literal["candidate", "baseline"]

_LAID_OUT = ("traces", "homes", "units_met")
"""What an arm knows of its strata and units, whatever its values are."""

LARGEST = 1e30
"""What is larger is no measurement: it is missing, as infinity is. Below 1/LARGEST is zero."""

LEAST_UNITS = 5
"""A stratum counts when either arm has this many units in it."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of one arm with the codes of their strata and units.

    Codes left out mean one stratum, and every trace its own unit. `InvalidInputError` where the
    lengths differ.
    """

    values: Floats
    strata: Codes | None = None
    units: Codes | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        for name, codes in (("strata", self.strata), ("units", self.units)):
            if codes is not None and np.shape(codes) != values.shape:
                raise InvalidInputError(
                    f"{name} has the shape {np.shape(codes)}, values {values.shape}: "
                    "give one code for each value"
                )
        if values.ndim != 1:
            raise InvalidInputError(f"values has {values.ndim} dimensions: give a flat array")
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, eq=False)
class Arm:
    """The covered traces of one arm, codes dense from zero, `weights` summing to one."""

    values: Floats
    strata: Codes
    units: Codes
    n_strata: int
    n_units: int
    weights: Floats = field(repr=False)

    @property
    def n(self) -> int:
        """Traces."""
        return int(self.values.size)

    @cached_property
    def alone(self) -> bool:
        """Whether every unit is a single trace."""
        return self.n_units == self.n

    @cached_property
    def traces(self) -> Floats:
        """Traces in each stratum."""
        return np.bincount(self.strata, minlength=self.n_strata).astype(np.float64)

    @cached_property
    def homes(self) -> Codes:
        """The stratum of each unit's first trace."""
        return first_strata(self.units, self.strata, self.n_units)

    @cached_property
    def units_met(self) -> Floats:
        """Units with a trace in each stratum."""
        return count_units(self.strata, self.units, self.n_strata, self.n_units).astype(np.float64)

    @cached_property
    def order(self) -> Codes:
        """The order of the values, all strata together."""
        return np.argsort(self.values)

    def means(self, of: Floats) -> Floats:
        """Return the mean of `of`, one number a trace, in each stratum."""
        sums = np.bincount(self.strata, weights=of, minlength=self.n_strata)
        return sums / np.maximum(self.traces, 1.0)

    def mean(self, of: Floats) -> float:
        """Return the standardised mean of `of`."""
        return float(self.weights @ of)

    def spread(self, of: Floats, weights: Floats | None = None) -> Spread:
        """Return the variance of the weighted sum of `of`, robust to clusters.

        `of` is centred within each stratum and summed by unit; see `units.variance_of_sum`.
        """
        weights = self.weights if weights is None else weights
        return variance_of_sum(self, weights * (of - self.means(of)[self.strata]))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two arms made comparable.

    `coverage` is the share of each arm's traces in covered strata, (baseline, candidate); `offered`
    and `missing` count the traces and the missing values that were given; `raw` are the plain
    means of all values of an arm, or NaN; `mix` are the covered weights by stratum.
    """

    baseline: Arm
    candidate: Arm
    coverage: tuple[float, float]
    offered: tuple[int, int]
    missing: tuple[int, int]
    raw: tuple[float, float]
    standard: Standard
    mix: Floats

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """Baseline and candidate, in this order."""
        return self.baseline, self.candidate

    @property
    def problem(self) -> str | None:
        """Why nothing can be compared, or None."""
        for name, given, missing in zip(
            ("baseline", "candidate"), self.offered, self.missing, strict=True
        ):
            if given == missing:
                return (
                    f"the {name} has no values"
                    if not given
                    else f"the {name} has only missing values"
                )
        if not self.baseline.n:
            return f"no stratum has {LEAST_UNITS} units in both versions"
        return None


def match(baseline: Sample, candidate: Sample, *, to: Standard = "candidate") -> Pair:
    """Return the pair of `baseline` and `candidate`, standardised to the mix of the arm named `to`.

    Direct standardisation: an observation of stratum s weighs w_s / n_s, where w_s is the share of
    s among the covered traces of `to`. Its own arm then has equal weights.
    """
    kept = [_present(sample) for sample in (baseline, candidate)]
    strata, n_strata = _encode_both(kept[0][1], kept[1][1])
    units = [encode(codes) for _, _, codes in kept]
    met = [
        count_units(one, codes, n_strata, n) for one, (codes, n) in zip(strata, units, strict=True)
    ]
    covered = (met[0] >= LEAST_UNITS) & (met[1] >= LEAST_UNITS)
    number = np.cumsum(covered) - 1
    held = [covered[one] for one in strata]
    chosen = [number[one[mask]] for one, mask in zip(strata, held, strict=True)]
    size = int(covered.sum())
    counts = np.bincount(chosen[1 if to == "candidate" else 0], minlength=size)
    mix = counts / max(int(counts.sum()), 1)
    arms = []
    for (values, _, _), mask, codes, (unit, n_units) in zip(kept, held, chosen, units, strict=True):
        traces = np.bincount(codes, minlength=size)
        weights = (mix / np.maximum(traces, 1))[codes]
        inside, n_inside = (unit, n_units) if mask.all() else encode(unit[mask])
        arms.append(Arm(values[mask], codes, inside, size, n_inside, weights))
    return Pair(
        baseline=arms[0],
        candidate=arms[1],
        coverage=(_share(held[0]), _share(held[1])),
        offered=(baseline.values.size, candidate.values.size),
        missing=(
            baseline.values.size - kept[0][0].size,
            candidate.values.size - kept[1][0].size,
        ),
        raw=(_plain_mean(kept[0][0]), _plain_mean(kept[1][0])),
        standard=to,
        mix=mix,
    )


def with_values(pair: Pair, baseline: Floats, candidate: Floats) -> Pair:
    """Return the pair with other values of the same traces (covered ones, in the arms' order)."""
    arms = []
    for arm, values in zip(pair.arms, (baseline, candidate), strict=True):
        if values.shape != arm.values.shape:
            raise InvalidInputError(
                f"{values.shape} values for {arm.n} traces: give one value for each covered trace"
            )
        held = np.clip(values, -LARGEST, LARGEST)
        other = Arm(held, arm.strata, arm.units, arm.n_strata, arm.n_units, arm.weights)
        other.__dict__.update({name: getattr(arm, name) for name in _LAID_OUT})
        arms.append(other)
    return Pair(
        baseline=arms[0],
        candidate=arms[1],
        coverage=pair.coverage,
        offered=pair.offered,
        missing=pair.missing,
        raw=(_plain_mean(baseline), _plain_mean(candidate)),
        standard=pair.standard,
        mix=pair.mix,
    )


def count_units(strata: Codes, units: Codes, n_strata: int, n_units: int) -> Codes:
    """Return how many units have a trace in each stratum."""
    if n_units == units.size:
        return np.bincount(strata, minlength=n_strata)
    if n_strata * n_units <= 8 * units.size:
        table = np.bincount(strata * n_units + units, minlength=n_strata * n_units) > 0
        return np.asarray(table.reshape(n_strata, n_units).sum(axis=1), np.int64)
    pairs = np.sort(strata * n_units + units)
    first = np.ones(pairs.size, dtype=bool)
    first[1:] = pairs[1:] != pairs[:-1]
    return np.bincount(pairs[first] // max(n_units, 1), minlength=n_strata)


def _present(sample: Sample) -> tuple[Floats, Codes, Codes]:
    values = sample.values
    strata = np.zeros(values.size, np.int64) if sample.strata is None else sample.strata
    units = np.arange(values.size) if sample.units is None else sample.units
    size = np.abs(values)
    known = size <= LARGEST
    if (tiny := (size < 1 / LARGEST) & (size > 0)).any():
        values = np.where(tiny, 0.0, values)
    if known.all():
        return values, np.asarray(strata, np.int64), np.asarray(units, np.int64)
    return values[known], np.asarray(strata, np.int64)[known], np.asarray(units, np.int64)[known]


def _encode_both(baseline: Codes, candidate: Codes) -> tuple[list[Codes], int]:
    codes, n = encode(np.concatenate([baseline, candidate]))
    return [codes[: baseline.size], codes[baseline.size :]], n


def _share(held: npt.NDArray[np.bool_]) -> float:
    return float(held.mean()) if held.size else 0.0


def _plain_mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
