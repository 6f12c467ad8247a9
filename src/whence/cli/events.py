"""The live tail of a server: server-sent events over one connection.

The connection is read until the server ends it. Limits: no reconnecting; a server that says nothing
for `SILENCE_S`, not even its heartbeat, counts as gone.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from whence.errors import FilterError, InvalidInputError, UnauthenticatedError, UnavailableError
from whence.sdk.delivery.destination import Server, api_key, parse_destination

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SILENCE_S = 60.0
LIVE_PATH = "/api/v1/traces/live"
DATA = b"data: "
HTTP_OK = 200


def follow(url: str, query: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield the traces that a server tells of."""
    server = parse_destination(url)
    if not isinstance(server, Server):
        raise InvalidInputError(f"{url!r} is no server")
    kind = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = kind(server.host, server.port, timeout=SILENCE_S)
    headers = {"Accept": "text/event-stream"}
    if key := api_key():
        headers["Authorization"] = f"Bearer {key}"
    try:
        connection.request("GET", f"{server.prefix}{LIVE_PATH}?{urlencode(query)}", headers=headers)
        response = connection.getresponse()
        if response.status != HTTP_OK:
            raise _refusal(response.status, response.read())
        for line in response:
            if line.startswith(DATA):
                yield msgspec.json.decode(line[len(DATA) :])
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"the connection to {url} ended: {error}") from None
    finally:
        connection.close()


def _refusal(status: int, body: bytes) -> Exception:
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        told = {}
    message = str(told.get("message") or f"the server answered {status}")
    if status == UnauthenticatedError.http_status:
        return UnauthenticatedError(message)
    if status == InvalidInputError.http_status:
        return FilterError(message, column=told.get("column"))
    return UnavailableError(message)
