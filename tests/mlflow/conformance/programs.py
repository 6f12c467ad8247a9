"""Programs written for MLflow's tracing API, run by either of two modules.

`programs.py MODULE NAME...` imports MODULE as `mlflow`, runs the programs of `recording` and
`reading`, each in an experiment of its own name, and prints `{name: {"returned": …, "traces": […]}}`
as read back.
"""

from __future__ import annotations

import json
import sys

import reading
import recording
from road import mlflow

PROGRAMS = {
    name: value
    for module in (recording, reading)
    for name, value in vars(module).items()
    if callable(value) and getattr(value, "__module__", "") == module.__name__ and name.islower()
}


def read_back(experiment_id: str) -> list[dict]:
    traces = mlflow.search_traces(
        locations=[experiment_id], order_by=["timestamp ASC"], return_type="list"
    )
    return [trace.to_dict() for trace in traces]


def main(names: list[str]) -> None:
    found = {}
    for name in names or PROGRAMS:
        experiment = mlflow.set_experiment(f"conformance-{name}")
        try:
            returned = PROGRAMS[name]()
        except Exception as error:
            returned = f"raised {error!r}"
        mlflow.flush_trace_async_logging()
        found[name] = {"returned": returned, "traces": read_back(experiment.experiment_id)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[2:])
