"""Experiments: what groups traces. The id follows from the name, so creating is idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.server.api.payloads import read_struct
from whence.server.openapi import answers, takes
from whence.server.replies import reply
from whence.store.experiments import read_experiments

if TYPE_CHECKING:
    from whence.server.services import Services
    from whence.store.rows import ExperimentRow


class Experiment(msgspec.Struct, kw_only=True):
    """An experiment; `lifecycle_stage` is `active` or `deleted`."""

    experiment_id: str
    name: str
    lifecycle_stage: str


class ExperimentList(msgspec.Struct):
    """Every experiment, the oldest first."""

    experiments: list[Experiment]


class NewExperiment(msgspec.Struct, forbid_unknown_fields=True):
    """The experiment to create, or to get where it exists."""

    name: str


def experiments_router(services: Services) -> APIRouter:
    """List and create experiments."""
    router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])

    @router.get("", operation_id="list_experiments", responses=answers(ExperimentList))
    async def list_experiments() -> Response:
        rows = await services.read(read_experiments, services.store)
        return reply(ExperimentList([_view(row) for row in rows]))

    @router.post(
        "",
        operation_id="create_experiment",
        responses=answers(Experiment),
        openapi_extra=takes(NewExperiment),
    )
    async def create_experiment(request: Request) -> Response:
        new = await read_struct(services, request, NewExperiment)
        return reply(_view(await services.edit(services.ingestor.create_experiment, new.name)))

    return router


def _view(row: ExperimentRow) -> Experiment:
    return Experiment(
        experiment_id=row.experiment_id, name=row.name, lifecycle_stage=row.lifecycle_stage
    )
