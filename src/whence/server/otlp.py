"""`POST /v1/traces`: OTLP/HTTP, protobuf and JSON. The answer comes once the spans are durable.

The answer, also an error's, is in the request's encoding: a protobuf request is refused with a
protobuf `google.rpc.Status`, as OTLP says; a JSON one with our error form, which is a `Status` too.

| status | when |
|---|---|
| 200 | stored; `partialSuccess` names what was refused. An empty request is fine |
| 400 | malformed: broken compression or encoding, a wrong id, an experiment id that is no integer |
| 401 | no API key, or a wrong one |
| 413 | larger than `WHENCE_MAX_BODY_BYTES`, as sent or decompressed |
| 415 | another content type or content encoding |
| 503 | the writer is full or the disk is; try again after `Retry-After` seconds |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.errors import InvalidInputError, UnsupportedMediaError, WhenceError
from whence.ingest.experiments import is_experiment_id
from whence.ingest.prepare import CONTENT_TYPES, Envelope
from whence.otlp import json as otlp_json
from whence.otlp.json import JSON_TYPE, PROTOBUF_TYPE
from whence.semconv import EXPERIMENT_HEADER, MAX_KEY_CHARS, RUN_HEADER
from whence.server.body import check_encoding, read_body
from whence.server.problems import headers_of, request_id_of

if TYPE_CHECKING:
    from whence.server.services import Services

RPC_CODES = {400: 3, 401: 16, 404: 5, 409: 6, 413: 8, 415: 3, 429: 8, 503: 14}
RPC_INTERNAL = 13


class OtlpStatus(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The JSON of a refusal: our error form and `google.rpc.Status` in one."""

    code: int
    message: str
    error_code: str
    request_id: str


def otlp_router(services: Services) -> APIRouter:
    """Take OTLP requests."""
    router = APIRouter(tags=["otlp"])
    body_kinds = {kind: {"schema": {"type": "object"}} for kind in CONTENT_TYPES}

    @router.post(
        "/v1/traces",
        operation_id="export_traces",
        openapi_extra={"requestBody": {"required": True, "content": body_kinds}},
        responses={200: {"description": "Stored", "content": body_kinds}},
    )
    async def export_traces(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            answer = await _take(services, request, content_type)
        except WhenceError as error:
            return _refuse(request, error, content_type)
        return Response(answer, media_type=content_type)

    return router


async def _take(services: Services, request: Request, content_type: str) -> bytes:
    if content_type not in CONTENT_TYPES:
        raise UnsupportedMediaError(
            f"Content-Type {content_type!r} is not supported; use {PROTOBUF_TYPE} or {JSON_TYPE}"
        )
    envelope = Envelope(
        content_type=content_type,
        encoding=check_encoding(request.headers.get("content-encoding")),
        limit_bytes=services.settings.max_body_bytes,
        experiment_id=read_experiment_header(request),
        default_experiment_id=services.ingestor.default_experiment_id,
        run_id=read_run_header(request),
    )
    with services.budget.hold() as hold:
        body = await read_body(request, envelope.limit_bytes, hold)
        result = await services.store_body(body, envelope)
    return otlp_json.encode_partial_success(0, result.message, content_type=content_type)


def read_experiment_header(request: Request) -> str | None:
    """Return the experiment that a request names, or None."""
    given = request.headers.get(EXPERIMENT_HEADER)
    if given is None:
        return None
    text = given.strip()
    if not is_experiment_id(text):
        raise InvalidInputError(f"{EXPERIMENT_HEADER} must be an integer, got {given!r}")
    return text


def read_run_header(request: Request) -> str | None:
    """Return the run that a request's traces are linked to, or None."""
    run_id = request.headers.get(RUN_HEADER, "").strip()
    if len(run_id) > MAX_KEY_CHARS:
        raise InvalidInputError(
            f"{RUN_HEADER} has {len(run_id)} characters, and {MAX_KEY_CHARS} are the limit"
        )
    return run_id or None


def _refuse(request: Request, error: WhenceError, content_type: str) -> Response:
    code = RPC_CODES.get(error.http_status, RPC_INTERNAL)
    if content_type == PROTOBUF_TYPE:
        body, kind = _encode_rpc_status(code, error.message), PROTOBUF_TYPE
    else:
        status = OtlpStatus(
            code=code,
            message=error.message,
            error_code=error.error_code,
            request_id=request_id_of(request.scope),
        )
        body, kind = msgspec.json.encode(status), JSON_TYPE
    return Response(body, status_code=error.http_status, media_type=kind, headers=headers_of(error))


def _encode_rpc_status(code: int, message: str) -> bytes:
    """Write `google.rpc.Status`: field 1 is the code, field 2 the message."""
    text = message.encode(errors="replace")
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
