"""How clients of MLflow 2 record a trace: start it, end it, upload its spans, read its header.

The server makes the id of such a trace. Its spans come as `traces.json` (`artifacts.py`).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from whence.entities.span_ids import TRACE_ID_PREFIX
from whence.ingest.header import FINAL_STATES, IN_PROGRESS, Header
from whence.semconv import SERVER_TAGS
from whence.server.api.payloads import stored_id
from whence.server.mlflow.headers import read_state
from whence.server.mlflow.infos import NS_PER_MS, OldInfo, write_old_info
from whence.server.mlflow.requests import need_experiment_id, read_fields
from whence.server.mlflow.routes import V2
from whence.server.mlflow.traces import find_info
from whence.server.replies import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

STATUS_UNSPECIFIED = "TRACE_STATUS_UNSPECIFIED"


class OneOldTrace(msgspec.Struct, frozen=True):
    """The answer: the trace's header."""

    trace_info: OldInfo


def add_legacy(routes: Routes, services: Services) -> None:
    """Answer clients of MLflow 2."""

    async def start(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_id = TRACE_ID_PREFIX + uuid.uuid4().hex
        header = Header(
            trace_id=trace_id,
            experiment_id=need_experiment_id(fields),
            request_time_ms=fields.integer("timestamp_ms"),
            state=IN_PROGRESS,
            trace_metadata=fields.pairs("request_metadata"),
            tags=fields.pairs("tags"),
        )
        await services.store_header(header)
        return await services.read(_answer, services, trace_id)

    async def end(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_id = await services.read(_find_id, services, request)
        begun = await services.read(find_info, services, trace_id)
        header = _read_end(fields, trace_id, begun.request_time_ms)
        await services.store_header(header)
        tags = {key: text for key, text in fields.pairs("tags").items() if key not in SERVER_TAGS}
        if tags:  # they may have changed meanwhile, which a header's can't
            await services.edit(services.ingestor.set_tags, trace_id, tags)
        return await services.read(_answer, services, trace_id)

    async def get_info(request: Request) -> Response:
        return await services.read(_answer, services, request.path_params["trace_id"])

    routes.add("POST", "/traces", start, versions=(V2,))
    routes.add("PATCH", "/traces/{trace_id}", end, versions=(V2,))
    routes.add("GET", "/traces/{trace_id}/info", get_info, versions=(V2,))


def _read_end(fields: Fields, trace_id: str, begun_ms: int) -> Header:
    ended_ms = fields.integer("timestamp_ms")
    status = fields.text("status")
    state = None if status == STATUS_UNSPECIFIED else read_state(fields, "status")
    return Header(
        trace_id=trace_id,
        duration_ns=None if ended_ms is None else max(0, ended_ms - begun_ms) * NS_PER_MS,
        state=state if state in FINAL_STATES else None,
        trace_metadata=fields.pairs("request_metadata"),
    )


def _find_id(services: Services, request: Request) -> str:
    return stored_id(services.store, request.path_params["trace_id"])


def _answer(services: Services, trace_id: str) -> Response:
    return reply(OneOldTrace(write_old_info(find_info(services, trace_id))))
