"""The OpenAPI document, from the very structs that the server reads and writes.

A route says `responses=answers(Page)` and `openapi_extra=takes(SearchBody)`; the schemas of these
msgspec structs become the document's components, so that a type generated from the document cannot
differ from what is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.openapi.utils import get_openapi

from whence.server.problems import JSON, Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

OPENAPI_PATH = "/api/openapi.json"
REFERENCE = "#/components/schemas/{name}"


class SpanEvent(msgspec.Struct):
    """Something that happened during a span; the time is a decimal string."""

    name: str
    time_ns: str
    attributes: dict[str, Any]


class SpanLink(msgspec.Struct):
    """A pointer to a span of this or another trace."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


# What lies in the store as JSON text and is sent as it lies: the structs can't say what it is.
EMBEDDED: dict[tuple[str, str], Any] = {
    ("Span", "events"): list[SpanEvent],
    ("Span", "links"): list[SpanLink],
    ("Span", "usage"): dict[str, int] | None,
    ("Span", "cost"): dict[str, float] | None,
    ("TraceInfo", "provenance"): dict[str, str],
}
# FastAPI's own form of a refusal, which `whence.server.problems` replaces.
NEVER_SENT = ("HTTPValidationError", "ValidationError")
_documented: set[Any] = {Problem, SpanEvent, SpanLink}


def answers(kind: Any, description: str = "Done", *, missing: str | None = None) -> dict[Any, Any]:
    """Say what a route answers; `missing` says what a 404 means."""
    responses: dict[Any, Any] = {
        200: {"description": description, "content": _content(kind)},
        **refusals(),
    }
    if missing is not None:
        responses[404] = {"description": missing, "content": _content(Problem)}
    return responses


def refusals() -> dict[Any, Any]:
    """Say what every route answers when it fails."""
    return {"default": {"description": "The request failed", "content": _content(Problem)}}


def takes(kind: Any) -> dict[str, Any]:
    """Say what a route reads from the request's body."""
    return {"requestBody": {"required": True, "content": _content(kind)}}


def _content(kind: Any) -> dict[str, Any]:
    _documented.add(kind)
    return {JSON: {"schema": _schema_of(kind)}}


def _schema_of(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return schema


def add_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` name our structs."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            kinds = sorted(_documented, key=str)
            _, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
            for (struct, field), kind in EMBEDDED.items():
                components[struct]["properties"][field] = _schema_of(kind)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(components)
            for name in NEVER_SENT:
                schemas.pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]  # FastAPI's documented way to extend it
