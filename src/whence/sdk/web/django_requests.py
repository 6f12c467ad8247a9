"""The middleware for Django, sync and async. Options stand in the Django setting `WHENCE`.

Django calls it once for each mode that it needs, and adapts nothing: with async neighbours it is
async itself. Streaming responses are generated in the request's context; files are sent as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk.capture import keys
from whence.sdk.delivery.signals import watch_sigterm
from whence.sdk.web.bodies import AsyncBody, Body
from whence.sdk.web.request import derive_context
from whence.sdk.web.rules import Rules, make_rules
from whence.sdk.web.wsgi import name_variables, pick_headers

if TYPE_CHECKING:
    from collections.abc import Callable

SETTING = "WHENCE"
OPTIONS = ("context", "headers", "trust_incoming", "user_key")


def DjangoMiddleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:  # noqa: N802 - Django lists classes
    """Give what a request's headers say to every trace that starts while Django handles it.

    For `MIDDLEWARE = ["whence.web.DjangoMiddleware", …]`. The setting `WHENCE` may be a dict with
    the options of `whence.web.ASGIMiddleware`; `context` is given the `HttpRequest`.
    """
    from asgiref.sync import iscoroutinefunction  # Django needs it, so it is there

    rules = _read_setting()
    names = name_variables(rules)
    watch_sigterm()  # a request's first span may start in another thread than the main one

    def derive(request: Any) -> keys.Context | None:
        return derive_context(rules, pick_headers(names, request.META), request)

    async def handle_async(request: Any) -> Any:
        inside = derive(request)
        if inside is None:
            return await get_response(request)
        before = keys.get_current()
        token = keys.attach(inside)
        try:
            response = await get_response(request)
        finally:
            keys.restore(token, inside, before)
        return _hold(response, inside)

    def handle(request: Any) -> Any:
        inside = derive(request)
        if inside is None:
            return get_response(request)
        before = keys.get_current()
        token = keys.attach(inside)
        try:
            response = get_response(request)
        finally:
            keys.restore(token, inside, before)
        return _hold(response, inside)

    return handle_async if iscoroutinefunction(get_response) else handle


DjangoMiddleware.sync_capable = True  # type: ignore[attr-defined]  # what Django looks at
DjangoMiddleware.async_capable = True  # type: ignore[attr-defined]


def _read_setting() -> Rules:
    from django.conf import settings

    options = getattr(settings, SETTING, None) or {}
    unknown = sorted(set(options) - set(OPTIONS)) if isinstance(options, Mapping) else [options]
    if unknown:
        raise InvalidInputError(
            f"The Django setting {SETTING} is a dict of the options {', '.join(OPTIONS)}; it can't "
            f"hold {unknown[0]!r}."
        )
    return make_rules(**options)


def _hold(response: Any, inside: keys.Context) -> Any:
    """Let a streaming response be generated in the context."""
    if getattr(response, "streaming", False) and not getattr(response, "file_to_stream", None):
        if getattr(response, "is_async", False):
            response.streaming_content = AsyncBody(response.streaming_content, inside)
        else:
            body = Body(response.streaming_content, inside)
            response.streaming_content = body
            # Django closes the generator itself, not only the body that stands for it.
            response.close = body.hold(response.close)
    return response
