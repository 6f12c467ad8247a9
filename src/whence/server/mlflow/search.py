"""Search: pages of traces by a filter, in the language of Whence, which reads MLflow's.

A page token is a position, so pages stay stable while traces arrive; it belongs to its search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from whence.query.search import DEFAULT_MAX_RESULTS, Page, search_traces
from whence.server.mlflow.headers import read_location
from whence.server.mlflow.infos import OldInfo, WireInfo, write_info, write_old_info
from whence.server.mlflow.requests import check_experiment_id, missing, read_fields
from whence.server.mlflow.routes import V2, V3
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from whence.server.mlflow.requests import Fields
    from whence.server.mlflow.routes import Routes
    from whence.server.services import Services


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for; no experiments means that nothing is found."""

    experiment_ids: list[str]
    filter_string: str | None
    order_by: list[str]
    max_results: int
    page_token: str | None


class FoundTraces(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page; without traces it is `{}`."""

    traces: list[WireInfo] = []
    next_page_token: str | UnsetType = UNSET


class FoundOldTraces(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page in the form of MLflow 2."""

    traces: list[OldInfo] = []
    next_page_token: str | UnsetType = UNSET


def add_search(routes: Routes, services: Services) -> None:
    """Answer searches, of clients of today and of old."""

    async def search(request: Request) -> Response:
        fields = await read_fields(services, request)
        if fields.raw("locations") is None:
            raise missing("locations")
        named = [read_location(one) for one in fields.inners("locations")]
        question = _read_question(fields, [one for one in named if one is not None])
        return await services.read(_answer, services, question, request.headers)

    async def search_old(request: Request) -> Response:
        fields = await read_fields(services, request)
        experiment_ids = [check_experiment_id(one) for one in fields.texts("experiment_ids")]
        question = _read_question(fields, experiment_ids)
        return await services.read(_answer_old, services, question, request.headers)

    routes.add("POST", "/traces/search", search, versions=(V3,))
    routes.add("GET", "/traces", search_old, versions=(V2,))


def find_page(services: Services, question: Question) -> Page:
    """Return a page of traces; runs on a reader thread."""
    if not question.experiment_ids:
        return Page([], None)
    return search_traces(
        services.store,
        experiment_ids=question.experiment_ids,
        filter_string=question.filter_string,
        order_by=question.order_by,
        max_results=question.max_results,
        cursor=question.page_token,
        environment_aliases=services.settings.aliases,
    )


def _read_question(fields: Fields, experiment_ids: list[str]) -> Question:
    given = fields.integer("max_results")
    return Question(
        experiment_ids=experiment_ids,
        filter_string=fields.text("filter"),
        order_by=fields.texts("order_by"),
        max_results=DEFAULT_MAX_RESULTS if given is None else given,
        page_token=fields.text("page_token") or None,
    )


def _answer(services: Services, question: Question, headers: Mapping[str, str]) -> Response:
    page = find_page(services, question)
    infos = [write_info(info) for info in page.traces]
    return pack(FoundTraces(infos, page.next_cursor or UNSET), headers)


def _answer_old(services: Services, question: Question, headers: Mapping[str, str]) -> Response:
    page = find_page(services, question)
    infos = [write_old_info(info) for info in page.traces]
    return pack(FoundOldTraces(infos, page.next_cursor or UNSET), headers)
