"""What a client says of a trace when it has ended: `POST /api/3.0/mlflow/traces`.

It may come before the spans, after them or again. What contradicts a header that is stored is
refused with 409: metadata is immutable. The answer always says that the spans lie in the tracking
store, so that no client uploads them a second time. What comes for a deleted trace is accepted and
not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from whence.ingest.header import Header
from whence.query.views import view_infos
from whence.server.mlflow.infos import EXPERIMENT_LOCATION, UNSPECIFIED, write_info, write_unstored
from whence.server.mlflow.judgements import read_judgement
from whence.server.mlflow.requests import read_experiment_id, read_fields, refuse
from whence.server.mlflow.routes import V3
from whence.server.mlflow.traces import OneTrace, WireTrace
from whence.server.replies import reply
from whence.store.overlay import read_overlay

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.ingest.header import State
    from whence.ingest.ingestor import IngestResult
    from whence.server.mlflow.infos import WireInfo
    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

STATES: dict[str | None, State | None] = {
    None: None,
    UNSPECIFIED: None,
    "OK": "OK",
    "ERROR": "ERROR",
    "IN_PROGRESS": "IN_PROGRESS",
}


def add_headers(routes: Routes, services: Services) -> None:
    """Take headers."""

    async def start_trace(request: Request) -> Response:
        fields = await read_fields(services, request)
        header = read_header(fields)
        result = await services.store_header(header)
        info = await services.read(read_back, services, header, result)
        return reply(OneTrace(WireTrace(info)))

    routes.add("POST", "/traces", start_trace, versions=(V3,))


def read_header(fields: Fields) -> Header:
    """Read the body of StartTraceV3; InvalidInputError names the field that is wrong."""
    info = fields.need_inner("trace").need_inner("trace_info")
    return Header(
        trace_id=info.need_text("trace_id"),
        experiment_id=read_location(info.inner("trace_location")),
        request_time_ms=info.time_ms("request_time"),
        duration_ns=info.duration_ns("execution_duration"),
        state=read_state(info, "state"),
        client_request_id=info.text("client_request_id"),
        request_preview=_read_preview(info, "request_preview"),
        response_preview=_read_preview(info, "response_preview"),
        trace_metadata=info.mapping("trace_metadata"),
        tags=info.mapping("tags"),
        assessments=[read_judgement(one) for one in info.inners("assessments")],
    )


def read_location(location: Fields | None) -> str | None:
    """Return the experiment that a location names, or None."""
    if location is None:
        return None
    kind = location.text("type")
    if kind not in (None, EXPERIMENT_LOCATION, "TRACE_LOCATION_TYPE_UNSPECIFIED"):
        raise refuse("type", kind, f"traces lie in experiments: {EXPERIMENT_LOCATION} is expected")
    experiment = location.inner("mlflow_experiment")
    return None if experiment is None else read_experiment_id(experiment)


def read_state(fields: Fields, name: str) -> State | None:
    """Return a trace's state, or None where it is not said."""
    given = fields.text(name)
    if given not in STATES:
        raise refuse(name, given, "OK, ERROR or IN_PROGRESS is expected")
    return STATES[given]


def read_back(services: Services, header: Header, result: IngestResult) -> WireInfo:
    """Return the trace as it is stored now."""
    if result.trace is None:
        experiment_id = header.experiment_id or services.ingestor.default_experiment_id
        return write_unstored(header, experiment_id)
    row = msgspec.structs.replace(result.trace)  # the writer may change its own
    overlay = read_overlay(services.store, [row.trace_id])
    return write_info(view_infos([row], overlay)[0])


def _read_preview(fields: Fields, name: str) -> str | None:
    text = fields.text(name)
    return None if text is None else text.replace("\0", "\ufffd")
