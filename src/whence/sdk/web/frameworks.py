"""`instrument(app)`: the right middleware for an application object, by the framework it is of.

A framework is looked for among the modules that the program has loaded; none is imported.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from whence.errors import InvalidInputError
from whence.sdk import diagnostics
from whence.sdk.web.asgi import ASGIMiddleware
from whence.sdk.web.rules import ReadContext, make_rules
from whence.sdk.web.wsgi import WSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

App = TypeVar("App")
MARK = "__whence_instrumented__"


def instrument(
    app: App,
    headers: Mapping[str, str | None] | None = None,
    *,
    trust_incoming: bool = True,
    user_key: str | bytes | None = None,
    context: ReadContext | None = None,
) -> App:
    """Make a FastAPI, Starlette or Flask application give its requests' context to traces.

    Returns the same application. The options are those of `ASGIMiddleware` (for Flask, `context`
    is given the WSGI environ). A second call changes nothing. Raises `InvalidInputError` for
    anything else: wrap it with `ASGIMiddleware` or `WSGIMiddleware`.
    """
    options: dict[str, Any] = {
        "headers": headers,
        "trust_incoming": trust_incoming,
        "user_key": user_key,
        "context": context,
    }
    make_rules(**options)  # what is wrong with them shows now, not at the first request
    for module, name, add in FRAMEWORKS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(app, kind):
            if getattr(app, MARK, False):
                diagnostics.warn_once(
                    "instrumented_twice", "The application is instrumented already; once will do."
                )
            else:
                add(app, options)
                setattr(app, MARK, True)
            return app
    raise InvalidInputError(
        f"whence.web.instrument() knows FastAPI, Starlette and Flask applications, but got "
        f"{type(app).__name__}. Wrap any other one: app = whence.web.ASGIMiddleware(app) or "
        "app = whence.web.WSGIMiddleware(app); for Django list whence.web.DjangoMiddleware in "
        "MIDDLEWARE."
    )


def _add_to_starlette(app: Any, options: dict[str, Any]) -> None:
    app.add_middleware(ASGIMiddleware, **options)


def _add_to_flask(app: Any, options: dict[str, Any]) -> None:
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, **options)


# The module and class of an application, and how it takes a middleware. FastAPI is a Starlette.
FRAMEWORKS: tuple[tuple[str, str, Callable[[Any, dict[str, Any]], None]], ...] = (
    ("starlette.applications", "Starlette", _add_to_starlette),
    ("flask.app", "Flask", _add_to_flask),
)
