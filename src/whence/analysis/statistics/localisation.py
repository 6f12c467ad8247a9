"""Localisation: which of ordered versions is the first whose level moved, with what probability.

A bisection by halves asks one version at a time and believes each answer; where versions between
are measured badly it goes astray and doesn't know it. Here all are looked at together. Each version
has a level (on a comparison's working scale) known up to noise of its own; consecutive versions
share a level, or a change lies between them: each place is as likely as any other, with one change
expected over all. Over all ways to cut the versions into segments the posterior is summed exactly
(dynamic programming), and drawn from: a version is the *first to move* in a draw if it is the first
whose level is beyond the threshold from the first version's. A version that tells nothing shares
its probability with its neighbours, many versions share what one would have: looks need no further
correction.

`jitter` is what levels may differ by without any change (other hours, other load): it is added to
the noise, so that many traces don't make a release of what is always there.

Sources: Fearnhead, Statistics and Computing 2006 (exact posterior of multiple change points);
Barry and Hartigan, Annals of Statistics 1992 (product partitions).

Limits: noise is taken as normal, and known. Draws bound how small a probability can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from whence.analysis.statistics.samples import Floats

    Numbers = NDArray[np.int64]

DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Location:
    """What is believed of each version, in the order given.

    `first`: the probability that it is the first to move (of the first version: that none did).
    `moved`: that its level is beyond the threshold. `levels` are means, against the first one's.
    """

    first: Floats
    moved: Floats
    levels: Floats

    def credible(self, share: float) -> list[int]:
        """Return the fewest versions that are the first to move with at least this probability."""
        order = sorted(range(1, len(self.first)), key=lambda one: (-self.first[one], one))
        chosen: list[int] = []
        held = 0.0
        for one in order:
            if held >= share * (1 - self.first[0]):
                break
            chosen.append(one)
            held += float(self.first[one])
        return sorted(chosen)


def locate_move(
    levels: Sequence[float],
    variances: Sequence[float],
    *,
    threshold: float,
    spread: float,
    jitter: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> Location:
    """Return where levels first moved up by more than `threshold` against the first version's.

    An infinite variance is a version of which nothing is known. `spread` is the standard deviation
    of levels before anything is known. Moves down: turn the levels' signs. `seed` fixes the draws.
    """
    noise = np.asarray(variances, np.float64) + jitter**2
    weights = np.where(np.isfinite(noise), 1 / noise, 0.0)
    values = np.where(weights > 0, np.asarray(levels, np.float64), 0.0)
    drawn = _Segments(values, weights, spread).draw(draws, np.random.default_rng(seed))
    rise = drawn - drawn[:, :1]
    beyond = rise > threshold
    beyond[:, 0] = False
    first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), 0)
    return Location(
        np.bincount(first, minlength=len(values)) / draws, beyond.mean(axis=0), rise.mean(axis=0)
    )


class _Segments:
    """The posterior over segments: forward sums, then draws from the end backwards."""

    def __init__(self, values: Floats, weights: Floats, spread: float) -> None:
        self.size, self.spread = len(values), spread
        total = weights.sum()
        self.middle = float(weights @ values / total) if total > 0 else 0.0
        moved = values - self.middle
        self._weight = np.concatenate(([0.0], np.cumsum(weights)))
        self._sum = np.concatenate(([0.0], np.cumsum(weights * moved)))
        self._square = np.concatenate(([0.0], np.cumsum(weights * moved**2)))
        places = max(1, self.size - 1)
        self._change = np.log(1 / (places + 1))
        self._stay = np.log1p(-1 / (places + 1))
        self._forward = np.full(self.size + 1, -np.inf)
        self._forward[0] = -self._change  # the first segment begins without a change
        for end in range(1, self.size + 1):
            self._forward[end] = np.logaddexp.reduce(self._ways(end))

    def _ways(self, end: int) -> Floats:
        """Return the log of what ends at `end` with a last segment from each start."""
        start = np.arange(end)
        inside = self._stay * (end - start - 1)
        ways: Floats = self._forward[:end] + self._change + inside + self._evidence(start, end)
        return ways

    def _evidence(self, start: Numbers, end: int) -> Floats:
        """Return the log likelihood of segments, levels integrated out, up to a constant."""
        weight = self._weight[end] - self._weight[start]
        total = self._sum[end] - self._sum[start]
        square = self._square[end] - self._square[start]
        precision = weight + self.spread**-2
        found: Floats = (
            total**2 / precision / 2 - square / 2 - np.log(precision * self.spread**2) / 2
        )
        return found

    def draw(self, draws: int, random: np.random.Generator) -> Floats:
        """Return levels, a row a draw."""
        levels = np.empty((draws, self.size))
        ends = np.full(draws, self.size)
        while (at := int(ends.max())) > 0:
            rows = np.flatnonzero(ends == at)
            ways = self._ways(at)
            chances = np.exp(ways - np.logaddexp.reduce(ways))
            starts = random.choice(at, size=len(rows), p=chances / chances.sum())
            weight = self._weight[at] - self._weight[starts]
            precision = weight + self.spread**-2
            means = (self._sum[at] - self._sum[starts]) / precision
            drawn = self.middle + means + random.standard_normal(len(rows)) / np.sqrt(precision)
            inside = np.arange(at) >= starts[:, None]
            levels[rows, :at] = np.where(inside, drawn[:, None], levels[rows, :at])
            ends[rows] = starts
        return levels
