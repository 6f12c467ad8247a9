"""Token usage: of one span, in every dialect, and of a trace, without counting anything twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from whence import semconv
from whence.ingest.dialects import Attributes, read_number, to_number
from whence.ingest.jsontext import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable

Usage = dict[str, int]

INPUT, OUTPUT, TOTAL = "input_tokens", "output_tokens", "total_tokens"
CACHE_READ, CACHE_CREATION = "cache_read_input_tokens", "cache_creation_input_tokens"
_CACHE_KEYS = (CACHE_READ, CACHE_CREATION, "cache_creation_input_tokens_above_1hr")
_MAX_TOKENS = 2**53  # keeps a hostile sum within UInt64 and JSON's exact integers

_KEYS_OF_COUNT: dict[str, tuple[str, ...]] = {
    INPUT: semconv.INPUT_TOKEN_KEYS,
    OUTPUT: semconv.OUTPUT_TOKEN_KEYS,
    TOTAL: semconv.TOTAL_TOKEN_KEYS,
    CACHE_READ: semconv.CACHE_READ_TOKEN_KEYS,
    CACHE_CREATION: semconv.CACHE_CREATION_TOKEN_KEYS,
}
_ALL_KEYS = frozenset(key for keys in _KEYS_OF_COUNT.values() for key in keys)
USAGE_KEYS = _ALL_KEYS | {semconv.CHAT_TOKEN_USAGE}


def read_usage(attributes: Attributes) -> Usage | None:
    """Return a span's token counts, or None where it states none. The total is filled in."""
    stated = attributes.get(semconv.CHAT_TOKEN_USAGE)
    if stated is not None:
        counts = parse_usage(stated)
        if counts is not None:
            return counts
    if _ALL_KEYS.isdisjoint(attributes):
        return None
    found = {name: read_number(attributes, keys) for name, keys in _KEYS_OF_COUNT.items()}
    return _complete({name: int(count) for name, count in found.items() if _is_count(count)})


def parse_usage(value: Any) -> Usage | None:
    """Return the counts in an object (or its JSON text) of MLflow's form, or None."""
    if isinstance(value, str):
        value = from_json(value)
    if not isinstance(value, dict):
        return None
    counts: Usage = {}
    for name in (INPUT, OUTPUT, TOTAL, *_CACHE_KEYS):
        count = to_number(value.get(name))
        if _is_count(count):
            counts[name] = int(count)
    return _complete(counts)


def sum_usage(usages: Iterable[Usage]) -> Usage | None:
    """Add usages up; a cache count appears only if some usage has it. None when there is none."""
    total: Usage = {}
    for usage in usages:
        for name in (INPUT, OUTPUT, TOTAL):
            total[name] = min(_MAX_TOKENS, total.get(name, 0) + usage.get(name, 0))
        for name in _CACHE_KEYS:
            if name in usage:
                total[name] = min(_MAX_TOKENS, total.get(name, 0) + usage[name])
    return total or None


def _complete(counts: Usage) -> Usage | None:
    if not counts:
        return None
    if TOTAL not in counts:
        counts[TOTAL] = counts.get(INPUT, 0) + counts.get(OUTPUT, 0)
    return counts


def _is_count(number: float | None) -> TypeGuard[float]:
    """Tell a count from nonsense, which is left out: unknown means absent."""
    return number is not None and 0 <= number <= _MAX_TOKENS
