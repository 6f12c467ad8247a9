"""W3C baggage: the metadata keys that may travel between services, on their way out and in.

Only keys on the allow-list (`whence.configure(baggage=[...])`, `WHENCE_BAGGAGE`) are sent and
accepted. Session and user travel under OpenTelemetry's names `session.id` and `user.id`, and every
name that OpenTelemetry has for a key is understood. Values are percent-encoded UTF-8. A header is
kept within W3C's 8,192 bytes and 180 entries: what does not fit is not sent and counted
(`baggage_dropped`), and a longer one that comes in is ignored and counted (`baggage_refused`).
Properties behind a `;` are ignored. A `+` is a plus, as W3C has it; OpenTelemetry's own Python code
takes it for a blank and writes blanks so, hence we send neither as it is.

Only `get_tracing_context_headers_for_http_request` sends: what was accepted is not put into
OpenTelemetry's own baggage, which instrumentations send to any host.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from opentelemetry.baggage import get_all

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.capture.header_values import tidy_value
from whence.sdk.capture.trace_metadata import Scope, clean, merge_scopes, replace_surrogates
from whence.sdk.capture.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from whence.sdk.capture.keys import Context

HEADER = "baggage"
SOURCE = "baggage"
MAX_HEADER_BYTES = 8_192
MAX_ENTRIES = 180
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SAFE_IN_NAME = "!#$&'*+-.^_`|~"


class Names(NamedTuple):
    """The allow-list, read: metadata key → the name that is sent; name → metadata key."""

    name_of: dict[str, str]
    key_of: dict[str, str]


@lru_cache(maxsize=8)
def read_allowed(allowed: tuple[str, ...]) -> Names:
    """Return the names in baggage of the keys that were allowed."""
    names = Names({}, {})
    for given in allowed:
        key = semconv.canonical_key(given)
        known = semconv.METADATA_SOURCES.get(key, ())
        name = known[0] if known else key
        if not _TOKEN.fullmatch(name):
            diagnostics.warn_once(
                "bad_settings",
                "The key %r can't travel in baggage: W3C allows letters, digits and "
                "!#$%%&'*+-.^_`|~ only. It is not sent.",
                name,
            )
            continue
        names.name_of[key] = name
        names.key_of.update(dict.fromkeys((*known, key), key))
    return names


def read_baggage(header: str, allowed: tuple[str, ...]) -> Scope | None:
    """Return the allowed metadata in a `baggage` header; None where there is none."""
    if len(header) > MAX_HEADER_BYTES:
        diagnostics.count("baggage_refused")
        return None
    key_of = read_allowed(allowed).key_of
    found: dict[str, str] = {}
    for entry in header.split(",")[:MAX_ENTRIES]:
        name, equals, rest = entry.partition("=")
        key = key_of.get(name.strip(" \t"))
        if key is not None and equals:
            text = tidy_value(unquote(rest.partition(";")[0].strip(" \t")))
            if text:
                found.setdefault(key, text)
    return _to_scope(found)


def add_from_context(scope: Scope, context: Context, allowed: tuple[str, ...]) -> Scope:
    """Return the scope with what OpenTelemetry's baggage in the context says beside it."""
    key_of = read_allowed(allowed).key_of
    found: dict[str, str] = {}
    for name, value in get_all(context).items():
        key = key_of.get(name)
        if key is not None and key not in scope.metadata:
            text = tidy_value(text_of(value))
            if text:
                found.setdefault(key, text)
    given = _to_scope(found)
    return scope if given is None else merge_scopes(given, scope)


def _to_scope(found: dict[str, str]) -> Scope | None:
    if not found:
        return None
    entries, cut = clean(found, "metadata")
    return Scope(entries, {}, frozenset(cut), dict.fromkeys(entries, SOURCE))


def write_baggage(
    metadata: Mapping[str, str], context: Context, allowed: tuple[str, ...]
) -> str | None:
    """Return the `baggage` header that carries the allowed metadata; None where there is none.

    OpenTelemetry's own baggage in the context goes along, because a request has one such header.
    """
    entries: list[str] = []
    length = -1
    for entry in _list_entries(metadata, context, allowed):
        if len(entries) == MAX_ENTRIES or length + 1 + len(entry) > MAX_HEADER_BYTES:
            diagnostics.warn(
                "baggage_dropped",
                "Baggage is limited to %d bytes and %d entries; %s does not fit and is not sent.",
                MAX_HEADER_BYTES,
                MAX_ENTRIES,
                entry.partition("=")[0],
            )
            continue
        entries.append(entry)
        length += 1 + len(entry)
    return ",".join(entries) or None


def _list_entries(
    metadata: Mapping[str, str], context: Context, allowed: tuple[str, ...]
) -> Iterator[str]:
    names = read_allowed(allowed)
    sent = set()
    for key, name in names.name_of.items():
        value = metadata.get(key)
        if value:
            sent.add(key)
            yield f"{name}={quote(value, safe='')}"
    for other, given in get_all(context).items():
        if names.key_of.get(other) not in sent:
            text = replace_surrogates(text_of(given))
            yield f"{quote(text_of(other), safe=_SAFE_IN_NAME)}={quote(text, safe='')}"
