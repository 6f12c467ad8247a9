"""The experiments known to this process, so that each is stored once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.entities import experiment_id_of
from whence.errors import InvalidInputError
from whence.semconv import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME
from whence.store.experiments import read_experiments
from whence.store.rows import ExperimentRow

if TYPE_CHECKING:
    from whence.store.connection import Store

ACTIVE, DELETED = "active", "deleted"
MAX_EXPERIMENT_DIGITS = 20


class ExperimentCache:
    """Experiment rows by id. For the writer's thread only, after it was made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, ExperimentRow] = {}
        self.reload()

    def reload(self) -> None:
        """Read what is stored, as after an insert that failed."""
        self._known = {row.experiment_id: row for row in read_experiments(self._store)}

    def refresh(self) -> None:
        """Read what another server may have changed; of two rows the newer one counts."""
        for row in read_experiments(self._store):
            known = self._known.get(row.experiment_id)
            if known is None or known.version < row.version:
                self._known[row.experiment_id] = row

    def put(self, row: ExperimentRow) -> None:
        """Know this row in place of the one before."""
        self._known[row.experiment_id] = row

    def get(self, experiment_id: str) -> ExperimentRow | None:
        """Return a known experiment."""
        return self._known.get(experiment_id)

    def learn(self, experiment_id: str, name: str, version: int) -> ExperimentRow | None:
        """Return the row to store, or None where nothing is new.

        An experiment that was only ever named by its id bears the id as its name until a better
        one arrives; a name never changes otherwise.
        """
        if not self.is_news(experiment_id, name):
            return None
        if not name and experiment_id == DEFAULT_EXPERIMENT_ID:
            name = DEFAULT_EXPERIMENT_NAME
        known = self._known.get(experiment_id)
        now_ms = time.time_ns() // 1_000_000
        row = msgspec.structs.replace(
            known or ExperimentRow(experiment_id=experiment_id, created_ms=now_ms),
            name=name or experiment_id,
            updated_ms=now_ms,
            version=version,
        )
        self._known[experiment_id] = row
        return row

    def is_news(self, experiment_id: str, name: str) -> bool:
        """Tell whether `learn` would return a row."""
        if not name and experiment_id == DEFAULT_EXPERIMENT_ID:
            name = DEFAULT_EXPERIMENT_NAME
        known = self._known.get(experiment_id)
        return known is None or (bool(name) and known.name == experiment_id and name != known.name)

    def find_by_name(self, name: str) -> ExperimentRow | None:
        """Return the experiment of this name; the one whose id is made of the name first."""
        known = self._known.get(experiment_id_of(name))
        if known is not None and known.name == name:
            return known
        return next((row for row in self._known.values() if row.name == name), None)


def is_experiment_id(text: str) -> bool:
    """Tell whether an experiment may have this id, which is a decimal number."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_EXPERIMENT_DIGITS


def check_active(experiments: ExperimentCache, experiment_id: str) -> None:
    """Raise InvalidInputError where an experiment has been deleted."""
    row = experiments.get(experiment_id)
    if row is not None and row.lifecycle_stage == DELETED:
        raise InvalidInputError(
            f"The experiment {experiment_id} must be in the 'active' state. "
            "Current state is deleted."
        )
