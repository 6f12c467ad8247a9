"""The middleware for ASGI applications: HTTP requests and WebSockets; everything else passes.

The context holds while the application runs for the request, which includes streaming the body
and background tasks. Threads and tasks that it starts inherit it as ASGI frameworks hand it on.

When the server says goodbye (the lifespan's shutdown), what was recorded is delivered first, within
`GOODBYE_FLUSH_S`: uvicorn then ends by a signal, which runs no exit handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.sdk import diagnostics, runtime
from whence.sdk.capture import keys
from whence.sdk.capture.propagation import collect_headers
from whence.sdk.delivery.signals import watch_sigterm
from whence.sdk.web.request import derive_context
from whence.sdk.web.rules import ReadContext, make_rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    AsgiScope = MutableMapping[str, Any]
    AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

REQUESTS = ("http", "websocket")
GOODBYES = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")
GOODBYE_FLUSH_S = 2.0


class ASGIMiddleware:
    """Gives what a request's headers say to every trace that starts while it is handled.

    `headers` maps further headers to metadata keys, or to `session_id`, `user` and
    `client_request_id`; None drops one of the default three. `trust_incoming=False` ignores
    `traceparent` and baggage. `user_key` replaces users by pseudonyms. `context` is a function that
    takes the ASGI scope and returns more, by the same names.
    """

    def __init__(
        self,
        app: AsgiApp,
        headers: Mapping[str, str | None] | None = None,
        *,
        trust_incoming: bool = True,
        user_key: str | bytes | None = None,
        context: ReadContext | None = None,
    ) -> None:
        self.app = app
        self._rules = make_rules(
            headers, trust_incoming=trust_incoming, user_key=user_key, context=context
        )
        watch_sigterm()  # a request's first span may start in another thread than the main one
        self._wanted = {name.encode("latin-1", "replace") for name in self._rules.wanted}

    async def __call__(self, scope: AsgiScope, receive: Any, send: Any) -> None:
        """Run the application."""
        kind = scope["type"]
        inside = self._derive(scope) if kind in REQUESTS else None
        if inside is None:
            if kind == "lifespan":
                send = _flushing(send)
            await self.app(scope, receive, send)
            return
        before = keys.get_current()
        token = keys.attach(inside)
        try:
            await self.app(scope, receive, send)
        finally:
            keys.restore(token, inside, before)

    def _derive(self, scope: AsgiScope) -> keys.Context | None:
        wanted = self._wanted
        try:
            found = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope.get("headers", ())
                if name in wanted
            ]
        except Exception as error:  # noqa: BLE001 - a server that does not keep to ASGI
            diagnostics.caught("reading a request's headers", error)
            return None
        return derive_context(self._rules, collect_headers(found) if found else {}, scope)


def _flushing(send: Any) -> Any:
    """Return a `send` that delivers before it says goodbye. No request is left to be held up."""

    async def send_after_flush(message: Any) -> None:
        try:
            pipeline = runtime.running_pipeline()
            if pipeline is not None and message["type"] in GOODBYES:
                pipeline.flush(GOODBYE_FLUSH_S)
        except Exception as error:  # noqa: BLE001 - tracing never breaks the program
            diagnostics.caught("delivering at the server's end", error)
        await send(message)

    return send_after_flush
