"""Web requests: their session, user and request id on every trace, without a line in the handlers.

For FastAPI, Starlette and Flask `whence.web.instrument(app)`; for Django `MIDDLEWARE =
["whence.web.DjangoMiddleware", …]`; anything else is wrapped by `ASGIMiddleware` or
`WSGIMiddleware`. They give context to traces and start none.
"""

from __future__ import annotations

from whence.sdk.web.asgi import ASGIMiddleware
from whence.sdk.web.django_requests import DjangoMiddleware
from whence.sdk.web.frameworks import instrument
from whence.sdk.web.pseudonyms import pseudonymise_user
from whence.sdk.web.wsgi import WSGIMiddleware

__all__ = [
    "ASGIMiddleware",
    "DjangoMiddleware",
    "WSGIMiddleware",
    "instrument",
    "pseudonymise_user",
]
