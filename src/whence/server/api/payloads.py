"""What requests of the API carry: JSON bodies as structs, trace ids in any of their forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from whence.otlp.compression import decompress
from whence.query.compile import forms_of_trace_id
from whence.server.body import check_encoding, read_body
from whence.server.problems import read_json
from whence.store.traces import locate_traces

if TYPE_CHECKING:
    from starlette.requests import Request

    from whence.server.services import Services
    from whence.store.connection import Store

T = TypeVar("T")


class Empty(msgspec.Struct):
    """The answer of a change that has nothing to tell: `{}`."""


DONE = Empty()


async def read_struct(services: Services, request: Request, kind: type[T]) -> T:
    """Read a JSON body; `InvalidInputError` names the place of a mistake."""
    encoding = check_encoding(request.headers.get("content-encoding"))
    limit = services.settings.max_body_bytes
    with services.budget.hold() as hold:
        body = await read_body(request, limit, hold)
        value: Any = await services.decode(
            lambda: read_json(decompress(body, encoding, limit), kind)
        )
    result: T = value
    return result


def stored_id(store: Store, trace_id: str) -> str:
    """Return the id under which a trace lies: 32 bare hex digits mean ours, unless they are one."""
    forms = forms_of_trace_id(trace_id)
    if len(forms) == 1:
        return trace_id
    known = locate_traces(store, forms)
    return next((form for form in forms if form in known), forms[-1])
