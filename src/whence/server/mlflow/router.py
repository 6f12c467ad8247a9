"""The routes of all nouns put together, those that no noun has refused at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from whence.server.mlflow.about import add_about
from whence.server.mlflow.absent import add_absent
from whence.server.mlflow.artifacts import add_artifacts
from whence.server.mlflow.assessments import add_assessments
from whence.server.mlflow.correlation import add_correlation
from whence.server.mlflow.deletion import add_deletion
from whence.server.mlflow.experiments import add_experiments
from whence.server.mlflow.headers import add_headers
from whence.server.mlflow.legacy import add_legacy
from whence.server.mlflow.links import add_links
from whence.server.mlflow.routes import Routes
from whence.server.mlflow.runs import add_runs
from whence.server.mlflow.search import add_search
from whence.server.mlflow.tags import add_tags
from whence.server.mlflow.traces import add_traces

if TYPE_CHECKING:
    from whence.server.services import Services

# The first route that fits takes a request, so fixed paths stand before those with ids in them.
NOUNS = (
    add_experiments,
    add_headers,
    add_search,
    add_correlation,
    add_deletion,
    add_links,
    add_artifacts,
    add_traces,
    add_tags,
    add_assessments,
    add_legacy,
    add_runs,
)


def mlflow_router(services: Services) -> APIRouter:
    """Answer unmodified MLflow clients."""
    router = APIRouter()
    routes = Routes(router)
    add_about(routes)
    for add_noun in NOUNS:
        add_noun(routes, services)
    add_absent(routes)
    return router
