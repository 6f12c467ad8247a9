"""Who may ask: the Host header, the Origin of changes, and the API key, before any route runs.

- *Host*: a page on the network can point its own DNS name at 127.0.0.1 and then read a local server
  through the browser. So requests must name a loopback host or one of `WHENCE_ALLOWED_HOSTS`; a
  server that listens beyond loopback is also addressed by its own name and by any IP address, which
  no DNS answer can forge. Anything else: 421.
- *Origin*: a browser sends it with every request that changes something; it must be the host that
  the request names, else 403.
- *Key*: with `WHENCE_API_KEY` set, `Authorization: Bearer <key>` on every route but `GET /health`
  and the web pages' own files, compared in constant time; else 401.

Limits: one key for everybody, no roles; TLS is the reverse proxy's.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from whence.errors import UnauthenticatedError
from whence.server.problems import answer_error, answer_problem
from whence.server.settings import is_loopback

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from whence.server.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Everything else that is read with GET is a file of the web pages, and holds no data.
KEYED_SEGMENTS = frozenset({"api", "ajax-api", "v1", "version", "mlflow-artifacts"})

PAGE_HEADERS: dict[str, str] = {
    # The filter bar's editor adds a style sheet at run time: `page_headers` lets that one in.
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
COMMON_HEADERS: dict[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def page_headers(nonce: str) -> dict[str, str]:
    """Return the headers of a page whose style sheets may carry this nonce, made for one answer."""
    policy = PAGE_HEADERS["content-security-policy"]
    allowed = policy.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")
    return {**PAGE_HEADERS, "content-security-policy": allowed}


class Guard:
    """ASGI middleware that refuses what may not pass."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._key = None if settings.key is None else settings.key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] == "http":
            refusal = self._refuse(scope, Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not is_allowed_host(host, self._settings):
            return answer_problem(
                scope,
                421,
                f"this server is not known as {host!r}; add the name to WHENCE_ALLOWED_HOSTS",
            )
        origin = headers.get("origin")
        changes = scope["method"] not in SAFE_METHODS
        if changes and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return answer_problem(
                scope, 403, f"a page of {origin!r} may not change anything at {host!r}"
            )
        if self._key is not None and needs_key(scope["method"], scope["path"]):
            return self._refuse_key(scope, headers.get("authorization", ""))
        return None

    def _refuse_key(self, scope: Scope, authorization: str) -> Response | None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            message = "this server wants its API key: send `Authorization: Bearer <key>`"
            return answer_error(scope, UnauthenticatedError(message))
        # Header text is latin-1 decoded bytes; compare the bytes that were sent.
        if not hmac.compare_digest(given.strip().encode("latin-1"), self._key or b""):
            return answer_error(scope, UnauthenticatedError("the API key is not the server's"))
        return None


def needs_key(method: str, path: str) -> bool:
    """Tell whether a request must show the key: all but `GET /health` and the web pages."""
    if method not in {"GET", "HEAD"}:
        return True
    return path.lstrip("/").partition("/")[0] in KEYED_SEGMENTS


def is_allowed_host(header: str, settings: Settings) -> bool:
    """Tell whether a Host header names this server."""
    name = _host_name(header)
    if not name:
        return False
    if is_loopback(name):
        return True
    if not settings.is_loopback and (name == settings.host.lower() or _is_address(name)):
        return True
    return any(_matches(name, pattern) for pattern in settings.allowed_hosts)


def _host_name(header: str) -> str:
    text = header.strip().lower()
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        return inside if closed and (not rest or rest.startswith(":")) else ""
    return text.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _matches(name: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name == pattern
