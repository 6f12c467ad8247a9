"""Errors as answers: every failure leaves the server as `{error_code, message, request_id}`.

`FilterError` adds `column`. Codes and statuses come from `whence.errors`; what no exception of ours
says (an unknown path, a wrong method, a bad query parameter) is translated here. An unexpected
exception is answered without its text, which stands in the log under the same request id.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from whence.errors import (
    FilterError,
    InvalidInputError,
    UnauthenticatedError,
    UnavailableError,
    WhenceError,
)

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import Scope

JSON = "application/json"
CODE_OF_STATUS = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "INVALID_PARAMETER_VALUE",
    421: "INVALID_PARAMETER_VALUE",
}


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of every answer that is not a success."""

    error_code: str
    message: str
    request_id: str
    column: int | None = None


def request_id_of(scope: Scope) -> str:
    """Return the id of a request, which the answer carries as `x-request-id` too."""
    return str(scope.get("state", {}).get("request_id", ""))


def answer_problem(
    scope: Scope,
    status: int,
    message: str,
    *,
    code: str | None = None,
    column: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Build the answer of a failed request."""
    problem = Problem(
        error_code=code or CODE_OF_STATUS.get(status, "INTERNAL_ERROR"),
        message=message,
        request_id=request_id_of(scope),
        column=column,
    )
    body = msgspec.json.encode(problem)
    return Response(body, status_code=status, media_type=JSON, headers=headers)


def answer_error(scope: Scope, error: WhenceError) -> Response:
    """Build the answer for one of our exceptions."""
    return answer_problem(
        scope,
        error.http_status,
        error.message,
        code=error.error_code,
        column=error.column if isinstance(error, FilterError) else None,
        headers=headers_of(error),
    )


def headers_of(error: WhenceError) -> dict[str, str]:
    """Return the headers that an error asks for: when to come back, how to authenticate."""
    if isinstance(error, UnavailableError):
        return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, UnauthenticatedError):
        return {"www-authenticate": "Bearer"}
    return {}


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_compiling = threading.Lock()  # one thread at a time: see `whence.otlp.json`


def _decoder_of(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    with _compiling:
        if kind not in _decoders:
            _decoders[kind] = msgspec.json.Decoder(kind)
        return _decoders[kind]


def read_json(body: bytes, kind: type[Any]) -> Any:
    """Decode a request's JSON into a struct; `InvalidInputError` names the place of a mistake."""
    try:
        return _decoder_of(kind).decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"the request body can't be read: {error}") from None


async def _on_whence_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, WhenceError):
        raise error
    return answer_error(request.scope, error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    messages = {
        404: f"no such path: {path}",
        405: f"{request.method} is not offered at {path}",
    }
    message = messages.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    return answer_problem(request.scope, error.status_code, message, headers=headers)


async def _on_bad_parameter(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = "; ".join(
        f"{' '.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    )
    return answer_problem(request.scope, 400, f"the request can't be read: {wrong}")


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every exception that reaches the application in our form."""
    app.add_exception_handler(WhenceError, _on_whence_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_parameter)
