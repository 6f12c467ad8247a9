"""The application: every router put together, behind the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from whence.server.api.assessments import assessments_router
from whence.server.api.bisect import bisect_router
from whence.server.api.compare import compare_router, trace_diff_router
from whence.server.api.documents import documents_router
from whence.server.api.environments import environments_router
from whence.server.api.experiments import experiments_router
from whence.server.api.facets import facets_router
from whence.server.api.fields import fields_router
from whence.server.api.findings import findings_router
from whence.server.api.intake import intake_router
from whence.server.api.live import live_router
from whence.server.api.moves import moves_router
from whence.server.api.saved_views import saved_views_router
from whence.server.api.series import series_router
from whence.server.api.sessions import sessions_router
from whence.server.api.tags import tags_router
from whence.server.api.timeline import timeline_router
from whence.server.api.traces import traces_router
from whence.server.api.versions import versions_router
from whence.server.api.webhooks import webhooks_router
from whence.server.health import health_router
from whence.server.mlflow.router import mlflow_router
from whence.server.openapi import OPENAPI_PATH, add_openapi
from whence.server.otlp import otlp_router
from whence.server.pages import pages_router
from whence.server.problems import add_problem_handlers
from whence.server.requests import Requests
from whence.server.security import Guard
from whence.server.services import VERSION

if TYPE_CHECKING:
    from whence.server.services import Services

# One line for each noun; a new router is added here. The first route that fits a path takes it: the
# tail (`/traces/live`) stands before the traces (`/traces/{trace_id}`), and the pages come last.
ROUTERS = (
    health_router,
    otlp_router,
    live_router,
    moves_router,
    traces_router,
    tags_router,
    assessments_router,
    documents_router,
    experiments_router,
    fields_router,
    facets_router,
    series_router,
    sessions_router,
    saved_views_router,
    versions_router,
    environments_router,
    timeline_router,
    bisect_router,
    compare_router,
    trace_diff_router,
    findings_router,
    webhooks_router,
    intake_router,
    mlflow_router,
)


def create_app(services: Services) -> FastAPI:
    """Build the ASGI application of a running server."""
    app = FastAPI(
        title="Whence",
        version=VERSION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for make_router in ROUTERS:
        app.include_router(make_router(services))
    app.include_router(pages_router())
    add_problem_handlers(app)
    add_openapi(app)
    # The last one added is the first to see a request.
    app.add_middleware(Guard, settings=services.settings)
    app.add_middleware(Requests, activity=services.activity)
    return app
