"""JSON text of attribute values, and back.

Text that can't be read as JSON becomes a JSON string, so every stored payload can be decoded. The
codec's limit is about 1,000 levels; a value nested deeper is stored as a note of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.surrogates import clean_value

if TYPE_CHECKING:
    from collections.abc import Mapping

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])

MAX_SHORT_CHARS, MAX_SHORT_TEXTS = 32, 4096
TOO_DEEP = '"(nested deeper than 1,000 levels)"'


def to_json(value: Any) -> str:
    """Return the JSON text of a decoded attribute value."""
    try:
        return _encoder.encode(value).decode()
    except RecursionError:
        return TOO_DEEP
    except UnicodeEncodeError:
        return _encoder.encode(clean_value(value)).decode()


class _ShortTexts(dict[str, str]):
    """Short text → its JSON text; bounded, because a program may say ever new ones."""

    def __missing__(self, text: str) -> str:
        if len(self) >= MAX_SHORT_TEXTS:
            self.clear()
        said = self[text] = to_json(text)
        return said


SHORT_TEXTS = _ShortTexts()


def write_object(texts: Mapping[str, str]) -> str:
    """Return the JSON object of values that are JSON text; '' where there are none."""
    if not texts:
        return ""
    return "{" + ",".join(f"{to_json(key)}:{text}" for key, text in texts.items()) + "}"


def read_object(text: str) -> dict[str, str]:
    """Return what `write_object` wrote."""
    return {key: bytes(raw).decode() for key, raw in _objects.decode(text).items()} if text else {}


def keep_json(text: str) -> str:
    """Return text that is JSON as it is, and any other text as a JSON string."""
    try:
        _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return to_json(text)
    return text


def sniff_json(value: Any) -> str:
    """Return JSON text of a value that may hold an object or a list as text already."""
    if isinstance(value, str):
        if value[:1] in ("{", "[") or value[:1].isspace():
            return keep_json(value)
        return to_json(value)
    return to_json(value)


def from_json(text: str) -> Any:
    """Return the value of JSON text; the text itself where it isn't JSON."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text


def to_plain_text(json_text: str) -> str:
    """Return what a JSON string says, and the JSON text of any other value."""
    value = from_json(json_text)
    return value if isinstance(value, str) else json_text
