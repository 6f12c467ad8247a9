"""Where the endpoints lie: one endpoint, all the paths by which clients of MLflow call it.

The paths are not in the OpenAPI document, which is of our own API; docs/mlflow.md lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]

FRONTS = ("/api", "/ajax-api")
V2, V3 = "2.0", "3.0"
BOTH = (V2, V3)
ALL_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Routes:
    """Puts endpoints into a router under all their paths. The first that fits is called."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router

    def add(
        self,
        methods: str | Iterable[str],
        path: str,
        endpoint: Endpoint,
        *,
        versions: Iterable[str] = BOTH,
        area: str = "mlflow",
    ) -> None:
        """Answer `path` below `/api/<version>/<area>`."""
        for version in versions:
            for front in FRONTS:
                self.add_plain(methods, f"{front}/{version}/{area}{path}", endpoint)

    def add_plain(self, methods: str | Iterable[str], path: str, endpoint: Endpoint) -> None:
        """Answer a whole path."""
        listed = [methods] if isinstance(methods, str) else list(methods)
        self._router.add_route(path, endpoint, methods=listed, include_in_schema=False)
