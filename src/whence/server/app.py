"""The application: every router put together, behind the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from whence.server.health import health_router
from whence.server.openapi import OPENAPI_PATH, add_openapi
from whence.server.otlp import otlp_router
from whence.server.pages import pages_router
from whence.server.problems import add_problem_handlers
from whence.server.requests import Requests
from whence.server.security import Guard
from whence.server.services import VERSION

if TYPE_CHECKING:
    from whence.server.services import Services

# One line for each noun of the API; a new router is added here. The pages' comes last: it takes
# every path that is left.
ROUTERS = (health_router, otlp_router)


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
