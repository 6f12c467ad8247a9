"""Turn any value into JSON text at the moment it is captured, without ever raising.

Plain data (str, int, bool, None, finite float, and exact dict, list and tuple of those) goes
straight to msgspec. All else takes the slow road, which follows MLflow's rules (pydantic dumped,
dataclasses field by field, other objects as `str(value)`) where those give valid JSON, and puts
a placeholder where a value refers to itself, nests deeper than `MAX_DEPTH`, is larger than the
limits or raises when printed. Non-finite floats are written as "NaN", "Infinity", "-Infinity".

Limits: 200 levels, 500,000 elements (100,000 on the slow road) and 32 M characters a value,
1 M characters for the text of an object. What was left out is said in words, for the span's
`whence.capture.problem`.
"""

from __future__ import annotations

from math import isfinite, isnan
from types import NoneType
from typing import Any

import msgspec

from whence.sdk.capture import keys

MAX_DEPTH = 200
MAX_DEPTH_NEAR_LIMIT = 16  # when the program itself is close to its recursion limit
MAX_ELEMENTS = 500_000
MAX_CONVERTED = 100_000  # elements on the slow road, some 2 us each
MAX_TEXT = 32_000_000
MAX_OBJECT_TEXT = 1_000_000
MAX_PROBLEMS = 8

LEAVES = frozenset({str, int, bool, NoneType})
LONG_TEXT = 100_000  # shorter texts do not count against MAX_TEXT
LONG_LIST = 64  # from here on, look at the set of types first
NUMBERS = frozenset({int, float, bool, NoneType})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def capture(value: Any) -> tuple[bytes, str | None]:
    """Return the JSON text of a value, and what could not be captured (or None)."""
    try:
        if _is_plain(value, 0, [MAX_ELEMENTS, MAX_TEXT]):
            return _encode(value), None
    except Exception:  # noqa: BLE001, S110 - lone surrogates, a dict that another thread changes: the slow road copes
        pass
    return _capture_slowly(value)


def decode(text: bytes) -> Any:
    """Return the value that a captured JSON text says."""
    return _decode(text)


def text_of(value: Any) -> str:
    """Return `str(value)` for a log line or a metadata value; a placeholder where that raises."""
    return _SlowRoad(MAX_DEPTH_NEAR_LIMIT).print(value)


def _is_plain(  # noqa: C901, PLR0911, PLR0912 - the hot path, unrolled
    value: Any, depth: int, budget: list[int]
) -> bool:
    kind = type(value)
    if kind in LEAVES:
        return kind is not str or len(value) <= MAX_TEXT
    if kind is float:
        return isfinite(value)
    if kind is not dict and kind is not list and kind is not tuple:
        return False
    budget[0] -= len(value)
    if depth >= MAX_DEPTH or budget[0] < 0:
        return False
    children = value
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        children = value.values()
    if len(value) > LONG_LIST:
        kinds = set(map(type, children))
        if kinds <= NUMBERS and (float not in kinds or kinds == {float}):
            return float not in kinds or all(map(isfinite, children))
    for child in children:
        kind = type(child)
        if kind is str:
            if len(child) > LONG_TEXT:
                budget[1] -= len(child)
                if budget[1] < 0:
                    return False
        elif kind is float:
            if not isfinite(child):
                return False
        elif kind not in LEAVES and not _is_plain(child, depth + 1, budget):
            return False
    return True


def _capture_slowly(value: Any) -> tuple[bytes, str | None]:
    with keys.muted():  # a traced __str__ or property would add spans of its own
        return _convert(value)


def _convert(value: Any) -> tuple[bytes, str | None]:
    for depth in (MAX_DEPTH, MAX_DEPTH_NEAR_LIMIT):
        slow = _SlowRoad(depth)
        try:
            return _encode(slow.convert(value)), slow.said()
        except RecursionError:
            continue
        except UnkeyableError:
            return _encode(slow.print(value, repr)), slow.said()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a user's object may raise anything
            name = type(error).__name__
            break
    else:
        name = "RecursionError"
    return _encode(f"<not captured: {name}>"), f"the whole value: {name} while reading it"


class UnkeyableError(Exception):
    """A dict has a key that JSON can't say; MLflow writes the whole value's `repr` then."""


class _SlowRoad:
    """One conversion of one value to plain data, with what had to be left out."""

    def __init__(self, max_depth: int) -> None:
        self.max_depth = max_depth
        self.elements = MAX_CONVERTED
        self.characters = MAX_TEXT
        self.ancestors: set[int] = set()
        self.problems: list[str] = []

    def said(self) -> str | None:
        return "; ".join(self.problems) or None

    def leave_out(self, what: str) -> str:
        if len(self.problems) < MAX_PROBLEMS and what not in self.problems:
            self.problems.append(what)
        return f"<{what}>"

    def convert(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one a kind
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            text = self.cut(str.__str__(value), self.characters)
            self.characters -= len(text)
            return text
        if isinstance(value, int):
            return int.__add__(value, 0)
        if isinstance(value, float):
            return finite(float.__pos__(value))
        if id(value) in self.ancestors:
            return self.leave_out(f"a {type(value).__name__} that contains itself")
        if depth >= self.max_depth:
            return self.leave_out(f"nested deeper than {self.max_depth} levels")
        self.ancestors.add(id(value))
        try:
            return self.convert_object(value, depth)
        finally:
            self.ancestors.discard(id(value))

    def convert_object(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - one a kind
        kind = type(value)
        if isinstance(value, dict):
            items = list(dict.items(value))
            return {
                self.key(key): self.convert(child, depth + 1) for key, child in self.take(items)
            }
        if isinstance(value, list):
            return [self.convert(child, depth + 1) for child in self.take(list.copy(value))]
        if isinstance(value, tuple):
            return [
                self.convert(child, depth + 1)
                for child in self.take(tuple.__getitem__(value, slice(None)))
            ]
        if hasattr(kind, "__dataclass_fields__"):
            return self.fields(value, list(kind.__dataclass_fields__), depth)
        if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_dump"):
            return self.dump(value, depth)
        if kind.__module__ == "numpy" and not getattr(value, "shape", None):
            return self.scalar(value)
        return self.print(value)

    def take(self, children: Any) -> Any:
        """Return the children that the budget allows; it is taken before theirs."""
        allowed = min(len(children), self.elements)
        self.elements -= allowed
        if allowed < len(children):
            self.leave_out(f"{len(children) - allowed:,} further elements")
            return children[:allowed]
        return children

    def key(self, key: Any) -> str:
        if isinstance(key, str):
            return self.cut(str.__str__(key), MAX_OBJECT_TEXT)
        if key is None or key is True or key is False:
            return "null" if key is None else "true" if key else "false"
        if isinstance(key, (int, float)):
            return str(self.convert(key))
        raise UnkeyableError

    def fields(self, value: Any, names: list[str], depth: int) -> dict[str, Any]:
        converted = {}
        for name in names:
            try:
                child = getattr(value, name)
            except Exception as error:  # noqa: BLE001, PERF203 - the user's property
                converted[name] = self.leave_out(f"{name} raised {type(error).__name__}")
            else:
                converted[name] = self.convert(child, depth + 1)
        return converted

    def dump(self, value: Any, depth: int) -> Any:
        try:
            dumped = value.model_dump()
        except Exception as error:  # noqa: BLE001 - a serialiser of the user's, or a model built without validation
            self.leave_out(f"{type(value).__name__}.model_dump() raised {type(error).__name__}")
            return self.fields(value, list(type(value).model_fields), depth)
        return self.convert(dumped, depth + 1)

    def scalar(self, value: Any) -> Any:
        """Return a number from a numpy scalar, and the text of anything else numpy has."""
        plain = value.item() if hasattr(value, "item") else value
        return self.convert(plain) if isinstance(plain, (int, float, str)) else self.print(value)

    def print(self, value: Any, printer: Any = str) -> str:
        kind = type(value)
        if isinstance(value, (bytes, bytearray)) and len(value) > MAX_OBJECT_TEXT:
            self.leave_out(f"{len(value) - MAX_OBJECT_TEXT:,} further bytes")
            value = value[:MAX_OBJECT_TEXT]
        elif isinstance(value, (set, frozenset)) and len(value) > self.elements:
            return self.leave_out(f"{kind.__name__} of {len(value):,} elements")
        try:
            text = printer(value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, RecursionError) and self.max_depth > MAX_DEPTH_NEAR_LIMIT:
                raise  # perhaps our own depth is to blame: again with less
            return self.leave_out(
                f"{kind.__name__} whose {printer.__name__}() raised {type(error).__name__}"
            )
        return self.cut(str.__str__(text), MAX_OBJECT_TEXT)

    def cut(self, text: str, limit: int) -> str:
        if len(text) > limit:
            self.leave_out(f"{len(text) - limit:,} further characters")
            text = text[:limit]
        if not text.isascii():
            # A lone surrogate has no UTF-8 form.
            text = text.encode("utf-8", "replace").decode("utf-8")
        return text


def finite(number: float) -> float | str:
    """Return the number, or the word that stands for it where JSON has none."""
    if isfinite(number):
        return number
    return "NaN" if isnan(number) else "Infinity" if number > 0 else "-Infinity"
