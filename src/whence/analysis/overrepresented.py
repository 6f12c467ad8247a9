"""Which values the slow and the failed traces of the candidate have in common.

*Slow* is slower than 95 % of the baseline's traces of the same name, so that a name that is slow by
nature explains nothing. Looked at are at most `MAX_TRACES` traces, those with the lowest hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from whence.analysis.statistics.association import find_associations
from whence.entities.comparison import Overrepresented
from whence.query.compared_values import KeyCodes, read_values
from whence.query.filters import Comparison
from whence.query.vocabulary import Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whence.analysis.judge import Measured
    from whence.analysis.statistics.association import Association
    from whence.analysis.trace_filters import Filters
    from whence.query.arms import NamedArm, Scope
    from whence.query.population import Population
    from whence.store.connection import Store

MAX_TRACES = 20_000
SLOW = 0.95
LEAST_SELECTED = 20
LEAST_EXPLAINED = 0.05
SURE_Q = 0.05
MAX_EACH = 10


def read_candidates_values(
    store: Store, scope: Scope, candidate: NamedArm, population: Population
) -> tuple[NDArray[np.uint64], list[KeyCodes]]:
    """Read the values of the candidate's first `MAX_TRACES` traces, with the traces' keys."""
    chosen = _choose(population)
    if not len(chosen):
        return np.empty(0, np.uint64), []
    return read_values(store, scope, candidate, population, int(population.key[chosen[-1]]))


def _choose(population: Population) -> NDArray[np.int64]:
    return np.flatnonzero(population.is_candidate)[:MAX_TRACES]


def find_overrepresented(
    values: tuple[NDArray[np.uint64], list[KeyCodes]],
    population: Population,
    measured: Measured,
    filters: Filters,
) -> list[Overrepresented]:
    """Return values that explain a share of the selected traces, the largest first."""
    chosen = _choose(population)
    if not len(chosen):
        return []
    keys, fields = values
    places = np.searchsorted(population.key[chosen], keys)
    places = np.minimum(places, len(chosen) - 1)
    known = population.key[chosen][places] == keys
    rows = chosen[places[known]]
    fields = [KeyCodes(one.kind, one.key, one.codes[known], one.values) for one in fields]
    selections = {"slow": find_slow(population)[rows], "failed": population.failed[rows]}
    found: list[Overrepresented] = []
    for word, selected in selections.items():
        if np.count_nonzero(selected) < LEAST_SELECTED:
            continue
        associations = find_associations(
            selected, [one.codes for one in fields], measured.units[rows]
        )
        shown = [
            _view(one, fields, word, selected, filters)
            for one in associations
            if one.z > 0 and one.q_value < SURE_Q and one.explained >= LEAST_EXPLAINED
        ]
        found += shown[:MAX_EACH]
    return found


def find_slow(population: Population) -> NDArray[np.bool_]:
    """Return which traces are slower than 95 % of the baseline's of the same name."""
    names = population.labels["trace_name"].codes
    slow = np.zeros(population.size, dtype=np.bool_)
    baseline = ~population.is_candidate & np.isfinite(population.duration_ms)
    for name in np.unique(names):
        of_name = names == name
        durations = population.duration_ms[of_name & baseline]
        if len(durations):
            limit = np.quantile(durations, SLOW)
            slow |= of_name & (population.duration_ms > limit)
    return slow


def _view(
    one: Association,
    fields: list[KeyCodes],
    word: str,
    selected: NDArray[np.bool_],
    filters: Filters,
) -> Overrepresented:
    field = fields[one.key]
    value = field.values[one.value]
    count = int(np.count_nonzero(selected))
    rest = len(selected) - count
    named = Field(field.kind, field.key)
    return Overrepresented(
        selected=word,
        field="model" if field.kind == "span_attribute" else _name(field),
        value=value,
        support=one.support,
        share_selected=one.selected / count,
        share_rest=(one.support - one.selected) / max(1, rest),
        cramers_v=one.cramers_v,
        p_value=one.p_value,
        q_value=one.q_value,
        explained=one.explained,
        filter_string=filters.narrow(1, Comparison(named, "=", (value,))),
    )


def _name(field: KeyCodes) -> str:
    return f"metadata.{field.key}" if field.kind == "metadata" else field.key
