"""What a filter means, in plain Python over plain dicts: written apart from the SQL compiler.

A trace is a dict:

    trace_id, request_time_ms, duration_ns | None, state, name | None, client_request_id | None,
    request_preview | None, response_preview | None,
    environment | None (normalised), metadata {str: str} (all keys),
    tags {str: str} (initial), tag_writes {str: str | None} (later ones; None deletes),
    spans [{name, type, status, status_message, inputs, outputs, events, attributes {str: JSON}}],
    assessments [{kind, name, value (JSON), valid, deleted}]
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import re2

from whence.query.filters import And, Comparison, Filter, Not, Or
from whence.query.versions import sort_key

Trace = dict[str, Any]

KEY_OF_FIELD = {
    "app_version": "app_version",
    "commit": "mlflow.source.git.commit",
    "branch": "mlflow.source.git.branch",
    "session": "mlflow.trace.session",
    "user": "mlflow.trace.user",
    "run_id": "mlflow.sourceRun",
    "dirty": "whence.git.dirty",
    "dirty_hash": "whence.git.dirty_hash",
}
ENVIRONMENTS = {
    "prod": "production",
    "prd": "production",
    "live": "production",
    "stage": "staging",
    "stg": "staging",
    "preprod": "staging",
    "pre-production": "staging",
    "dev": "development",
    "devel": "development",
    "develop": "development",
    "local": "development",
    "testing": "test",
    "ci": "test",
}
NEGATIVE = {"!=": "=", "NOT LIKE": "LIKE", "NOT ILIKE": "ILIKE", "NOT RLIKE": "RLIKE"}


def matches(tree: Filter | None, trace: Trace) -> bool:
    """Tell whether a trace is found by a filter."""
    if tree is None:
        return True
    if isinstance(tree, Not):
        return not matches(tree.operand, trace)
    if isinstance(tree, Or):
        return any(matches(operand, trace) for operand in tree.operands)
    operands = tree.operands if isinstance(tree, And) else (tree,)
    of_span = [one for one in operands if isinstance(one, Comparison) and is_of_span(one)]
    others = [one for one in operands if one not in of_span]
    if of_span and not any(
        all(holds_for_span(one, span) for one in of_span) for span in trace["spans"]
    ):
        return False
    return all(
        holds_for_trace(one, trace) if isinstance(one, Comparison) else matches(one, trace)
        for one in others
    )


def is_of_span(one: Comparison) -> bool:
    return one.field.kind in ("span", "span_attribute")


def holds_for_span(one: Comparison, span: dict[str, Any]) -> bool:
    if one.field.kind == "span_attribute":
        key = one.field.key
        if key in ("mlflow.spanInputs", "mlflow.spanOutputs"):
            return compare(one, span["inputs" if key.endswith("Inputs") else "outputs"] or None)
        if key == "mlflow.spanType":
            return compare(one, span["type"] or None)
        return compare(one, json_text(span["attributes"].get(key)), exponents=True)
    if one.field.key == "content":
        return compare(one, content(span))
    return compare(one, span[one.field.key])


def content(span: dict[str, Any]) -> str:
    attributes = [f'"{key}": {value}' for key, value in span["attributes"].items()]
    head = [span["name"], span["type"], span["status_message"], span["inputs"], span["outputs"]]
    return "\n".join([*head, *attributes, span["events"]])


def holds_for_trace(one: Comparison, trace: Trace) -> bool:
    kind, key = one.field.kind, one.field.key
    if kind == "metadata":
        return compare(one, trace["metadata"].get(key))
    if kind == "tag":
        return compare(one, effective_tag(trace, key))
    if kind == "issue":
        return any(item["name"] in one.values for item in judgements(trace, "issue"))
    if kind in ("feedback", "expectation"):
        found = [item for item in judgements(trace, kind) if item["name"] == key]
        if one.operator == "IS NULL":
            return not found
        return any(compare(one, json_text(item["value"]), exponents=True) for item in found)
    return holds_for_attribute(one, trace)


def holds_for_attribute(one: Comparison, trace: Trace) -> bool:
    key = one.field.key
    duration_ms = None if trace["duration_ns"] is None else trace["duration_ns"] // 1_000_000
    if key == "timestamp_ms":
        return compare_number(one, trace["request_time_ms"])
    if key == "execution_time_ms":
        return compare_number(one, duration_ms)
    if key == "end_time_ms":
        return compare_number(
            one, None if duration_ms is None else trace["request_time_ms"] + duration_ms
        )
    if key == "name":
        return compare(one, effective_tag(trace, "mlflow.traceName"))
    if key == "prompt":
        linked = linked_prompts(effective_tag(trace, "mlflow.linkedPrompts"))
        return any(value in linked for value in one.values)
    if key == "environment":
        normalised = one.operator in ("=", "!=", "IN", "NOT IN")
        return compare(one, trace["environment"], translate=environment if normalised else None)
    if key == "trace_id" and one.operator in ("=", "!=", "IN", "NOT IN"):
        inside = any(
            trace["trace_id"] in (value, f"tr-{value}" if is_bare(value) else value)
            for value in one.values
        )
        return inside is (one.operator in ("=", "IN"))
    if key in KEY_OF_FIELD:
        return compare(one, trace["metadata"].get(KEY_OF_FIELD[key]))
    return compare(one, trace[key])


def is_bare(value: Any) -> bool:
    return re.fullmatch("[0-9a-f]{32}", value) is not None


def environment(value: Any) -> Any:
    if isinstance(value, float):
        return value
    name = value.strip().lower()
    return ENVIRONMENTS.get(name, name)


def effective_tag(trace: Trace, key: str) -> str | None:
    if key in trace["tag_writes"]:
        return trace["tag_writes"][key]
    return trace["name"] if key == "mlflow.traceName" else trace["tags"].get(key)


def judgements(trace: Trace, kind: str) -> list[dict[str, Any]]:
    return [
        item
        for item in trace["assessments"]
        if item["kind"] == kind and item["valid"] and not item["deleted"]
    ]


def linked_prompts(tag: str | None) -> list[str]:
    try:
        items = json.loads(tag or "[]")
        return [f"{item['name']}/{item['version']}" for item in items]
    except (ValueError, TypeError, KeyError):
        return []


def json_text(value: str | None) -> str | None:
    """Return the text of a JSON value: a string without its quotes, all else as it is written."""
    if value is None or not value.startswith('"'):
        return value
    return json.loads(value)


def compare(
    one: Comparison, text: str | None, *, exponents: bool = False, translate: Any = None
) -> bool:
    if one.operator == "IS NULL":
        return text is None
    if text is None:
        return False
    if one.operator == "IS NOT NULL":
        return True
    values = [translate(value) if translate else value for value in one.values]
    if one.operator == "IN":
        return any(compare_text("=", text, value, exponents) for value in values)
    if one.operator == "NOT IN":
        return all(compare_text("!=", text, value, exponents) for value in values)
    return compare_text(one.operator, text, values[0], exponents)


def compare_text(operator: str, text: str, value: str | float, exponents: bool) -> bool:
    if isinstance(value, float):
        number = read_number(text, exponents)
        return number is not None and compare_ordered(operator, number, value)
    if operator in NEGATIVE:
        return not compare_text(NEGATIVE[operator], text, value, exponents)
    if operator == "=":
        return text == value
    if operator == "LIKE":
        return like(value).fullmatch(text) is not None
    if operator == "ILIKE":
        return like(value, "(?i)").fullmatch(text) is not None
    if operator == "RLIKE":
        return re2.search("(?-s)" + value, text) is not None
    return compare_ordered(operator, sort_key(text), sort_key(value))


def like(pattern: str, flags: str = "") -> Any:
    wild = {"%": ".*", "_": "."}
    return re2.compile(
        "(?s)" + flags + "".join(wild.get(char) or re2.escape(char) for char in pattern)
    )


def read_number(text: str, exponents: bool) -> float | None:
    plain = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
    if not re.fullmatch(plain + (r"([eE][+-]?[0-9]+)?" if exponents else ""), text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def compare_number(one: Comparison, number: int | None) -> bool:
    if one.operator == "IS NULL":
        return number is None
    if number is None:
        return False
    if one.operator == "IS NOT NULL":
        return True
    if one.operator in ("IN", "NOT IN"):
        return (number in one.values) is (one.operator == "IN")
    return compare_ordered(one.operator, number, one.values[0])


def compare_ordered(operator: str, left: Any, right: Any) -> bool:
    outcomes = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return outcomes[operator]
