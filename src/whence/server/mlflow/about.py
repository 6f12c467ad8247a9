"""What the server says of itself: the version that decides whether a client sends spans at all.

Clients of MLflow send spans to servers that call themselves 3.4 or later, so `GET /version` names a
version of MLflow whose requests this server answers. Whence's own is at `/health`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import PlainTextResponse, Response

from whence.server.mlflow.routes import V3
from whence.server.replies import reply
from whence.server.services import VERSION

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes

SPOKEN_VERSION = "3.18.0"


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks before it uploads a file or names a workspace."""

    store_type: str = "Whence"
    whence_version: str = VERSION
    workspaces_enabled: bool = False
    trace_archival_enabled: bool = False
    multipart_uploads_enabled: bool = False
    multipart_downloads_enabled: bool = False
    artifact_serving_enabled: bool = True


def add_about(routes: Routes) -> None:
    """Answer who this is."""

    async def get_version(_: Request) -> Response:
        return PlainTextResponse(SPOKEN_VERSION)

    async def get_server_info(_: Request) -> Response:
        return reply(ServerInfo())

    routes.add_plain("GET", "/version", get_version)
    routes.add("GET", "/server-info", get_server_info, versions=(V3,))
