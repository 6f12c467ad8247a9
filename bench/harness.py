"""What every scenario shares: its options, its figures, and rounds that alternate.

A scenario is a module of `bench/` with a `SCENARIO`. It measures by running processes (a server, a
sender, a traced program), each in the environment of what it measures, and returns figures: one
value for each round, so that the page can show medians and spread. `python -m bench` runs them.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure. `quick` only proves that everything runs; its times mean nothing."""

    quick: bool
    rounds: int
    work: Path  # for stores, environments and logs; emptied by nobody
    sizes: tuple[int, ...]  # traces in the stores that are searched
    peers: tuple[str, ...] = ()  # measured beside Whence, where a scenario knows how


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Something measured: `values` holds one number per round.

    `at_most` or `at_least` is the bound that the median must keep, where one is promised.
    `subject` is who was measured (`whence`, `mlflow`, …); `size` the traces in the store.
    Without values it was tried and failed, and `note` says how; it has no median then.
    """

    name: str
    subject: str
    unit: str
    values: list[float]
    at_most: float | None = None
    at_least: float | None = None
    size: int | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return min(self.values), max(self.values)

    @property
    def kept(self) -> bool | None:
        """Tell whether the median keeps its bound; None without a bound or without values."""
        if not self.values:
            return None
        if self.at_most is not None:
            return self.median <= self.at_most
        return None if self.at_least is None else self.median >= self.at_least


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One question about speed. `run` may yield its figures as they come."""

    name: str  # as of its module: `python -m bench --only NAME`
    title: str
    text: str  # one paragraph for the page: what is done, by whom, what is counted
    run: Callable[[Options], Iterable[Figure]]
    subjects: tuple[str, ...] = ("whence",)  # environments that it needs


def alternate(
    subjects: Iterable[T], rounds: int, *, warm_up: bool = True
) -> Iterator[tuple[int, T]]:
    """Yield (round, subject), the order turned round every time; round 0 is the warm-up."""
    order = list(subjects)
    for number in range(0 if warm_up else 1, rounds + 1):
        for subject in order if number % 2 else reversed(order):
            yield number, subject


def write_line(figure: Figure) -> str:
    """Return a figure as a line for the terminal."""
    size = f" at {figure.size:,}" if figure.size else ""
    what = f"  {figure.name + size:58} {figure.subject:14} "
    if not figure.values:
        return what + figure.note
    low, high = figure.spread
    kept = {None: "", True: "kept", False: "NOT KEPT"}[figure.kept]
    value = f"{figure.median:12.4g} {figure.unit} [{low:.4g} to {high:.4g}]"
    return f"{what}{value} {kept} {figure.note}".rstrip()
