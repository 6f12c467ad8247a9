"""Facets: the most frequent values of fields among the traces that a filter finds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.query.facets import DEFAULT_FIELDS, DEFAULT_LIMIT, Facet, count_facets
from whence.server.openapi import answers
from whence.server.replies import pack

if TYPE_CHECKING:
    from whence.server.services import Services


class FacetList(msgspec.Struct, kw_only=True):
    """Facets in the order asked for; `total` is the number of traces that the filter finds.

    `sampled`: some counts are extrapolated from a sample; each facet's `sample` says which and how.
    """

    total: int
    facets: list[Facet]
    sampled: bool
    elapsed_ms: float


class FacetQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    filter_string: str
    experiment_ids: list[str] | None
    fields: list[str]
    limit: int
    own: bool
    since: int | None
    until: int | None


def facets_router(services: Services) -> APIRouter:
    """Count values."""
    router = APIRouter(prefix="/api/v1/facets", tags=["facets"])

    @router.get("", operation_id="count_facets", responses=answers(FacetList))
    async def count(
        request: Request,
        filter_string: Annotated[str, Query(alias="filter")] = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
        fields: Annotated[str, Query(description="Names, separated by commas")] = "",
        field: Annotated[list[str] | None, Query(description="A name with a comma in it")] = None,
        limit: int = DEFAULT_LIMIT,
        own: Annotated[bool, Query(description="Keep a field's own conditions")] = False,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
    ) -> Response:
        names = [*(name for name in fields.split(",") if name.strip()), *(field or ())]
        question = FacetQuestion(
            filter_string=filter_string,
            experiment_ids=experiment_id,
            fields=names or list(DEFAULT_FIELDS),
            limit=limit,
            own=own,
            since=since,
            until=until,
        )
        answer = await services.read(_answer, services, question)
        return pack(answer, request.headers)

    return router


def _answer(services: Services, question: FacetQuestion) -> FacetList:
    started = time.perf_counter()
    found = count_facets(
        services.store,
        experiment_ids=question.experiment_ids,
        filter_string=question.filter_string,
        fields=question.fields,
        limit=question.limit,
        own=question.own,
        since_ms=question.since,
        until_ms=question.until,
        environment_aliases=services.settings.aliases,
    )
    return FacetList(
        total=found.total,
        facets=found.facets,
        sampled=found.sampled,
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )
