"""Traces that come from another store, with the ids, times and judgements that they had there.

A request holds traces and their spans. The spans are an OTLP/JSON request of their own; where a
trace's id is not `tr-` and 32 hex digits, `trace_ids` says which 32 digits stand for it there. A
request may be sent again: nothing is doubled. The mistake of one trace is told and fails no other;
spans that can't be read fail the request, and nothing of it is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from whence.errors import InvalidInputError
from whence.ingest.header import Header, TraceHead, check_trace_id
from whence.ingest.moved import Refused  # noqa: TC001 - msgspec reads the annotation
from whence.ingest.prepare import Envelope
from whence.server.api.payloads import read_struct
from whence.server.openapi import answers, takes
from whence.server.replies import reply

if TYPE_CHECKING:
    from whence.server.services import Services

HEX_DIGITS = frozenset("0123456789abcdef")
TRACE_ID_CHARS = 32
NO_SPANS = b'{"resourceSpans":[]}'


class MovedTrace(TraceHead, kw_only=True, forbid_unknown_fields=True):
    """A trace as the other store had it; what is absent is read from the spans.

    `assessments` are in MLflow's JSON.
    """


class MoveBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Traces, their spans as an OTLP/JSON request, and the ids that those have no place for."""

    traces: list[MovedTrace]
    spans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    trace_ids: dict[str, str] = {}


class Moved(msgspec.Struct):
    """What became of it: `refused` names what is not stored, `message` what of the spans."""

    traces: int
    spans: int
    refused: list[Refused]
    message: str


def moves_router(services: Services) -> APIRouter:
    """Take traces of other stores."""
    router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

    @router.post(
        "/import",
        operation_id="import_traces",
        responses=answers(Moved),
        openapi_extra=takes(MoveBody),
    )
    async def import_traces(request: Request) -> Response:
        body = await read_struct(services, request, MoveBody)
        headers = [Header(**msgspec.structs.asdict(trace)) for trace in body.traces]
        _check_ids(body.trace_ids)
        envelope = Envelope(
            limit_bytes=services.settings.max_body_bytes,
            default_experiment_id=services.ingestor.default_experiment_id,
            trace_ids=body.trace_ids,
        )
        sent = NO_SPANS if isinstance(body.spans, msgspec.UnsetType) else bytes(body.spans)
        result, refused = await services.store_moved(headers, sent, envelope)
        lost = {one.trace_id for one in refused if one.whole}
        spans = result.accepted_spans - result.deleted_spans
        return reply(Moved(len(headers) - len(lost), spans, refused, result.message))

    return router


def _check_ids(trace_ids: dict[str, str]) -> None:
    for digits, trace_id in trace_ids.items():
        if len(digits) != TRACE_ID_CHARS or not HEX_DIGITS.issuperset(digits):
            raise InvalidInputError(
                f"trace_ids: {digits[:64]!r} is not 32 lowercase hex digits, which stand for "
                f"{trace_id[:200]!r} in the spans"
            )
        check_trace_id(trace_id, "trace_ids")
