"""What happens around every request: its id, the activity it counts as, its log lines.

The id is the client's `x-request-id` where that is short and plain, else a new one. An exception
that nothing answered becomes a 500 that names the id and nothing else.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from whence.server.log import FIELDS, access_logger, logger
from whence.server.problems import answer_problem
from whence.server.security import COMMON_HEADERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from whence.server.activity import Activity

PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
HEALTH_PATH = "/health"


class Requests:
    """The outermost ASGI middleware."""

    def __init__(self, app: ASGIApp, activity: Activity) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id, run it, and answer what it left unanswered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if PLAIN_ID.fullmatch(given) else uuid.uuid4().hex
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        counted = scope["path"] != HEALTH_PATH
        status = 0
        started = time.perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in COMMON_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if counted:
            self._activity.begin()
        try:
            await self._app(scope, receive, send_named)
        except ClientDisconnect:
            pass  # nobody is left to be told
        except Exception:
            logger.exception("a request failed", extra={FIELDS: _fields(scope, request_id, status)})
            if status:
                raise
            message = f"the server failed on this request; its log tells more under {request_id}"
            await answer_problem(scope, 500, message)(scope, receive, send_named)
        finally:
            if counted:
                self._activity.end()
            elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
            fields = {**_fields(scope, request_id, status), "elapsed_ms": elapsed_ms}
            access_logger.info("request", extra={FIELDS: fields})


def _fields(scope: Scope, request_id: str, status: int) -> dict[str, object]:
    return {
        "request_id": request_id,
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
    }
