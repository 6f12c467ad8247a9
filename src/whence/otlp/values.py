"""What an OTLP attribute can hold, and what becomes of the rest.

An attribute's value is None, a str, a bool, an int64, a float, bytes, a list or a map with string
keys. `plain` brings any Python object to one of these, one level at a time, so that the JSON and
the protobuf encoder agree: an integer beyond int64 becomes its decimal text, a list or map deeper
than `MAX_DEPTH` becomes its JSON text, any other object becomes its `str`. It never raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_DEPTH = 24  # protobuf readers stop at 100 messages; a nested map costs three of them
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def plain(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one a kind
    """Return `value` as exactly None, str, bool, int64, float, bytes, list or dict.

    `depth` says how deep it lies (1 for an attribute's own value).
    """
    kind = type(value)
    if value is None or kind in (str, bool, float, bytes):
        return value
    if kind is int:
        return value if INT64_MIN <= value <= INT64_MAX else _big_int_text(value)
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        if depth > MAX_DEPTH:
            return _deep_text(value)
        if isinstance(value, dict):
            return value if kind is dict else dict(value)
        return value if kind is list else list(value)
    for exact in (str, int, float):  # an enum member, a numpy float, …
        if isinstance(value, exact):
            return plain(exact(value), depth)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return _text(value)


def key_text(key: Any) -> str:
    """Return a key of a map as OTLP wants it: a string."""
    return key if isinstance(key, str) else _text(key)


def _big_int_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses decimal text of more than 4,300 digits
        return hex(value)


def _deep_text(value: Any) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=_text).decode()
    except (RecursionError, UnicodeEncodeError, TypeError, ValueError):
        return f"<{type(value).__name__} nested too deeply>"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - str of a foreign object may raise anything
        return f"<{type(value).__name__}>"
