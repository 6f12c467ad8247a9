"""Which attribute says what: one reader per field, over the tables of `semconv`.

The dialects are MLflow's, OpenTelemetry's GenAI conventions, OpenInference, OpenLLMetry (Traceloop)
and, as far as they go, Langfuse's old attributes. The first key present wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whence import semconv
from whence.ingest.jsontext import from_json, keep_json, sniff_json, to_json

Attributes = Mapping[str, Any]

# Our SDK sends JSON text and MLflow's client decoded values; elsewhere a string that looks like an
# object or a list is taken for one.
_READERS: dict[str, Callable[[Any], str]] = {
    semconv.INPUTS: lambda value: keep_json(value) if isinstance(value, str) else to_json(value),
    semconv.OUTPUTS: lambda value: keep_json(value) if isinstance(value, str) else to_json(value),
    semconv.MLFLOW_INPUTS: to_json,
    semconv.MLFLOW_OUTPUTS: to_json,
}


def read_payload(
    attributes: Attributes, keys: Sequence[str], prefixes: tuple[str, ...]
) -> tuple[str, list[str]]:
    """Return inputs or outputs as JSON text ('' when absent) and the keys they were taken from."""
    for key in keys:
        if key in attributes:
            return _READERS.get(key, sniff_json)(attributes[key]), [key]
    for prefix in prefixes:
        messages, taken = _gather_messages(attributes, prefix)
        if messages:
            return to_json({"messages": messages}), taken
    return "", []


def read_text(attributes: Attributes, keys: Sequence[str]) -> str:
    """Return the first of the keys that holds text, or ''."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def read_span_type(attributes: Attributes) -> str:
    """Return the span type in MLflow's words; UNKNOWN where nothing tells."""
    for key in semconv.SPAN_TYPE_KEYS:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return _name_span_type(key, value)
    operation = attributes.get(semconv.OPERATION_NAME)
    if isinstance(operation, str) and operation in semconv.SPAN_TYPE_OF_OPERATION:
        return semconv.SPAN_TYPE_OF_OPERATION[operation]
    request = attributes.get(semconv.REQUEST_TYPE)
    if isinstance(request, str) and request in semconv.SPAN_TYPE_OF_REQUEST:
        return semconv.SPAN_TYPE_OF_REQUEST[request]
    return semconv.UNKNOWN_SPAN_TYPE


def _name_span_type(key: str, value: str) -> str:
    if key == semconv.SPAN_TYPE:
        return value.strip('"') or semconv.UNKNOWN_SPAN_TYPE
    if key == "traceloop.span.kind":
        return semconv.SPAN_TYPE_OF_TRACELOOP.get(value, value.upper())
    if key == "langfuse.observation.type":
        return semconv.SPAN_TYPE_OF_LANGFUSE.get(value, value.upper())
    return value.upper()


def _gather_messages(attributes: Attributes, prefix: str) -> tuple[list[Any], list[str]]:
    """Turn `N.rest = value` into a list ordered by N; return it and the keys that are in it.

    Gaps and huge indices cost nothing. What has no index, or no place beside another key, stays an
    attribute.
    """
    tree = _Branch()
    taken = []
    for key in attributes:
        if not key.startswith(prefix):
            continue
        path = key[len(prefix) :].split(".")
        if path[0].isdecimal() and _place(tree, path, attributes[key]):
            taken.append(key)
    return [_unwrap(_untangle(tree[index])) for index in sorted(tree, key=int)], taken


def _place(tree: _Branch, path: list[str], value: Any) -> bool:
    """Put a value into nested objects where there is room for it; tell whether there was."""
    node = tree
    for part in path[:-1]:
        below = node.setdefault(part, _Branch())
        if not isinstance(below, _Branch):
            return False
        node = below
    if path[-1] in node:
        return False
    node[path[-1]] = value
    return True


class _Branch(dict[str, Any]):
    """What lies below an index or a name, as opposed to a value that is an object itself."""


def _untangle(node: Any) -> Any:
    """Make lists of objects whose keys are all numbers."""
    if not isinstance(node, _Branch):
        return node
    items = {key: _untangle(value) for key, value in node.items()}
    if items and all(key.isdecimal() for key in items):
        return [_unwrap(items[key]) for key in sorted(items, key=int)]
    return items


def _unwrap(item: Any) -> Any:
    """Take off OpenInference's one-key wrappers: `message`, `tool_call`, `document`, …."""
    if isinstance(item, dict) and len(item) == 1:
        (name, inner), *_ = item.items()
        if name in ("message", "message_content", "tool_call", "document") and isinstance(
            inner, dict
        ):
            return inner
    return item


def read_number(attributes: Attributes, keys: Sequence[str]) -> float | None:
    """Return the first of the keys that holds a number, or a number as text; never nan or inf."""
    for key in keys:
        number = to_number(attributes.get(key))
        if number is not None:
            return number
    return None


def to_number(value: Any) -> float | None:
    """Return a finite number of 0 or more, or None."""
    if isinstance(value, str):
        value = from_json(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < float("inf") else None
