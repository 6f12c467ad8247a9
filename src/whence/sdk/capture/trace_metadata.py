"""Metadata and tags on their way into a trace: checked, turned into strings, cut to the limits.

A value of None is left out: an absent header leaves its key out. A key or value that is no
string is stored as its string, with one warning a process. Keys are cut at 250 characters and
values at 8,000; the keys concerned are listed in the metadata key `whence.truncated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from whence import semconv
from whence.errors import InvalidInputError
from whence.sdk import diagnostics
from whence.sdk.capture.values import text_of

CONTEXT_SOURCE = "context()"


class Scope(NamedTuple):
    """What a block or a request gives to the traces that start inside. Its dicts never change.

    `sources` says of each metadata key where the value comes from.
    """

    metadata: dict[str, str]
    tags: dict[str, str]
    truncated: frozenset[str]
    sources: dict[str, str]
    client_request_id: str | None = None


EMPTY_SCOPE = Scope({}, {}, frozenset(), {})


def merge_scopes(outer: object, inner: Scope) -> Scope:
    """Return both; where they speak of the same key, the inner one wins."""
    if not isinstance(outer, Scope) or outer is EMPTY_SCOPE:
        return inner
    return Scope(
        {**outer.metadata, **inner.metadata},
        {**outer.tags, **inner.tags},
        outer.truncated.difference(inner.metadata) | inner.truncated,
        {**outer.sources, **inner.sources},
        outer.client_request_id if inner.client_request_id is None else inner.client_request_id,
    )


def check_mapping(given: Any, name: str) -> Mapping[Any, Any]:
    """Return the dict that was given ({} for None), or raise `InvalidInputError`."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"`{name}` must be a dict, but got {type(given).__name__}.")
    return given


def clean(given: Mapping[Any, Any], name: str) -> tuple[dict[str, str], list[str]]:
    """Return the entries as they are stored, and the keys of those that were cut."""
    entries: dict[str, str] = {}
    cut = []
    for key, value in list(given.items()):
        if value is None:
            continue
        key_text = key if type(key) is str else _stringify(key, name, "key", key)
        value_text = value if type(value) is str else _stringify(value, name, "value", key)
        if len(key_text) > semconv.MAX_KEY_CHARS or len(value_text) > semconv.MAX_VALUE_CHARS:
            key_text = key_text[: semconv.MAX_KEY_CHARS]
            value_text = value_text[: semconv.MAX_VALUE_CHARS]
            cut.append(key_text)
        if not (key_text.isascii() and value_text.isascii()):
            key_text, value_text = replace_surrogates(key_text), replace_surrogates(value_text)
        entries[key_text] = value_text
    return entries, cut


def replace_surrogates(text: str) -> str:
    """Return the text with lone surrogates, which have no UTF-8 form, replaced by `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _stringify(value: Any, name: str, part: str, key: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # an enum of strings
    diagnostics.warn_once(
        f"non_string_{name}",
        "The %s of %s %s is of type %s; Whence stores it as a string. Pass strings to avoid this.",
        part,
        name,
        text_of(key)[: semconv.MAX_KEY_CHARS],
        type(value).__name__,
    )
    return text_of(value)


def session_text(session_id: Any) -> str | None:
    """Return a session id as stored: a list of ids becomes a compact JSON array."""
    if isinstance(session_id, (list, tuple)):
        if session_id and all(isinstance(level, str) for level in session_id):
            from msgspec.json import encode

            return encode(list(session_id)).decode("utf-8", "replace")
        raise InvalidInputError(
            "The `session_id` parameter must be a string or a non-empty list of strings, "
            f"but got {text_of(session_id)[: semconv.MAX_KEY_CHARS]}."
        )
    return session_id if session_id is None or isinstance(session_id, str) else text_of(session_id)


def with_session_and_user(
    metadata: Mapping[Any, Any], session_id: Any, user: Any, model_id: Any = None
) -> dict[Any, Any]:
    """Return the metadata with the arguments that are short for metadata keys added."""
    named = {
        semconv.SESSION: session_text(session_id),
        semconv.TRACE_USER: user,
        semconv.MODEL_ID: model_id,
    }
    return {**metadata, **{key: value for key, value in named.items() if value is not None}}
