"""The forms on the wire, there and back."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_wire import read_value
from whence.errors import InvalidInputError
from whence.server.mlflow import infos
from whence.server.mlflow.infos import write_duration
from whence.server.mlflow.requests import Fields, parse_object
from whence.server.mlflow.spans import write_value

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_a_value_keeps_its_type_and_its_content(value):
    back = read_value(write_value(value, 1))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_that_no_int64_holds_becomes_its_text(number):
    assert write_value(number, 1) == {"string_value": str(number)}


def test_a_value_deeper_than_protobuf_reads_becomes_its_json_text():
    value = 1
    for _ in range(60):
        value = [value]
    written, depth = write_value(value, 1), 0
    while "array_value" in written:
        (written,) = written["array_value"]["values"]
        depth += 1
    assert depth < 33 and set(written) == {"string_value"}


@given(st.integers(0, 10**20 - 1))
def test_a_duration_comes_back_to_the_nanosecond(duration_ns):
    assert Fields({"d": write_duration(duration_ns)}).duration_ns("d") == duration_ns


@pytest.mark.parametrize("name", ["some_long_name", "someLongName"])
def test_a_field_is_found_in_either_spelling(name):
    assert Fields({name: "x"}).text("some_long_name") == "x"


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), ("5", 5), ("-5", -5), (5.0, 5), ("9223372036854775807", 2**63 - 1)],
)
def test_an_int64_is_a_number_or_its_text(value, number):
    assert Fields({"n": value}).integer("n") == number


@pytest.mark.parametrize("value", [True, 1.5, "", "five", "0x5", "9223372036854775808", [5], "٥"])
def test_what_is_no_int64_is_refused(value):
    with pytest.raises(InvalidInputError, match="'n'"):
        Fields({"n": value}).integer("n")


@pytest.mark.parametrize("body", [b"[1]", b"5", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(InvalidInputError):
        parse_object(body)


def test_the_examples_are_true():
    assert doctest.testmod(infos).failed == 0
