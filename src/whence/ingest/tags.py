"""What may be set as a tag, and what is refused. The limits are MLflow's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whence import semconv
from whence.entities.surrogates import clean
from whence.errors import ConflictError, InvalidInputError
from whence.ingest.jsontext import from_json, to_json
from whence.semconv import MAX_KEY_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TAG_VALUE_CHARS = 8000
_LINKS = (semconv.LINKED_RUNS_TAG, semconv.LINKED_PROMPTS_TAG)
_KEY = re.compile(r"[\w\-.:/ ]+")


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags as they are stored: a long value is cut; raise where a key may not be set."""
    return {
        check_tag_key(key): cut_tag(key, clean(_check_value(key, value)))
        for key, value in tags.items()
    }


def cut_tag(key: str, value: str) -> str:
    """Return a tag's value as it is stored: cut where it is long, a list of links at an item."""
    if len(value) <= MAX_TAG_VALUE_CHARS:
        return value
    listed = from_json(value) if key in _LINKS else None
    if not isinstance(listed, list):
        return value[:MAX_TAG_VALUE_CHARS]
    texts: list[str] = []
    chars = 1  # a bracket; each item has one more, or a comma
    for item in listed:
        text = to_json(item)
        chars += len(text) + 1
        if chars > MAX_TAG_VALUE_CHARS:
            break
        texts.append(text)
    return f"[{','.join(texts)}]"


def check_experiment_tags(tags: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return an experiment's tags as they are stored; None deletes one. Raise as `check_tags`."""
    return {
        _check_name(key): None
        if value is None
        else clean(_check_value(key, value))[:MAX_TAG_VALUE_CHARS]
        for key, value in tags.items()
    }


def check_tag_key(key: str) -> str:
    """Return a key that may be set, or raise."""
    if not isinstance(key, str):
        raise InvalidInputError(f"a tag's key is a string, got {type(key).__name__}")
    if key in semconv.SERVER_TAGS:
        raise InvalidInputError(f"Tag '{key}' is immutable and cannot be set on a trace.")
    if key.startswith(semconv.METADATA_PREFIX):
        name = key[len(semconv.METADATA_PREFIX) :]
        raise ConflictError(
            f"metadata {name[:100]!r} can't be written as a tag: metadata is immutable once the "
            "trace has ended; set a tag of another name"
        )
    return _check_name(key)


def _check_name(key: str) -> str:
    if len(key) > MAX_KEY_CHARS:
        raise InvalidInputError(f"'key' exceeds the maximum length of {MAX_KEY_CHARS} characters")
    if not _KEY.fullmatch(key):
        raise InvalidInputError(
            f"Invalid tag key {key[:100]!r}: it may hold letters, digits, '_', '-', '.', ':', '/' "
            "and spaces, and is not empty"
        )
    return key


def check_tag_deletion(key: str) -> str:
    """Return a key that may be deleted, or raise."""
    if key in semconv.SERVER_TAGS and key not in semconv.DELETABLE_SERVER_TAGS:
        raise InvalidInputError(f"Tag '{key}' is immutable and cannot be deleted on a trace.")
    return key


def _check_value(key: str, value: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(
            f"the value of tag {key[:100]!r} must be a string, got {type(value).__name__}"
        )
    return value
