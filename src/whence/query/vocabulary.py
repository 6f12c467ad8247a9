"""Which fields a filter may name, what they hold, and which operators that allows.

`find_field` turns an entity (`metadata`, `span`, …; None for a bare field) and a key to a `Field`
of a trace, `find_experiment_field` to one of an experiment. Entities and keys are case-sensitive,
as in MLflow.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

FieldKind = Literal[
    "attribute",
    "metadata",
    "tag",
    "span",
    "span_attribute",
    "feedback",
    "expectation",
    "issue",
    "experiment",
    "experiment_tag",
]
Operator = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "LIKE",
    "NOT LIKE",
    "ILIKE",
    "NOT ILIKE",
    "RLIKE",
    "NOT RLIKE",
    "IN",
    "NOT IN",
    "IS NULL",
    "IS NOT NULL",
]


@dataclass(frozen=True)
class Field:
    """What one comparison looks at. `key` is a canonical name (attribute, span) or a user's key."""

    kind: FieldKind
    key: str


class Holds(Enum):
    """What a field holds; it decides the operators and the literals."""

    TEXT = "text"  # any text: compared as text, as a number, or as a version
    WORD = "word"  # one of few words, or an id: compared as text only; never missing
    NUMBER = "number"  # milliseconds
    CONTENT = "content"  # a whole document: only patterns
    JUDGEMENT = "judgement"  # a JSON value: compared as text or as a number
    REFERENCE = "reference"  # only equality
    LABEL = "label"  # a short text: compared as text only; may be missing


EQUALITY: tuple[Operator, ...] = ("=", "!=", "IN", "NOT IN")
ORDERING: tuple[Operator, ...] = ("<", "<=", ">", ">=")
PATTERNS: tuple[Operator, ...] = (
    "LIKE",
    "NOT LIKE",
    "ILIKE",
    "NOT ILIKE",
    "RLIKE",
    "NOT RLIKE",
)
PRESENCE: tuple[Operator, ...] = ("IS NULL", "IS NOT NULL")

OPERATORS: dict[Holds, tuple[Operator, ...]] = {
    Holds.TEXT: EQUALITY + ORDERING + PATTERNS + PRESENCE,
    Holds.WORD: EQUALITY + PATTERNS,
    Holds.NUMBER: EQUALITY + ORDERING + PRESENCE,
    Holds.CONTENT: PATTERNS,
    Holds.JUDGEMENT: EQUALITY + ORDERING + PATTERNS + PRESENCE,
    Holds.REFERENCE: ("=", "IN"),
    Holds.LABEL: (*EQUALITY, "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", *PRESENCE),
}

# Bare fields, also with `trace.`, `attribute.` or `attributes.` in front.
ATTRIBUTES: dict[str, Holds] = {
    "timestamp_ms": Holds.NUMBER,
    "execution_time_ms": Holds.NUMBER,
    "end_time_ms": Holds.NUMBER,
    "state": Holds.WORD,
    "trace_id": Holds.WORD,
    "client_request_id": Holds.TEXT,
    "name": Holds.TEXT,
    "run_id": Holds.TEXT,
    "prompt": Holds.REFERENCE,
    "environment": Holds.TEXT,
    "app_version": Holds.TEXT,
    "commit": Holds.TEXT,
    "branch": Holds.TEXT,
    "dirty": Holds.TEXT,
    "dirty_hash": Holds.TEXT,
    "session": Holds.TEXT,
    "user": Holds.TEXT,
    "request_preview": Holds.TEXT,
    "response_preview": Holds.TEXT,
}
ALIASES: dict[str, str] = {
    "timestamp": "timestamp_ms",
    "execution_time": "execution_time_ms",
    "end_time": "end_time_ms",
    "status": "state",
    "request_id": "trace_id",
}
SPAN_FIELDS: dict[str, Holds] = {
    "name": Holds.WORD,
    "type": Holds.WORD,
    "status": Holds.WORD,
    "content": Holds.CONTENT,
}
KEYED: dict[str, FieldKind] = {
    "metadata": "metadata",
    "request_metadata": "metadata",
    "tag": "tag",
    "tags": "tag",
    "feedback": "feedback",
    "expectation": "expectation",
}
EXPERIMENT_FIELDS: dict[str, Holds] = {
    "experiment_id": Holds.LABEL,
    "name": Holds.LABEL,
    "creation_time": Holds.NUMBER,
    "last_update_time": Holds.NUMBER,
}
ATTRIBUTE_ENTITIES = ("attribute", "attributes", "trace")
ENTITIES = (*KEYED, *ATTRIBUTE_ENTITIES, "span", "issue")
SPAN_ATTRIBUTES = "attributes."

# What people write, and what they mean; the nearest spelling is found by difflib.
MEANT: dict[str, str] = {
    "latency": "execution_time_ms",
    "duration": "execution_time_ms",
    "duration_ms": "execution_time_ms",
    "execution_duration": "execution_time_ms",
    "execution_duration_ms": "execution_time_ms",
    "request_time": "timestamp_ms",
    "request_time_ms": "timestamp_ms",
    "time": "timestamp_ms",
    "trace_name": "name",
    "env": "environment",
    "version": "app_version",
    "service_version": "app_version",
    "git_commit": "commit",
    "sha": "commit",
    "session_id": "session",
    "user_id": "user",
    "preview": "request_preview",
    "request": "request_preview",
    "response": "response_preview",
    "id": "trace_id",
    "trace_metadata": "metadata",
    "label": "tags",
    "labels": "tags",
    "assessment": "feedback",
    "assessments": "feedback",
    "spans": "span",
}


def find_field(entity: str | None, key: str) -> Field | None:
    """Return the field, or None where there is none of that name."""
    if entity in KEYED:
        return Field(KEYED[entity], key)
    if entity == "span":
        return _find_span_field(key)
    if entity == "issue":
        return Field("issue", "id") if key == "id" else None
    if entity is not None and entity not in ATTRIBUTE_ENTITIES:
        return None
    if key == "text":
        return Field("span", "content")
    name = ALIASES.get(key, key)
    return Field("attribute", name) if name in ATTRIBUTES else None


def _find_span_field(key: str) -> Field | None:
    if key.startswith(SPAN_ATTRIBUTES):
        return Field("span_attribute", key[len(SPAN_ATTRIBUTES) :])
    return Field("span", key) if key in SPAN_FIELDS else None


def holds(field: Field) -> Holds:
    """Say what a field holds."""
    if field.kind == "attribute":
        return ATTRIBUTES[field.key]
    if field.kind == "span":
        return SPAN_FIELDS[field.key]
    if field.kind in ("feedback", "expectation"):
        return Holds.JUDGEMENT
    if field.kind == "issue":
        return Holds.REFERENCE
    if field.kind == "experiment":
        return EXPERIMENT_FIELDS[field.key]
    return Holds.LABEL if field.kind == "experiment_tag" else Holds.TEXT


def suggest(entity: str | None, key: str) -> str | None:
    """Return the name that was probably meant by one that is unknown."""
    if entity == "span":
        near = difflib.get_close_matches(key, [*SPAN_FIELDS, "attributes"], 1, 0.5)
        return f"span.{near[0]}" if near and near[0] != "attributes" else f"span.attributes.{key}"
    if entity == "issue":
        return "issue.id"
    if entity is not None and entity not in ATTRIBUTE_ENTITIES:
        near = [MEANT[entity]] if MEANT.get(entity) in ENTITIES else []
        near = near or difflib.get_close_matches(entity.lower(), ENTITIES, 1, 0.5)
        return f"{near[0]}.{key}" if near else None
    if key in MEANT and MEANT[key] in ATTRIBUTES:
        return MEANT[key]
    near = difflib.get_close_matches(key.lower(), [*ATTRIBUTES, *ALIASES], 1, 0.5)
    return near[0] if near else f"metadata.{key}"


def find_experiment_field(entity: str | None, key: str) -> Field | None:
    """Return the field of an experiment, or None where there is none of that name."""
    if entity in ("tag", "tags"):
        return Field("experiment_tag", key)
    if entity not in (None, "attribute", "attributes") or key not in EXPERIMENT_FIELDS:
        return None
    return Field("experiment", key)


def suggest_experiment_field(entity: str | None, key: str) -> str | None:
    """Return the name that was probably meant by one that no experiment has."""
    near = difflib.get_close_matches(key.lower(), EXPERIMENT_FIELDS, 1, 0.5)
    return near[0] if near else (f"tags.{key}" if entity is None else None)


@dataclass(frozen=True)
class Vocabulary:
    """The fields that the filters of one kind of thing may name."""

    find: Callable[[str | None, str], Field | None]
    suggest: Callable[[str | None, str], str | None]
    fields: tuple[str, ...]
    prefixes: tuple[str, ...]


TRACES = Vocabulary(find_field, suggest, tuple(ATTRIBUTES), ENTITIES)
EXPERIMENTS = Vocabulary(
    find_experiment_field,
    suggest_experiment_field,
    tuple(EXPERIMENT_FIELDS),
    ("tag", "tags", "attribute", "attributes"),
)
