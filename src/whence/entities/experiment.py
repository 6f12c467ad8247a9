"""The place traces belong to: an experiment, and the locations that name one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from whence.entities.experiment_id import experiment_id_of
from whence.errors import InvalidInputError


@dataclass(frozen=True)
class Experiment:
    """A named set of traces. Times are milliseconds since the epoch."""

    experiment_id: str
    name: str
    lifecycle_stage: str = "active"
    artifact_location: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None

    @classmethod
    def named(cls, name: str) -> Experiment:
        """Return the experiment with this name; nothing is looked up."""
        return cls(experiment_id=experiment_id_of(name), name=name)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Experiment:
        """Read the REST form; keys that are not fields are ignored."""
        known = {key: data[key] for key in cls.__dataclass_fields__ if data.get(key) is not None}
        return cls(**known)


class TraceLocationType(str, Enum):
    """Where a trace may lie. Whence keeps all in experiments; the others are MLflow's words."""

    TRACE_LOCATION_TYPE_UNSPECIFIED = "TRACE_LOCATION_TYPE_UNSPECIFIED"
    MLFLOW_EXPERIMENT = "MLFLOW_EXPERIMENT"
    INFERENCE_TABLE = "INFERENCE_TABLE"
    UC_SCHEMA = "UC_SCHEMA"
    UC_TABLE_PREFIX = "UC_TABLE_PREFIX"

    def __str__(self) -> str:
        return self.value


@dataclass
class MlflowExperimentLocation:
    """An experiment, by its id."""

    experiment_id: str

    def to_dict(self) -> dict[str, str]:
        """Return MLflow's JSON form."""
        return {"experiment_id": self.experiment_id}


@dataclass
class TraceLocation:
    """Where a trace lies."""

    type: TraceLocationType
    mlflow_experiment: MlflowExperimentLocation | None = None

    def __post_init__(self) -> None:
        self.type = TraceLocationType(self.type)
        if self.mlflow_experiment and self.type is not TraceLocationType.MLFLOW_EXPERIMENT:
            msg = f"A location of type {self.type} can't name an experiment."
            raise InvalidInputError(msg)

    @classmethod
    def from_experiment_id(cls, experiment_id: str) -> TraceLocation:
        """Return the location that is this experiment."""
        return cls(
            type=TraceLocationType.MLFLOW_EXPERIMENT,
            mlflow_experiment=MlflowExperimentLocation(experiment_id=experiment_id),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TraceLocation:
        """Read MLflow's JSON form."""
        experiment = data.get("mlflow_experiment")
        return cls(
            type=TraceLocationType(data["type"]),
            mlflow_experiment=MlflowExperimentLocation(str(experiment["experiment_id"]))
            if experiment
            else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form."""
        form: dict[str, Any] = {"type": self.type.value}
        if self.mlflow_experiment is not None:
            form["mlflow_experiment"] = self.mlflow_experiment.to_dict()
        return form
