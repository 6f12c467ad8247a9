"""Files of traces: attachments as they were uploaded, and `traces.json`, which is the spans.

A client that sees no `spansLocation` tag uploads its spans as a file. They arrive as spans like any
others; the file itself is written anew from the stored spans whenever it is asked for.

An attachment is answered as bytes to be saved, never as a page of this server, whatever type the
client gave it. Files of runs and models are not kept: such paths answer 501.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from whence.errors import NotFoundError, NotOfferedError
from whence.otlp.compression import decompress
from whence.otlp.records import Resource, ResourceSpans
from whence.query.views import read_infos, read_spans_of
from whence.server.api.payloads import stored_id
from whence.server.body import check_encoding, read_body
from whence.server.mlflow.requests import (
    MAX_SHOWN_CHARS,
    check_experiment_id,
    parse_object,
    read_fields,
)
from whence.server.mlflow.routes import V2, V3
from whence.server.mlflow.spans import read_file, write_file
from whence.server.replies import pack
from whence.store.artifacts import read_artifact
from whence.store.rows import ArtifactRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

SPANS_FILE = "traces.json"
AREA = "mlflow-artifacts"
BINARY = "application/octet-stream"
DOWNLOAD_HEADERS = {
    "content-disposition": "attachment",
    "content-security-policy": "sandbox",
    "cache-control": "no-store",
}
_DEPTH = 5  # <experiment>/traces/<trace>/artifacts/<file>


class Place(NamedTuple):
    """A file of a trace."""

    experiment_id: str
    trace_id: str
    path: str


def add_artifacts(routes: Routes, services: Services) -> None:
    """Take and give files."""

    async def put(request: Request) -> Response:
        place = read_place(request.path_params["path"])
        trace_id = await services.read(stored_id, services.store, place.trace_id)
        place = place._replace(trace_id=trace_id)
        if place.path == SPANS_FILE:
            await _take_spans(services, request, place)
        else:
            await _take_file(services, request, place)
        return Response(status_code=200)

    async def get(request: Request) -> Response:
        place = read_place(request.path_params["path"])
        return await services.read(_answer, services, place, request.headers)

    async def get_by_query(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_id = fields.text("trace_id") or fields.need_text("request_id")
        place = Place("", trace_id, fields.text("path") or SPANS_FILE)
        return await services.read(_answer, services, place, request.headers)

    routes.add("PUT", "/artifacts/{path:path}", put, versions=(V2,), area=AREA)
    routes.add("GET", "/artifacts/{path:path}", get, versions=(V2,), area=AREA)
    routes.add("GET", "/get-trace-artifact", get_by_query, versions=(V2, V3))


def read_place(path: str) -> Place:
    """Return the file of a trace that a path names; NotOfferedError where it is no trace's."""
    parts = path.strip("/").split("/", _DEPTH - 1)
    if len(parts) == _DEPTH and parts[1] == "traces" and parts[3] == "artifacts" and all(parts):
        return Place(parts[0], parts[2], parts[4])
    raise NotOfferedError(
        f"Whence keeps files of traces only, and {path[:MAX_SHOWN_CHARS]!r} is none: "
        "they lie at <experiment>/traces/<trace>/artifacts/<file>"
    )


async def _take_spans(services: Services, request: Request, place: Place) -> None:
    experiment_id = check_experiment_id(place.experiment_id)
    encoding = check_encoding(request.headers.get("content-encoding"))
    limit = services.settings.max_body_bytes
    with services.budget.hold() as hold:
        body = await read_body(request, limit, hold)
        spans = await services.decode(
            lambda: read_file(parse_object(decompress(body, encoding, limit)), place.trace_id)
        )
        await services.store_groups([ResourceSpans(Resource(), spans)], experiment_id)


async def _take_file(services: Services, request: Request, place: Place) -> None:
    encoding = check_encoding(request.headers.get("content-encoding"))
    limit = services.settings.max_body_bytes
    with services.budget.hold() as hold:
        body = await read_body(request, limit, hold)
        row = ArtifactRow(
            trace_id=place.trace_id,
            path=place.path,
            content_type=request.headers.get("content-type", BINARY),
            content=await services.decode(
                lambda: base64.b64encode(decompress(body, encoding, limit)).decode()
            ),
        )
        await services.edit(services.ingestor.store_artifact, row)


def _answer(services: Services, place: Place, headers: Mapping[str, str]) -> Response:
    trace_id = stored_id(services.store, place.trace_id)
    if place.path == SPANS_FILE:
        if not read_infos(services.store, [trace_id]):
            raise NotFoundError(f"Trace with ID '{place.trace_id}' not found.")
        return pack(write_file(read_spans_of(services.store, [trace_id])[trace_id]), headers)
    row = read_artifact(services.store, trace_id, place.path)
    if row is None:
        raise NotFoundError(
            f"Trace with ID '{place.trace_id}' has no file '{place.path[:MAX_SHOWN_CHARS]}'."
        )
    return Response(base64.b64decode(row.content), media_type=BINARY, headers=DOWNLOAD_HEADERS)
