"""The SQL of the two sides of a comparison, on `traces` and `open_traces`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.query.compile import compile_filter
from whence.query.coverage import MAX_MS, within

if TYPE_CHECKING:
    from whence.query.arms import NamedArm, Scope
    from whence.query.compile import Parameters
    from whence.query.filters import Filter


class ArmsSql(msgspec.Struct, frozen=True):
    """The SQL of both arms: what each has of its own, and what they share, told once."""

    baseline: str
    candidate: str
    shared: str

    @property
    def either(self) -> str:
        """The condition of a trace of either arm."""
        return f"(({self.baseline}) OR ({self.candidate})) AND {self.shared}"


def write_arms(arms: tuple[NamedArm, NamedArm], scope: Scope, parameters: Parameters) -> ArmsSql:
    """Return the exact SQL of both arms, with what they share evaluated once a row."""
    own = [compile_filter(arm.own, parameters, among="1") for arm in arms]
    return ArmsSql(own[0], own[1], f"({condition_of(arms[0].shared, scope, parameters)})")


def condition_of(tree: Filter | None, scope: Scope, parameters: Parameters) -> str:
    """Return the exact SQL condition of a filter, in the experiments and times of the scope."""
    where = [compile_filter(tree, parameters, among="1")]
    if scope.experiment_ids:
        ids = parameters.bind(list(scope.experiment_ids), "Array(String)")
        where.append(f"experiment_id IN {ids}")
    if scope.since_ms is not None or scope.until_ms is not None:
        since = max(0, scope.since_ms or 0)
        until = MAX_MS if scope.until_ms is None else scope.until_ms - 1
        where.append(within([((), since, until)], parameters))
    return " AND ".join(where)
