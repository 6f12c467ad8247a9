"""Link traces to runs and to versions of prompts, which are kept elsewhere.

A tag of the trace lists them: `whence.linkedRuns` and `mlflow.linkedPrompts`. Whether the run or
the prompt exists is not known here and not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from whence import semconv
from whence.errors import InvalidInputError
from whence.server.api.payloads import DONE, stored_id
from whence.server.mlflow.requests import read_fields
from whence.server.replies import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services

MAX_TRACES = 100


def add_links(routes: Routes, services: Services) -> None:
    """Link traces."""

    async def link_to_run(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_ids, run_id = fields.texts("trace_ids"), fields.need_text("run_id")
        if len(trace_ids) > MAX_TRACES:
            raise InvalidInputError(
                f"{len(trace_ids)} traces in one request; link at most {MAX_TRACES}"
            )
        await services.edit(_link, services, trace_ids, semconv.LINKED_RUNS_TAG, [run_id])
        return reply(DONE)

    async def link_prompts(request: Request) -> Response:
        fields = await read_fields(services, request)
        trace_id = fields.need_text("trace_id")
        prompts = [
            {"name": one.need_text("name"), "version": one.need_text("version")}
            for one in fields.inners("prompt_versions")
        ]
        await services.edit(_link, services, [trace_id], semconv.LINKED_PROMPTS_TAG, prompts)
        return reply(DONE)

    routes.add("POST", "/traces/link-to-run", link_to_run)
    routes.add("POST", "/traces/link-prompts", link_prompts)


def _link(services: Services, trace_ids: list[str], key: str, items: list[Any]) -> None:
    stored = [stored_id(services.store, trace_id) for trace_id in trace_ids]
    if stored and items:
        services.ingestor.link_traces(stored, key, items)
