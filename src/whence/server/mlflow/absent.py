"""What MLflow's server does and this one does not: 501, in the error form that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from whence.errors import NotOfferedError
from whence.server.mlflow.requests import MAX_SHOWN_CHARS
from whence.server.mlflow.routes import ALL_METHODS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from whence.server.mlflow.routes import Routes

# How a path below a prefix begins, and what it is about.
NOUNS: tuple[tuple[str, str], ...] = (
    ("runs", "runs"),
    ("metrics", "metrics of runs"),
    ("artifacts", "files of runs"),
    ("upload-artifact", "files of runs"),
    ("get-artifact", "files of runs"),
    ("logged-models", "models"),
    ("registered-models", "a model or prompt registry"),
    ("model-versions", "a model or prompt registry"),
    ("datasets", "datasets"),
    ("webhooks", "webhooks"),
    ("issues", "issues, only references to them"),
    ("scorers", "scorers"),
    ("gateway", "a gateway"),
    ("workspaces", "workspaces"),
)


# Outside of `/api`: the files of runs and models, and the gateway.
PLAIN = ("/get-artifact", "/model-versions/get-artifact", "/gateway", "/gateway/{path:path}")


def add_absent(routes: Routes) -> None:
    """Answer all that no endpoint before took."""

    async def refuse(request: Request) -> Response:
        _refuse(request.method, request.path_params["rest"], request.url.path)

    for area in ("mlflow", "mlflow-artifacts"):
        routes.add(ALL_METHODS, "/{rest:path}", refuse, area=area)

    async def refuse_plain(request: Request) -> Response:
        path = request.url.path
        _refuse(request.method, path.lstrip("/"), path)

    for path in PLAIN:
        routes.add_plain(ALL_METHODS, path, refuse_plain)


def _refuse(method: str, rest: str, path: str) -> NoReturn:
    noun = next((noun for word, noun in NOUNS if rest.startswith(word)), None)
    absence = f", and keeps no {noun}" if noun else ""
    raise NotOfferedError(
        f"{method} {path[:MAX_SHOWN_CHARS]} is not offered: this is a Whence server, which keeps "
        f"traces and answers MLflow's tracing API{absence}. Keep an MLflow server for the rest, "
        "and send traces here"
    )
