"""Comparisons: whether a version is worse than its baseline and why; and of two traces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from whence.analysis.trace_diff import diff_traces
from whence.entities.comparison import Comparison
from whence.entities.distribution import DurationDistribution
from whence.entities.trace_diff import TraceDiff
from whence.errors import InvalidInputError, NotFoundError
from whence.query.arms import Scope
from whence.query.views import read_trace
from whence.server.api.payloads import read_struct
from whence.server.api.times import check_times
from whence.server.openapi import answers, takes
from whence.server.replies import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.server.services import Services

Names = Annotated[str, Query(description="Names, separated by commas")]
MAX_LOOKS = 1000


class CompareBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What `POST /api/v1/compare` takes. Everything has a default; times are Unix ms.

    `baseline` and `candidate` are versions, commits, manifests, branches or filters; `metrics` the
    guards; `margins` by metric or family; `by` the strata. `until_ms` is excluded. `looks` is how
    many looks at this question were taken before: the verdicts then hold at all of them together.
    """

    baseline: str | None = None
    candidate: str | None = None
    environment: str | None = None
    filter_string: str | None = None
    experiment_ids: list[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    metrics: list[str] | None = None
    margins: dict[str, float] | None = None
    by: list[str] | None = None
    explain: bool = True
    looks: int | None = None


def compare_router(services: Services) -> APIRouter:
    """Compare two versions."""
    router = APIRouter(prefix="/api/v1/compare", tags=["versions"])

    @router.get("", operation_id="get_comparison", responses=answers(Comparison))
    async def get_comparison(
        request: Request,
        baseline: str | None = None,
        candidate: str | None = None,
        environment: str | None = None,
        filter_string: Annotated[str | None, Query(alias="filter")] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
        metrics: Names = "",
        margins: Annotated[str, Query(description="Such as duration=0.2,error_rate=0.01")] = "",
        by: Names = "",
        explain: bool = True,
        looks: Annotated[int | None, Query(description="Looks taken before, from 0")] = None,
        form: Annotated[
            Literal["json", "markdown"], Query(alias="format", description="A report to read")
        ] = "json",
    ) -> Response:
        body = CompareBody(
            baseline=baseline,
            candidate=candidate,
            environment=environment,
            filter_string=filter_string,
            experiment_ids=experiment_id,
            since_ms=since,
            until_ms=until,
            metrics=_split(metrics) or None,
            margins=read_margins(margins),
            by=_split(by) or None,
            explain=explain,
            looks=looks,
        )
        return await services.read(
            _answer, services, body, request.headers, as_report=form == "markdown"
        )

    _add_distribution(router, services)

    @router.post(
        "",
        operation_id="compare_versions",
        responses=answers(Comparison),
        openapi_extra=takes(CompareBody),
    )
    async def compare(request: Request) -> Response:
        body = await read_struct(services, request, CompareBody)
        return await services.read(_answer, services, body, request.headers)

    return router


def _add_distribution(router: APIRouter, services: Services) -> None:
    """Tell how long the traces of both versions took."""

    @router.get(
        "/distribution",
        operation_id="get_distribution",
        responses=answers(DurationDistribution),
    )
    async def get_distribution(
        request: Request,
        baseline: str | None = None,
        candidate: str | None = None,
        environment: str | None = None,
        filter_string: Annotated[str | None, Query(alias="filter")] = None,
        experiment_id: Annotated[list[str] | None, Query()] = None,
        since: Annotated[int | None, Query(description="Unix ms, included")] = None,
        until: Annotated[int | None, Query(description="Unix ms, excluded")] = None,
    ) -> Response:
        body = CompareBody(
            baseline=baseline,
            candidate=candidate,
            environment=environment,
            filter_string=filter_string,
            experiment_ids=experiment_id,
            since_ms=since,
            until_ms=until,
        )
        return await services.read(_answer_distribution, services, body, request.headers)


def _answer_distribution(
    services: Services, body: CompareBody, headers: Mapping[str, str]
) -> Response:
    from whence.analysis.distribution import read_distribution

    scope = read_scope(services, body)
    found = read_distribution(services.store, scope, body.baseline, body.candidate)
    return pack(found, headers)


def trace_diff_router(services: Services) -> APIRouter:
    """Compare two traces."""
    router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

    @router.get(
        "/{trace_id}/diff/{candidate_id}",
        operation_id="diff_traces",
        responses=answers(TraceDiff, missing="There is no such trace"),
    )
    async def diff(request: Request, trace_id: str, candidate_id: str) -> Response:
        return await services.read(_answer_diff, services, trace_id, candidate_id, request.headers)

    return router


def _answer_diff(
    services: Services, baseline_id: str, candidate_id: str, headers: Mapping[str, str]
) -> Response:
    found = []
    for trace_id in (baseline_id, candidate_id):
        trace = read_trace(services.store, trace_id)
        if trace is None:
            raise NotFoundError(f"Trace with ID '{trace_id}' not found.")
        found.append(trace)
    return pack(diff_traces(*found), headers)


def _split(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def read_margins(text: str) -> dict[str, float]:
    """Read `name=number` pairs. Raises InvalidInputError with the wrong one."""
    found = {}
    for pair in _split(text):
        name, equals, value = pair.partition("=")
        try:
            number = float(value) if equals else math.nan
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise InvalidInputError(
                f"the margin {pair!r} can't be read; write name=number, such as duration=0.2"
            )
        found[name.strip()] = number
    return found


def read_scope(services: Services, body: CompareBody) -> Scope:
    """Return what both arms share. Raises InvalidInputError for times that can't be."""
    check_times(body.since_ms, body.until_ms)
    return Scope(
        environment=body.environment,
        filter_string=body.filter_string,
        experiment_ids=tuple(body.experiment_ids or ()),
        since_ms=body.since_ms,
        until_ms=body.until_ms,
        aliases=dict(services.settings.aliases),
    )


def _answer(
    services: Services, body: CompareBody, headers: Mapping[str, str], *, as_report: bool = False
) -> Response:
    scope = read_scope(services, body)
    if body.looks is not None and not 0 <= body.looks <= MAX_LOOKS:
        raise InvalidInputError(f"looks must be a number from 0 to {MAX_LOOKS}: those taken before")
    # Loaded with the first question: scipy would take a quarter of a second of every start.
    from whence.analysis.compare import Question, compare_versions
    from whence.analysis.looking import Looking

    question = Question(
        scope=scope,
        baseline=body.baseline,
        candidate=body.candidate,
        metrics=None if body.metrics is None else tuple(body.metrics),
        margins=body.margins or {},
        by=None if body.by is None else tuple(body.by),
        explain=body.explain,
        looking=None if body.looks is None else Looking(taken=body.looks),
    )
    found = compare_versions(services.store, question)
    if as_report:
        return Response(found.to_markdown(), media_type="text/markdown")
    return pack(found, headers)
