"""Delete traces of one experiment: by their ids, or the oldest until a moment.

They are deleted for good: what arrives for them later is not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from whence.errors import InvalidInputError
from whence.query.search import MAX_MAX_RESULTS
from whence.server.api.payloads import stored_id
from whence.server.mlflow.requests import need_experiment_id, read_fields
from whence.server.mlflow.search import Question, find_page
from whence.server.replies import reply
from whence.store.traces import locate_traces

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services


class TracesDeleted(msgspec.Struct, frozen=True):
    """How many were there."""

    traces_deleted: int


def add_deletion(routes: Routes, services: Services) -> None:
    """Delete traces."""

    async def delete_traces(request: Request) -> Response:
        fields = await read_fields(services, request)
        experiment_id = need_experiment_id(fields)
        trace_ids = fields.texts("request_ids") or fields.texts("trace_ids")
        until_ms, most = _read_limits(fields, trace_ids)
        if trace_ids:
            deleted = await services.edit(_delete_ids, services, experiment_id, trace_ids)
        else:
            deleted = await _delete_oldest(services, experiment_id, until_ms, most)
        return reply(TracesDeleted(deleted))

    routes.add("POST", "/traces/delete-traces", delete_traces)


def _read_limits(fields: Fields, trace_ids: list[str]) -> tuple[int, int | None]:
    """Return the moment until which traces are deleted, and how many at most."""
    until_ms, most = fields.integer("max_timestamp_millis"), fields.integer("max_traces")
    if until_ms is None and not trace_ids:
        raise InvalidInputError("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if until_ms is not None and trace_ids:
        raise InvalidInputError(
            "Only one of `max_timestamp_millis` and `trace_ids` can be specified."
        )
    if most is not None and trace_ids:
        raise InvalidInputError("`max_traces` can't be specified if `trace_ids` is specified.")
    if most is not None and most < 1:
        raise InvalidInputError(f"`max_traces` must be a positive integer, received {most}.")
    return until_ms or 0, most


def _delete_ids(services: Services, experiment_id: str, trace_ids: list[str]) -> int:
    wanted = [stored_id(services.store, one) for one in dict.fromkeys(trace_ids)]
    places = locate_traces(services.store, wanted)
    there = [one for one, (lies_in, *_) in places.items() if lies_in == experiment_id]
    return services.ingestor.delete_traces(there) if there else 0


async def _delete_oldest(
    services: Services, experiment_id: str, until_ms: int, most: int | None
) -> int:
    """Delete page by page, the oldest first; what was deleted stays so where a page fails."""
    deleted = 0
    token: str | None = None
    while most is None or deleted < most:
        left = MAX_MAX_RESULTS if most is None else min(MAX_MAX_RESULTS, most - deleted)
        question = Question(
            experiment_ids=[experiment_id],
            filter_string=f"timestamp_ms <= {until_ms}",
            order_by=["timestamp ASC"],
            max_results=left,
            page_token=token,
        )
        page = await services.read(find_page, services, question)
        if page.traces:
            trace_ids = [info.trace_id for info in page.traces]
            deleted += await services.edit(services.ingestor.delete_traces, trace_ids)
        token = page.next_cursor
        if token is None:
            break
    return deleted
