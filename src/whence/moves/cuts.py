"""What the server will cut of a trace: it keeps so much of a key and of a value.

Looked for are the trace's own metadata and tags, and what the server reads as such from attributes
of spans (`semconv`): by names and prefixes, in objects or the JSON text of one, in lists of labels.
An object that is too large to be metadata, and labels beyond the first hundred, stay attributes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.moves.values import read_text
from whence.semconv import MAX_KEY_CHARS, MAX_VALUE_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whence.moves.trace import MovedTrace

SHOWN_CHARS = 100  # of a key
_NO_JSON = (msgspec.DecodeError, UnicodeEncodeError, RecursionError)


def list_cuts(trace: MovedTrace) -> list[str]:
    """Return a sentence for each key that is cut, each value, each object that is no metadata."""
    found: dict[str, None] = {}
    for texts, what in ((trace.metadata, "metadata"), (trace.tags, "tag")):
        for key, value in texts.items():
            found.update(dict.fromkeys(_compare(what, key, value)))
    for attributes in (trace.resource, *(span.attributes for span in trace.spans)):
        for name, value in attributes.items():
            found.update(dict.fromkeys(_read_attribute(name, value)))
    return list(found)


def _read_attribute(name: str, value: Any) -> Iterator[str]:
    if name in semconv.METADATA_SOURCE_OBJECTS:
        yield from _read_object(name, value)
    elif name in semconv.LABEL_SOURCES:
        labels = _unpack(value)
        if isinstance(labels, list | tuple):
            yield from _read_labels(name, [one for one in labels if isinstance(one, str)])
    elif name in semconv.METADATA_KEY_OF:
        yield from _compare("metadata", semconv.METADATA_KEY_OF[name], value)
    else:
        for prefix in semconv.METADATA_SOURCE_PREFIXES:
            if name.startswith(prefix):
                yield from _compare("metadata", name[len(prefix) :], value)


def _read_object(name: str, value: Any) -> Iterator[str]:
    said = _unpack(value)
    if not isinstance(said, dict):
        return
    size, keys = len(read_text(value) or ""), len(said)
    if size > semconv.MAX_OBJECT_CHARS or keys > semconv.MAX_OBJECT_KEYS:
        yield (
            f"attribute {name!r} has {size} characters and {keys} keys, too much for metadata "
            f"({semconv.MAX_OBJECT_CHARS} and {semconv.MAX_OBJECT_KEYS}): it is an attribute only"
        )
        return
    for key, one in said.items():
        yield from _compare("metadata", str(key), one)


def _read_labels(name: str, labels: list[str]) -> Iterator[str]:
    if len(labels) > semconv.MAX_LABELS:
        yield f"of the labels in {name!r} the first {semconv.MAX_LABELS} became tags"
    for label in labels[: semconv.MAX_LABELS]:
        yield from _compare("tag", label, None)


def _unpack(value: Any) -> Any:
    """Return what JSON text says, also where it is packed into a JSON string; else the value."""
    for _ in range(2):
        if isinstance(value, str):
            with suppress(*_NO_JSON):
                value = msgspec.json.decode(value)
    return value


def _compare(what: str, key: str, given: Any) -> Iterator[str]:
    value = given if isinstance(given, str) else read_text(given) or ""
    if len(key) <= MAX_KEY_CHARS and len(value) <= MAX_VALUE_CHARS:
        return
    name = key if len(key) <= SHOWN_CHARS else key[:SHOWN_CHARS] + "…"
    if len(key) > MAX_KEY_CHARS:
        yield f"the key of {what} {name!r} was cut to {MAX_KEY_CHARS} characters"
    if len(value) > MAX_VALUE_CHARS:
        yield f"{what} {name!r} was cut to {MAX_VALUE_CHARS} characters"
