"""Experiments: what groups traces. The id follows from the name, so creating is idempotent.

Deleting one hides it and refuses MLflow clients' headers of new traces in it; its traces stay, and
restoring takes it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.query.experiments import View, find_experiments
from whence.server.api.payloads import DONE, Empty, read_struct
from whence.server.api.tags import TagValue
from whence.server.openapi import answers, takes
from whence.server.replies import reply
from whence.store.experiments import read_experiments

if TYPE_CHECKING:
    from whence.server.services import Services
    from whence.store.rows import ExperimentRow

MISSING = "There is no such experiment"


class Experiment(msgspec.Struct, kw_only=True):
    """An experiment; `lifecycle_stage` is `active` or `deleted`, times are milliseconds."""

    experiment_id: str
    name: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    tags: dict[str, str]


class ExperimentList(msgspec.Struct):
    """Experiments; the oldest first where no order was asked for."""

    experiments: list[Experiment]


class NewExperiment(msgspec.Struct, forbid_unknown_fields=True):
    """The experiment to create, or to get where it exists."""

    name: str


class ExperimentChange(msgspec.Struct, forbid_unknown_fields=True):
    """The name that an experiment gets."""

    name: str


class ExperimentQuestion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which experiments to find, by a filter over name, experiment_id, times and tags."""

    filter_string: str = ""
    order_by: list[str] = []
    view: View = "active"


def experiments_router(services: Services) -> APIRouter:
    """List, find, create and change experiments."""
    router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])
    _add_reading(router, services)
    _add_changes(router, services)
    _add_tags(router, services)
    return router


def _add_reading(router: APIRouter, services: Services) -> None:
    @router.get("", operation_id="list_experiments", responses=answers(ExperimentList))
    async def list_experiments() -> Response:
        rows = await services.read(read_experiments, services.store)
        return reply(ExperimentList([_view(row) for row in rows]))

    @router.post(
        "/search",
        operation_id="search_experiments",
        responses=answers(ExperimentList),
        openapi_extra=takes(ExperimentQuestion),
    )
    async def search_experiments(request: Request) -> Response:
        question = await read_struct(services, request, ExperimentQuestion)
        page = await services.read(
            find_experiments,
            services.store,
            filter_string=question.filter_string,
            order_by=question.order_by,
            view=question.view,
        )
        return reply(ExperimentList([_view(row) for row in page.experiments]))


def _add_changes(router: APIRouter, services: Services) -> None:
    @router.post(
        "",
        operation_id="create_experiment",
        responses=answers(Experiment),
        openapi_extra=takes(NewExperiment),
    )
    async def create_experiment(request: Request) -> Response:
        new = await read_struct(services, request, NewExperiment)
        return reply(_view(await services.edit(services.ingestor.create_experiment, new.name)))

    @router.patch(
        "/{experiment_id}",
        operation_id="rename_experiment",
        responses=answers(Empty, missing=MISSING),
        openapi_extra=takes(ExperimentChange),
    )
    async def rename_experiment(request: Request, experiment_id: str) -> Response:
        change = await read_struct(services, request, ExperimentChange)
        await services.edit(services.ingestor.rename_experiment, experiment_id, change.name)
        return reply(DONE)

    @router.delete(
        "/{experiment_id}",
        operation_id="delete_experiment",
        responses=answers(Empty, missing=MISSING),
    )
    async def delete_experiment(experiment_id: str) -> Response:
        await services.edit(services.ingestor.delete_experiment, experiment_id)
        return reply(DONE)

    @router.post(
        "/{experiment_id}/restore",
        operation_id="restore_experiment",
        responses=answers(Empty, missing=MISSING),
    )
    async def restore_experiment(experiment_id: str) -> Response:
        await services.edit(services.ingestor.restore_experiment, experiment_id)
        return reply(DONE)


def _add_tags(router: APIRouter, services: Services) -> None:
    @router.put(
        "/{experiment_id}/tags/{key:path}",
        operation_id="set_experiment_tag",
        responses=answers(Empty, missing=MISSING),
        openapi_extra=takes(TagValue),
    )
    async def set_experiment_tag(request: Request, experiment_id: str, key: str) -> Response:
        tag = await read_struct(services, request, TagValue)
        await services.edit(services.ingestor.tag_experiment, experiment_id, {key: tag.value})
        return reply(DONE)

    @router.delete(
        "/{experiment_id}/tags/{key:path}",
        operation_id="delete_experiment_tag",
        responses=answers(Empty, missing="There is no such experiment, or it has no such tag"),
    )
    async def delete_experiment_tag(experiment_id: str, key: str) -> Response:
        await services.edit(services.ingestor.tag_experiment, experiment_id, {key: None})
        return reply(DONE)


def _view(row: ExperimentRow) -> Experiment:
    return Experiment(
        experiment_id=row.experiment_id,
        name=row.name,
        lifecycle_stage=row.lifecycle_stage,
        creation_time=row.created_ms,
        last_update_time=row.updated_ms,
        tags=dict(row.tags),
    )
