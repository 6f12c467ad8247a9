"""Runs, as far as traces tell of them: which experiment a run's traces lie in.

MLflow's client asks for that before it searches the traces of a run. Nothing else is known of a run
and nothing else is said; one that no trace names is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from whence.errors import NotFoundError
from whence.query.search import search_traces
from whence.server.mlflow.requests import MAX_SHOWN_CHARS, missing, read_fields
from whence.server.mlflow.routes import V2
from whence.server.replies import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What traces tell of a run."""

    run_id: str
    run_uuid: str
    experiment_id: str
    lifecycle_stage: str = "active"


class RunData(msgspec.Struct, frozen=True):
    """Metrics, parameters and tags of a run: not known here."""


class Run(msgspec.Struct, frozen=True):
    """A run."""

    info: RunInfo
    data: RunData


class OneRun(msgspec.Struct, frozen=True):
    """The answer to a question about one."""

    run: Run


def add_runs(routes: Routes, services: Services) -> None:
    """Answer in which experiment a run's traces lie."""

    async def get_run(request: Request) -> Response:
        fields = await read_fields(services, request)
        run_id = fields.text("run_id") or fields.text("run_uuid")
        if not run_id:
            raise missing("run_id")
        experiment_id = await services.read(_find_experiment, services, run_id)
        info = RunInfo(run_id=run_id, run_uuid=run_id, experiment_id=experiment_id)
        return reply(OneRun(Run(info, RunData())))

    routes.add("GET", "/runs/get", get_run, versions=(V2,))


def _find_experiment(services: Services, run_id: str) -> str:
    """Return the experiment of the newest trace of a run, or raise NotFoundError."""
    quote = '"' if "'" in run_id else "'"
    if quote not in run_id:
        text = f"run_id = {quote}{run_id}{quote}"
        page = search_traces(services.store, filter_string=text, max_results=1)
        for info in page.traces:
            return info.experiment_id
    raise NotFoundError(
        f"Run with id={run_id[:MAX_SHOWN_CHARS]} not found: this is a Whence server, which knows "
        "of runs what its traces tell, and no trace names this one"
    )
