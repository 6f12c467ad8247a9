"""Edits of experiments: create, rename, delete, restore, tags. Each reads what others changed.

Deleting hides an experiment and refuses headers of traces in it; its traces stay, and so do their
spans, which may still arrive. Restoring takes that back. A name belongs to one experiment, also
while that is deleted. The id follows from the name; an experiment that is named as one was before
it was renamed gets another id.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from whence.entities import experiment_id_of
from whence.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError
from whence.ingest.experiments import ACTIVE, DELETED, check_active
from whence.store.rows import ExperimentRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.ingest.group import Group

MAX_NAMESAKES = 1000


class CreateExperiment:
    """Create an experiment. One of that name is what was asked for, unless it must be `new`."""

    def __init__(
        self, name: str, tags: Mapping[str, str] | None = None, *, new: bool = False
    ) -> None:
        self._name = name
        self._tags = dict(tags or {})
        self._new = new

    def apply(self, group: Group) -> None:
        """Stage the row where it is new."""
        group.experiments.refresh()
        known = group.experiments.find_by_name(self._name)
        if known is None:
            now_ms = time.time_ns() // 1_000_000
            group.add_experiment(
                ExperimentRow(
                    experiment_id=_choose_id(group, self._name),
                    name=self._name,
                    created_ms=now_ms,
                    updated_ms=now_ms,
                    tags=self._tags,
                    version=group.clock.tick(),
                )
            )
        elif self._new:
            raise AlreadyExistsError(
                f"Experiment(name={self._name}) already exists; its id is {known.experiment_id} "
                f"and it is {known.lifecycle_stage}"
            )

    def finish(self, group: Group) -> ExperimentRow:
        """Return the experiment."""
        row = group.experiments.find_by_name(self._name)
        if row is None:
            raise ConflictError(f"experiment {self._name!r} was renamed at the same moment")
        return row


class KeepExperiment:
    """See to it that an experiment of this id is there, whatever it is called now."""

    def __init__(self, experiment_id: str, name: str) -> None:
        self._experiment_id = experiment_id
        self._name = name

    def apply(self, group: Group) -> None:
        """Stage the row where the id is new."""
        if group.experiments.get(self._experiment_id) is None:
            group.learn_experiment(self._experiment_id, self._name)

    def finish(self, group: Group) -> None:
        """Nothing more to say."""


class EditExperiment:
    """Change an experiment that is there."""

    def __init__(self, experiment_id: str) -> None:
        self._experiment_id = experiment_id

    def apply(self, group: Group) -> None:
        """Stage the changed row."""
        group.experiments.refresh()
        row = group.experiments.get(self._experiment_id)
        if row is None:
            raise self.missing()
        changed = self.change(group, row)
        now_ms = max(time.time_ns() // 1_000_000, row.updated_ms)
        group.add_experiment(
            msgspec.structs.replace(changed, updated_ms=now_ms, version=group.clock.tick())
        )

    def change(self, group: Group, row: ExperimentRow) -> ExperimentRow:
        """Return the row as it shall be, or raise."""
        raise NotImplementedError

    def finish(self, group: Group) -> None:
        """Nothing more to say."""

    def missing(self) -> NotFoundError:
        """Return the error for an experiment that isn't there."""
        return NotFoundError(f"No Experiment with id={self._experiment_id} exists")


class RenameExperiment(EditExperiment):
    """Give an active experiment another name that nobody has."""

    def __init__(self, experiment_id: str, name: str) -> None:
        super().__init__(experiment_id)
        self._name = name

    def change(self, group: Group, row: ExperimentRow) -> ExperimentRow:
        """Return the row with the name."""
        check_active(group.experiments, row.experiment_id)
        holder = group.experiments.find_by_name(self._name)
        if holder is not None and holder.experiment_id != row.experiment_id:
            raise AlreadyExistsError(
                f"Experiment(name={self._name}) already exists; its id is {holder.experiment_id}"
            )
        return msgspec.structs.replace(row, name=self._name)


class MoveExperiment(EditExperiment):
    """Delete an active experiment, or restore a deleted one."""

    def __init__(self, experiment_id: str, *, deleted: bool) -> None:
        super().__init__(experiment_id)
        self._from, self._to = (ACTIVE, DELETED) if deleted else (DELETED, ACTIVE)

    def change(self, group: Group, row: ExperimentRow) -> ExperimentRow:
        """Return the row in its other stage."""
        del group
        if row.lifecycle_stage != self._from:
            raise self.missing()
        return msgspec.structs.replace(row, lifecycle_stage=self._to)


class TagExperiment(EditExperiment):
    """Set tags of an active experiment; None deletes one, which must be there."""

    def __init__(self, experiment_id: str, tags: Mapping[str, str | None]) -> None:
        super().__init__(experiment_id)
        self._tags = tags

    def change(self, group: Group, row: ExperimentRow) -> ExperimentRow:
        """Return the row with its tags changed."""
        check_active(group.experiments, row.experiment_id)
        tags = dict(row.tags)
        for key, value in self._tags.items():
            if value is not None:
                tags[key] = value
            elif tags.pop(key, None) is None:
                raise NotFoundError(
                    f"No tag with name: {key} in experiment with id {row.experiment_id}"
                )
        return msgspec.structs.replace(row, tags=tags)


def check_name(name: str) -> str:
    """Return a name that an experiment may have, or raise."""
    if not name.strip():
        raise InvalidInputError("an experiment's name may not be empty")
    return name


def _choose_id(group: Group, name: str) -> str:
    """Return the id that follows from the name, or another where that one is taken."""
    for number in range(MAX_NAMESAKES):
        experiment_id = experiment_id_of(f"{name}\0{number}" if number else name)
        if group.experiments.get(experiment_id) is None:
            return experiment_id
    raise ConflictError(f"{MAX_NAMESAKES} experiments have been called {name!r} already")
