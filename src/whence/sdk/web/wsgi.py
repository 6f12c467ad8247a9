"""The middleware for WSGI applications. The context holds while the body is generated, too.

A server joins repeated headers with a comma before an application sees them; such a value is kept
as it is. A body that is a list, or a file that the server sends itself, is passed on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.sdk.capture import keys
from whence.sdk.web.bodies import Body
from whence.sdk.web.request import derive_context
from whence.sdk.web.rules import ReadContext, Rules, make_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Environ = dict[str, Any]
    WsgiApp = Callable[[Environ, Any], Iterable[bytes]]


class WSGIMiddleware:
    """Gives what a request's headers say to every trace that starts while it is handled.

    The options are those of `ASGIMiddleware`; `context` is given the WSGI environ.
    """

    def __init__(
        self,
        app: WsgiApp,
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
        self._names = name_variables(self._rules)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Run the application."""
        inside = derive_context(self._rules, pick_headers(self._names, environ), environ)
        if inside is None:
            return self.app(environ, start_response)
        before = keys.get_current()
        token = keys.attach(inside)
        try:
            body = self.app(environ, start_response)
        finally:
            keys.restore(token, inside, before)
        wrapper = environ.get("wsgi.file_wrapper")
        if type(body) in (list, tuple) or (isinstance(wrapper, type) and isinstance(body, wrapper)):
            return body
        return Body(body, inside)


def name_variables(rules: Rules) -> tuple[tuple[str, str], ...]:
    """Return (variable of the environ, header in lower case) of what the rules want."""
    return tuple((f"HTTP_{name.upper().replace('-', '_')}", name) for name in rules.wanted)


def pick_headers(names: tuple[tuple[str, str], ...], environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the wanted headers that a request has."""
    return {name: environ[variable] for variable, name in names if variable in environ}
