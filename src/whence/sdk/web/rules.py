"""What a middleware was told: which headers become what, whom to trust, how to hide users.

The rules are read once, when the application is put together, and what is wrong with them is an
error then. Nothing about a request is one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from whence import semconv
from whence.errors import InvalidInputError
from whence.sdk.capture.propagation import BAGGAGE, TRACEPARENT, TRACESTATE
from whence.sdk.web.pseudonyms import read_user_key

CLIENT_REQUEST_ID = "client_request_id"
DEFAULT_HEADERS: dict[str, str] = {
    "X-Request-ID": CLIENT_REQUEST_ID,
    "X-Session-ID": "session_id",
    "X-User-ID": "user",
}
SHORT_NAMES = {"session_id": semconv.SESSION, "user": semconv.TRACE_USER}
PROPAGATION_HEADERS = (TRACEPARENT, TRACESTATE, BAGGAGE)

ReadContext = Callable[[Any], Mapping[str, Any] | None]


class Field(NamedTuple):
    """A header (lower case), what it becomes, and how its provenance is called."""

    header: str
    target: str
    source: str


class Rules(NamedTuple):
    """Of several fields with one target the first that a request has counts.

    `wanted` are all headers to look at, in lower case.
    """

    fields: tuple[Field, ...]
    wanted: frozenset[str]
    trust_incoming: bool
    user_key: bytes | None
    read_context: ReadContext | None


def make_rules(
    headers: Mapping[str, str | None] | None = None,
    *,
    trust_incoming: bool = True,
    user_key: str | bytes | None = None,
    context: ReadContext | None = None,
) -> Rules:
    """Check what a middleware was given, or raise `InvalidInputError`."""
    if not isinstance(trust_incoming, bool):
        raise InvalidInputError(f"`trust_incoming` must be True or False, not {trust_incoming!r}.")
    if context is not None:
        _check_function(context)
    fields = tuple(_read_fields(headers))
    wanted = {field.header for field in fields}
    if any(len(target) > semconv.MAX_KEY_CHARS for _, target, _ in fields):
        raise InvalidInputError(f"A metadata key has 1 to {semconv.MAX_KEY_CHARS} characters.")
    return Rules(
        fields,
        frozenset((*wanted, *PROPAGATION_HEADERS) if trust_incoming else wanted),
        trust_incoming,
        read_user_key(user_key),
        context,
    )


def find_target(name: str) -> str:
    """Return the metadata key, or `client_request_id`, that a name stands for."""
    return SHORT_NAMES.get(name) or semconv.canonical_key(name)


def _read_fields(headers: Mapping[str, str | None] | None) -> list[Field]:
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidInputError(f"`headers` must be a dict, but got {type(headers).__name__}.")
    chosen: dict[str, tuple[str, str | None]] = {}
    for name, target in (*(headers or {}).items(), *DEFAULT_HEADERS.items()):
        is_target = target is None or (isinstance(target, str) and target != "")
        if not isinstance(name, str) or not name or not is_target:
            raise InvalidInputError(
                "`headers` maps names of headers to metadata keys (None drops a header), but got "
                f"{name!r}: {target!r}."
            )
        chosen.setdefault(name.lower(), (name, target))
    return [
        Field(lower, find_target(target), f"header {name}")
        for lower, (name, target) in chosen.items()
        if target is not None
    ]


def _check_function(given: Any) -> None:
    if not callable(given):
        raise InvalidInputError(f"`context` must be a function of the request, not {given!r}.")
    if inspect.iscoroutinefunction(given) or inspect.isgeneratorfunction(given):
        raise InvalidInputError("`context` must be an ordinary function: it can't be awaited.")
