"""Text that no encoding can hold: a half of a surrogate pair, which JSON can bring as an escape."""

from __future__ import annotations

from typing import Any

import msgspec


def clean(text: str) -> str:
    """Return text that UTF-8 can carry: pairs are joined, a lone half becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_value(value: Any) -> Any:
    """Return plain data with all its texts clean, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(item) for item in value]
    return value


def encode_clean(value: Any) -> bytes:
    """Return the JSON of plain data (also of structs of it), with clean texts."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Raw is JSON already, and stays.
        plain = msgspec.to_builtins(value, str_keys=True, builtin_types=(msgspec.Raw,))
        return msgspec.json.encode(clean_value(plain))
