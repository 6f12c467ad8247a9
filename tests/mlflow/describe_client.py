"""What the installed MLflow client offers, as JSON: run it in a process of its own."""

from __future__ import annotations

import inspect
import json
from enum import Enum

import mlflow.entities
import mlflow.entities.trace_location
import mlflow.tracing
from mlflow.entities import Span, Trace, TraceInfo
from mlflow.entities.span import LiveSpan

import mlflow

OWNERS = {
    "whence": mlflow,
    "whence.tracing": mlflow.tracing,
    "MlflowClient": mlflow.MlflowClient,
    "whence.entities": mlflow.entities,
    "Span": Span,
    "LiveSpan": LiveSpan,
    "Trace": Trace,
    "TraceInfo": TraceInfo,
}


def describe(value: object) -> list[list[object]] | None:
    """Return [name, kind, default as text] of every parameter; None where there are none to know."""
    if not callable(value) or (inspect.isclass(value) and issubclass(value, Enum)):
        return None
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        [one.name, one.kind.name, None if one.default is one.empty else repr(one.default)]
        for one in parameters
    ]


found = {
    owner: {
        name: describe(getattr(place, name, None))
        for name in dir(place)
        if not name.startswith("_")
    }
    for owner, place in OWNERS.items()
}
found["tracing.__all__"] = list(mlflow.tracing.__all__)
found["mlflow.__all__"] = list(mlflow.__all__)
locations = mlflow.entities.trace_location
found["whence.entities"]["MlflowExperimentLocation"] = describe(locations.MlflowExperimentLocation)
print(json.dumps(found))
