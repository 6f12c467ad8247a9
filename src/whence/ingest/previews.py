"""What a list of traces shows of inputs and outputs: the last user's, the last assistant's words.

MLflow's rule: look for a message list, take the last message of the wanted role (else the last
one), its text or first text part; else the whole JSON text. NUL becomes U+FFFD. At most 1,000
characters, a cut ends in `...`.
"""

from __future__ import annotations

from typing import Any

from whence.ingest.jsontext import from_json
from whence.semconv import MAX_PREVIEW_CHARS

USER, ASSISTANT = "user", "assistant"
_TEXT_PARTS = ("text", "input_text", "output_text")
_MAX_REQUESTS = 10  # `request` within `request`, at most


def make_preview(json_text: str, role: str) -> str | None:
    """Return the preview of inputs (role `user`) or outputs (`assistant`); None without any."""
    if not json_text:
        return None
    messages = _find_messages(from_json(json_text))
    text = _read_message(messages, role) if messages else None
    return _cut(json_text if text is None else text)


def _find_messages(value: Any) -> list[Any] | None:
    for _ in range(_MAX_REQUESTS):
        if isinstance(value, list):
            return (
                value if any(isinstance(item, dict) and "role" in item for item in value) else None
            )
        if not isinstance(value, dict):
            return None
        found = _find_in_object(value)
        if found:
            return found
        value = value.get("request")
    return None


def _find_in_object(value: dict[str, Any]) -> list[Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    candidates = (
        value.get("messages"),
        [message] if isinstance(message, dict) else None,
        value.get("input"),
        value.get("output"),
    )
    for found in candidates:
        if isinstance(found, list) and any(isinstance(item, dict) for item in found):
            return found
    return None


def _read_message(messages: list[Any], role: str) -> str | None:
    objects = [message for message in messages if isinstance(message, dict)]
    wanted = [message for message in objects if message.get("role") == role]
    message = (wanted or objects)[-1]
    content = message.get("content", message.get("parts", message.get("contents")))
    if isinstance(content, str):
        return content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in _TEXT_PARTS:
            text = part.get("text", part.get("content"))
            if isinstance(text, str):
                return text
    return None


def _cut(text: str) -> str:
    if len(text) > MAX_PREVIEW_CHARS:
        text = text[: MAX_PREVIEW_CHARS - 3] + "..."
    return text.replace("\0", "\ufffd")
