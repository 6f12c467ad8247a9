"""Experiments: create, read, search, rename, delete, restore, tag.

The id of an experiment follows from its name. A deleted experiment refuses new headers; its traces
stay readable and searchable. `artifact_location` is accepted and means nothing: files of traces lie
in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from whence.errors import InvalidInputError, NotFoundError
from whence.query.experiments import find_experiments
from whence.server.api.payloads import DONE
from whence.server.mlflow.infos import Pair, write_pairs
from whence.server.mlflow.requests import need_experiment_id, read_fields, refuse
from whence.server.mlflow.routes import V2
from whence.server.replies import reply
from whence.store.experiments import read_experiments

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.query.experiments import View
    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services
    from whence.store.rows import ExperimentRow

DEFAULT_MAX_RESULTS, MAX_MAX_RESULTS = 1000, 50_000
VIEWS: dict[str | int | None, View] = {
    None: "active",
    "ACTIVE_ONLY": "active",
    "DELETED_ONLY": "deleted",
    "ALL": "all",
    1: "active",
    2: "deleted",
    3: "all",
}


class WireExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as MLflow's client reads it; times are milliseconds."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[Pair] | UnsetType = UNSET
    workspace: str = "default"


class OneExperiment(msgspec.Struct, frozen=True):
    """The answer to a question about one."""

    experiment: WireExperiment


class CreatedExperiment(msgspec.Struct, frozen=True):
    """The id of a new one."""

    experiment_id: str


class FoundExperiments(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of experiments; empty lists are left out."""

    experiments: list[WireExperiment] = []
    next_page_token: str | UnsetType = UNSET


def add_experiments(routes: Routes, services: Services) -> None:
    """Answer what is asked of experiments."""
    _add_reading(routes, services)
    _add_changes(routes, services)


def _add_reading(routes: Routes, services: Services) -> None:
    async def get_experiment(request: Request) -> Response:
        wanted = need_experiment_id(await read_fields(services, request))
        rows = await services.read(read_experiments, services.store)
        for row in rows:
            if row.experiment_id == wanted:
                return reply(OneExperiment(write_experiment(row)))
        raise NotFoundError(f"No Experiment with id={wanted} exists")

    async def get_by_name(request: Request) -> Response:
        wanted = (await read_fields(services, request)).need_text("experiment_name")
        rows = await services.read(read_experiments, services.store)
        for row in rows:
            if row.name == wanted:
                return reply(OneExperiment(write_experiment(row)))
        raise NotFoundError(f"Could not find experiment with name '{wanted}'")

    async def search(request: Request) -> Response:
        fields = await read_fields(services, request)
        page = await services.read(
            find_experiments,
            services.store,
            filter_string=fields.text("filter"),
            order_by=fields.texts("order_by"),
            view=_read_view(fields),
            max_results=_read_max_results(fields),
            page_token=fields.text("page_token"),
        )
        return reply(
            FoundExperiments(
                [write_experiment(row) for row in page.experiments], page.next_token or UNSET
            )
        )

    routes.add("GET", "/experiments/get", get_experiment, versions=(V2,))
    routes.add("GET", "/experiments/get-by-name", get_by_name, versions=(V2,))
    routes.add(("GET", "POST"), "/experiments/search", search, versions=(V2,))


def _add_changes(routes: Routes, services: Services) -> None:
    async def create(request: Request) -> Response:
        fields = await read_fields(services, request)
        name, tags = fields.need_text("name"), fields.pairs("tags")
        row = await services.edit(services.ingestor.add_experiment, name, tags)
        return reply(CreatedExperiment(row.experiment_id))

    async def rename(request: Request) -> Response:
        fields = await read_fields(services, request)
        experiment_id, name = need_experiment_id(fields), fields.need_text("new_name")
        await services.edit(services.ingestor.rename_experiment, experiment_id, name)
        return reply(DONE)

    async def delete(request: Request) -> Response:
        experiment_id = need_experiment_id(await read_fields(services, request))
        await services.edit(services.ingestor.delete_experiment, experiment_id)
        return reply(DONE)

    async def restore(request: Request) -> Response:
        experiment_id = need_experiment_id(await read_fields(services, request))
        await services.edit(services.ingestor.restore_experiment, experiment_id)
        return reply(DONE)

    async def set_tag(request: Request) -> Response:
        fields = await read_fields(services, request)
        tag = {fields.need_text("key"): fields.text("value") or ""}
        await services.edit(services.ingestor.tag_experiment, need_experiment_id(fields), tag)
        return reply(DONE)

    async def delete_tag(request: Request) -> Response:
        fields = await read_fields(services, request)
        tag = {fields.need_text("key"): None}
        await services.edit(services.ingestor.tag_experiment, need_experiment_id(fields), tag)
        return reply(DONE)

    for path, endpoint in {
        "create": create,
        "update": rename,
        "delete": delete,
        "restore": restore,
        "set-experiment-tag": set_tag,
        "delete-experiment-tag": delete_tag,
    }.items():
        routes.add("POST", f"/experiments/{path}", endpoint, versions=(V2,))


def write_experiment(row: ExperimentRow) -> WireExperiment:
    """Return an experiment in MLflow's form."""
    return WireExperiment(
        experiment_id=row.experiment_id,
        name=row.name,
        artifact_location=f"mlflow-artifacts:/{row.experiment_id}",
        lifecycle_stage=row.lifecycle_stage,
        last_update_time=row.updated_ms,
        creation_time=row.created_ms,
        tags=write_pairs(row.tags) or UNSET,
    )


def _read_view(fields: Fields) -> View:
    given = fields.raw("view_type")
    if not isinstance(given, str | int | None) or given not in VIEWS:
        raise refuse("view_type", given, "ACTIVE_ONLY, DELETED_ONLY or ALL is expected")
    return VIEWS[given]


def _read_max_results(fields: Fields) -> int:
    given = fields.integer("max_results")
    if given is None:
        return DEFAULT_MAX_RESULTS
    if given < 1:
        raise refuse("max_results", given, "It must be a positive integer")
    if given > MAX_MAX_RESULTS:
        raise InvalidInputError(
            f"Invalid value {given} for parameter 'max_results' supplied. "
            f"It must be at most {MAX_MAX_RESULTS}"
        )
    return given
