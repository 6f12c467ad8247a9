"""Whatever a span holds, both encodings carry it, and they agree."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from whence.otlp import json, protobuf
from whence.otlp.records import Event, Link, Resource, ResourceSpans, SpanRecord
from whence.otlp.values import MAX_DEPTH

TEXT = st.text(st.characters())  # with null bytes and lone surrogates
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXT, st.binary()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=5)
TIMES = st.integers(0, 2**63 - 1)


def ids(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).filter(any).map(bytes.hex)


SPANS = st.builds(
    SpanRecord,
    trace_id=ids(16),
    span_id=ids(8),
    parent_id=st.none() | ids(8),
    name=TEXT,
    kind=st.integers(0, 5),
    start_time_ns=TIMES,
    end_time_ns=TIMES,
    status=st.integers(0, 2),
    status_message=TEXT,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, TEXT, TIMES, ATTRIBUTES), max_size=2),
    links=st.lists(st.builds(Link, ids(16), ids(8), ATTRIBUTES), max_size=2),
    scope=st.sampled_from(["", "whence", "other"]),
    trace_state=TEXT,
)
GROUPS = st.lists(
    st.builds(
        ResourceSpans, st.builds(Resource, ATTRIBUTES), st.lists(SPANS, min_size=1, max_size=3)
    ),
    max_size=3,
)


def comparable(value: Any) -> Any:
    """NaN equals itself here; -0.0 and 0.0 differ."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if hasattr(value, "__struct_fields__"):
        return {name: comparable(getattr(value, name)) for name in value.__struct_fields__}
    return value


def clean(value: Any) -> Any:
    """What the wire can say of `value`, told independently of the encoders."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if hasattr(value, "__struct_fields__"):
        return type(value)(**{n: clean(getattr(value, n)) for n in value.__struct_fields__})
    return value


def by_scope(groups: list[ResourceSpans]) -> list[ResourceSpans]:
    """The wire groups spans by scope, in order of first appearance."""
    ordered = []
    for group in groups:
        scopes = list(dict.fromkeys(span.scope for span in group.spans))
        spans = sorted(group.spans, key=lambda span: scopes.index(span.scope))
        ordered.append(ResourceSpans(group.resource, spans))
    return ordered


@settings(max_examples=150, deadline=None)
@given(GROUPS)
def test_both_encodings_bring_back_what_was_sent(groups: list[ResourceSpans]) -> None:
    expected = comparable(by_scope(clean(groups)))
    assert comparable(json.decode_request(json.encode_request(groups))) == expected
    assert comparable(protobuf.decode_request(protobuf.encode_request(groups))) == expected


@settings(max_examples=100, deadline=None)
@given(GROUPS)
def test_an_encoded_request_is_one_line(groups: list[ResourceSpans]) -> None:
    assert b"\n" not in json.encode_request(groups)


def sent(value: Any) -> tuple[Any, Any]:
    """`value` as an attribute, after JSON and after protobuf."""
    span = SpanRecord(
        trace_id="a" * 32, span_id="b" * 16, name="s", start_time_ns=1, attributes={"v": value}
    )
    groups = [ResourceSpans(Resource(), [span])]
    after_json = json.decode_request(json.encode_request(groups))
    after_protobuf = protobuf.decode_request(protobuf.encode_request(groups))
    return (
        after_json[0].spans[0].attributes["v"],
        after_protobuf[0].spans[0].attributes["v"],
    )


def test_64_bit_edges_keep_every_digit() -> None:
    for value in (2**63 - 1, -(2**63), 2**53 + 1):
        assert sent(value) == (value, value)


def test_an_integer_beyond_64_bits_becomes_its_text() -> None:
    assert sent(2**63) == ("9223372036854775808",) * 2
    assert sent(10**6000)[0].startswith("0x")


def test_infinities_and_nan_survive() -> None:
    assert sent(math.inf) == (math.inf, math.inf)
    assert sent(-math.inf) == (-math.inf, -math.inf)
    assert all(math.isnan(value) for value in sent(math.nan))


def test_500_levels_arrive_as_levels_and_then_as_json_text() -> None:
    value: Any = "core"
    for _ in range(500):
        value = [value]
    for arrived in sent(value):
        depth = 0
        while isinstance(arrived, list):
            arrived, depth = arrived[0], depth + 1
        assert depth == MAX_DEPTH
        assert arrived == "[" * (500 - depth) + '"core"' + "]" * (500 - depth)


def test_a_value_without_end_leaves_a_note_instead() -> None:
    value: list[Any] = []
    value.append(value)
    for arrived in sent(value):
        while isinstance(arrived, list):
            arrived = arrived[0]
        assert arrived == "<list nested too deeply>"


def test_foreign_objects_become_text_even_when_they_refuse() -> None:
    class Refuses:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert sent(Refuses()) == ("<Refuses>", "<Refuses>")
    assert sent({1: object}) == ({"1": str(object)},) * 2
    assert sent((1, "a")) == ([1, "a"],) * 2
