"""From the headers of one request to the context that its traces start in. Never raises.

In one request the program's own function outranks the headers, and these outrank baggage; all of
them outrank what was given outside of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import opentelemetry.trace.propagation.tracecontext  # noqa: F401 - now, not in the first request
from opentelemetry.trace import Span

from whence import semconv
from whence.errors import InvalidInputError
from whence.sdk import diagnostics
from whence.sdk.capture import keys
from whence.sdk.capture.header_values import MAX_HEADER_CHARS, decode_value, tidy_value
from whence.sdk.capture.propagation import (
    TRACEPARENT,
    hang_below,
    read_baggage_header,
    read_headers,
)
from whence.sdk.capture.trace_metadata import (
    CONTEXT_SOURCE,
    Scope,
    clean,
    merge_scopes,
    session_text,
)
from whence.sdk.web.pseudonyms import PSEUDONYM, hash_user
from whence.sdk.web.rules import CLIENT_REQUEST_ID, ReadContext, Rules, find_target

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


def derive_context(rules: Rules, headers: dict[str, str], request: Any) -> keys.Context | None:
    """Return the context of a request, or None where it says nothing.

    `headers` are those of `rules.wanted` that it has, by their lower-case names; `request` is what
    the program's own function is given.
    """
    try:
        if not headers and rules.read_context is None:
            return None
        before = keys.get_current()
        changes: dict[str, object] = {}
        scope = _read_scope(rules, headers, request)
        if rules.trust_incoming:
            parent = _read_parent(headers, before)
            if parent is not None:
                changes.update(hang_below(parent, before))
            carried = read_baggage_header(headers)
            if carried is not None:
                carried = _hide_user(carried, rules.user_key)
                scope = carried if scope is None else merge_scopes(carried, scope)
        if scope is not None:
            changes[keys.SCOPE] = merge_scopes(before.get(keys.SCOPE), scope)
        return keys.derive(before, changes) if changes else None
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("reading a request's context", error)
        return None


def _read_parent(headers: dict[str, str], before: keys.Context) -> SpanContext | None:
    """Return the caller's span, unless something is current that already hangs below it."""
    if not headers.get(TRACEPARENT):
        return None
    try:
        parent = read_headers(headers)
    except InvalidInputError:
        diagnostics.count("ignored_traceparents")
        return None
    current = before.get(keys.SPAN)
    if isinstance(current, Span) and current.get_span_context().trace_id == parent.trace_id:
        return None  # an instrumentation, or another middleware of ours, read it before
    return parent


def _read_scope(rules: Rules, headers: dict[str, str], request: Any) -> Scope | None:
    entries: dict[str, str] = {}
    sources: dict[str, str] = {}
    cut: set[str] = set()
    for header, target, source in rules.fields:
        text = headers.get(header)
        if text and target not in entries:
            text = tidy_value(decode_value(text))
            if text:
                if len(text) > MAX_HEADER_CHARS:
                    text = text[:MAX_HEADER_CHARS]
                    cut.add(target)
                entries[target], sources[target] = text, source
    if rules.read_context is not None:
        said, said_cut = _ask_program(rules.read_context, request)
        entries.update(said)
        sources.update(dict.fromkeys(said, CONTEXT_SOURCE))
        cut.difference_update(said)
        cut.update(said_cut)
    if not entries:
        return None
    if rules.user_key is not None and semconv.TRACE_USER in entries:
        entries[semconv.TRACE_USER] = hash_user(entries[semconv.TRACE_USER], rules.user_key)
        cut.discard(semconv.TRACE_USER)
    request_id = entries.pop(CLIENT_REQUEST_ID, None)
    sources.pop(CLIENT_REQUEST_ID, None)
    cut.discard(CLIENT_REQUEST_ID)
    return Scope(entries, {}, frozenset(cut), sources, request_id)


def _hide_user(carried: Scope, key: bytes | None) -> Scope:
    """Hash a user that came in baggage, unless the service before has done so."""
    user = carried.metadata.get(semconv.TRACE_USER)
    if key is None or user is None or PSEUDONYM.fullmatch(user):
        return carried
    return carried._replace(metadata={**carried.metadata, semconv.TRACE_USER: hash_user(user, key)})


def _ask_program(read: ReadContext, request: Any) -> tuple[dict[str, str], list[str]]:
    """Return what the program's own function says about a request; nothing where it fails."""
    try:
        given = read(request)
        if given is None:
            return {}, []
        if not isinstance(given, Mapping):
            raise InvalidInputError(  # noqa: TRY301 - as any failure of the function
                f"`context` must return a dict, but returned {type(given).__name__}."
            )
        named = {find_target(str(name)): value for name, value in given.items() if value != ""}
        if semconv.SESSION in named:
            named[semconv.SESSION] = session_text(named[semconv.SESSION])
        return clean(named, "metadata")
    except Exception as error:  # noqa: BLE001 - the user's function
        diagnostics.caught("the function that reads a request's context", error)
        return {}, []
