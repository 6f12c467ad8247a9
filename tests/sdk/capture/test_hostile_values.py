"""Whatever is passed in: the function runs once, its result is the same object, the JSON is valid."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import pathlib
import sys
import threading
import uuid
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest

import whence
from whence import semconv
from whence.sdk.capture import values as capture


class Unprintable:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Exits:
    def __str__(self):
        raise SystemExit(3)


class Recursive:
    def __str__(self):
        return str(self)


class Colour(enum.Enum):
    RED = 1


class Word(str, enum.Enum):
    YES = "yes"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Node:
    name: str
    next: object = None
    more: list = field(default_factory=list)


@dataclass
class Moody:
    fine: int = 1

    @property
    def mood(self):
        raise RuntimeError

    def __getattribute__(self, name):
        if name == "fine":
            raise ValueError("not today")
        return super().__getattribute__(name)


class Model(pydantic.BaseModel):
    name: str
    when: dt.datetime | None = None
    inner: Model | None = None


class BadModel(pydantic.BaseModel):
    x: int = 1

    @pydantic.model_serializer
    def serialize(self):
        raise RuntimeError("no dump")


class Point(NamedTuple):
    x: int
    y: int


def nested(depth, kind=list):
    value = "core"
    for _ in range(depth):
        value = [value] if kind is list else {"k": value}
    return value


def looped_list():
    value = []
    value.append(value)
    return value


def looped_dict():
    value = {}
    value["me"] = value
    return value


def looped_node():
    node = Node("a")
    node.next = node
    return node


def doubled(times):
    value = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


HOSTILE = {
    "list in itself": looped_list,
    "dict in itself": looped_dict,
    "dataclass in itself": looped_node,
    "list 5,000 deep": lambda: nested(5000),
    "dict 5,000 deep": lambda: nested(5000, dict),
    "dataclasses 1,000 deep": lambda: __import__("functools").reduce(
        lambda inner, _: Node("n", inner), range(1000), None
    ),
    "unprintable": Unprintable,
    "unprintable in a list": lambda: [1, Unprintable(), 2],
    "exits when printed": Exits,
    "recursive str": Recursive,
    "billion laughs": lambda: doubled(40),
    "two million elements": lambda: list(range(2_000_000)),
    "a dict of 600,000": lambda: dict.fromkeys(map(str, range(600_000)), 1),
    "a huge text": lambda: "x" * 40_000_000,
    "a property that raises": Moody,
    "a dump that raises": BadModel,
    "a huge set": lambda: set(range(700_000)),
    "huge bytes": lambda: bytes(3_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_passes_through_and_the_span_says_what_is_missing(spans, name):
    value = HOSTILE[name]()
    calls = []

    @whence.trace
    def call(argument, other=1):
        calls.append(argument)
        return argument

    assert call(value) is value
    assert len(calls) == 1
    assert calls[0] is value
    record = spans.one()
    inputs = json.loads(record.attributes[semconv.INPUTS])
    assert inputs["other"] == 1
    json.loads(record.attributes[semconv.OUTPUTS])
    assert "inputs: " in record.attributes[semconv.CAPTURE_PROBLEM]
    assert whence.tracing.stats().problems.get("internal_errors", 0) == 0


HARMLESS = {
    "lock": threading.Lock,
    "generator": lambda: (i for i in range(3)),
    "numpy array": lambda: np.zeros((3, 3)),
    "data frame": lambda: pd.DataFrame({"a": [1]}),
    "module": lambda: json,
    "class": lambda: dict,
    "lone surrogate": lambda: {"a\ud800": "b\udfff"},
    "null byte": lambda: "a\x00b",
    "big int": lambda: 2**200,
    "exception": lambda: ValueError("x"),
    "open range": lambda: range(10**9),
    "memoryview": lambda: memoryview(b"x"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_an_odd_value_is_captured_without_a_problem(spans, name):
    value = HARMLESS[name]()
    assert whence.trace(lambda x: x)(value) is value
    record = spans.one()
    json.loads(record.attributes[semconv.INPUTS].encode("utf-8"))
    assert semconv.CAPTURE_PROBLEM not in record.attributes


def test_a_generator_argument_is_not_consumed(spans):
    numbers = (i for i in range(3))
    assert whence.trace(list)(numbers) == [0, 1, 2]


CAPTURED = {
    "nan": (float("nan"), "NaN"),
    "infinities": ([float("inf"), -float("inf"), 1.5], ["Infinity", "-Infinity", 1.5]),
    "a long list with one nan": ([1.0] * 100 + [float("nan")], [1.0] * 100 + ["NaN"]),
    "tuple": ((1, (2,)), [1, [2]]),
    "number keys": (
        {1: "a", None: "b", False: "c", 1.5: "d"},
        {"1": "a", "null": "b", "false": "c", "1.5": "d"},
    ),
    "datetime": (dt.datetime(2020, 1, 2, 3, 4, 5), "2020-01-02 03:04:05"),
    "decimal": (decimal.Decimal("1.50"), "1.50"),
    "uuid": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
    "set": ({1}, "{1}"),
    "bytes": (b"\x00", "b'\\x00'"),
    "plain enum": (Colour.RED, "Colour.RED"),
    "str enum": (Word.YES, "yes"),
    "int enum": (Level.HIGH, 3),
    "dataclass": (
        Node("a", Node("b"), [1]),
        {"name": "a", "next": {"name": "b", "next": None, "more": []}, "more": [1]},
    ),
    "pydantic": (
        Model(name="a", inner=Model(name="b")),
        {"name": "a", "when": None, "inner": {"name": "b", "when": None, "inner": None}},
    ),
    "numpy float": (np.float64(1.5), 1.5),
    "numpy int": (np.int64(3), 3),
    "numpy bool": (np.bool_(True), True),
    "numpy float32 nan": (np.float32("nan"), "NaN"),
    "array": (np.array([1, 2]), "[1 2]"),
    "ordered dict": (OrderedDict(a=1), {"a": 1}),
    "default dict": (defaultdict(list, a=[1]), {"a": [1]}),
    "named tuple": (Point(1, 2), [1, 2]),
    "tuple keys": ({(1, 2): 3}, "{(1, 2): 3}"),
    "non-ascii": ("grüße 😀", "grüße 😀"),
    "300 deep fits MLflow, 150 ours": (nested(150), nested(150)),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_values_are_written_as_documented(name):
    value, expected = CAPTURED[name]
    text, problem = capture.capture(value)
    assert json.loads(text) == expected
    assert problem is None


def test_non_ascii_is_not_escaped():
    assert capture.capture("ü")[0] == '"ü"'.encode()


def test_later_changes_of_an_argument_do_not_show(spans, inputs_of):
    @whence.trace
    def change(items):
        items.append(2)

    change([1])
    assert inputs_of(spans.one()) == {"items": [1]}


def test_a_traced_str_adds_no_spans_of_its_own(spans, inputs_of):
    class Printed:
        @whence.trace
        def __str__(self):
            return "printed"

    whence.trace(lambda x: None, name="call")(Printed())
    assert spans.names() == ["call"]
    assert inputs_of(spans.one()) == {"x": "printed"}


def test_tracing_works_close_to_the_recursion_limit(spans):
    @whence.trace
    def down(depth):
        return depth if depth == 0 else down(depth - 1)

    assert down(200) == 0
    assert len(spans) == 201
    spans.items.clear()

    results = []

    def until_the_limit():
        try:
            until_the_limit()
        except RecursionError:
            results.append(
                whence.trace(lambda x: x)({"a": [looped_list()]}) if len(results) > 60 else None
            )
            results.append(None)
            raise

    with pytest.raises(RecursionError):
        until_the_limit()
    assert {"a"} in [set(one) for one in results if one]


def test_attributes_of_any_value_are_typed_or_said_in_words(spans):
    with whence.start_span("s") as span:
        span.set_attributes(
            {
                "list": [1, 2],
                "dict": {"a": {1}},
                "nan": float("nan"),
                "none": None,
                7: "key",
                "u": Unprintable(),
            }
        )
        span.set_attributes("not a dict")
        assert span.get_attribute("dict") == {"a": "{1}"}
    attributes = spans.one().attributes
    assert attributes["list"] == [1, 2]
    assert attributes["nan"] == "NaN"
    assert attributes["7"] == "key"
    assert attributes["u"].startswith("<Unprintable")
    assert "attribute u: " in attributes[semconv.CAPTURE_PROBLEM]


def test_a_dict_that_another_thread_changes_is_captured(spans):
    shared = {str(i): i for i in range(1000)}
    stop = threading.Event()

    def churn():
        i = 0
        while not stop.is_set():
            shared[f"new{i % 5000}"] = i
            shared.pop(f"new{(i - 100) % 5000}", None)
            i += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        call = whence.trace(lambda x: x)
        for _ in range(200):
            assert call(shared) is shared
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert all(json.loads(record.attributes[semconv.INPUTS]) for record in spans.records)
