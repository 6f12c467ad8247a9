"""Filter text to `Filter`: what is read, what is refused, and how the refusal reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.generate import filters, renderable

from whence.errors import FilterError
from whence.query.filters import And, Comparison, Not, Or, render
from whence.query.parser import parse_filter
from whence.query.vocabulary import Field


def one(text):
    parsed = parse_filter(text)
    assert isinstance(parsed, Comparison)
    return parsed


@pytest.mark.parametrize("text", [None, ""])
def test_no_text_means_no_filter(text):
    assert parse_filter(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "metadata.env = 'dev'",
        "metadata.\"env\" = 'dev'",
        'metadata.`env` = "dev"',
        "request_metadata.env='dev'",
    ],
)
def test_a_key_and_its_value_may_be_quoted_in_every_way_of_mlflow(text):
    assert one(text) == Comparison(Field("metadata", "env"), "=", ("dev",))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("metadata.mlflow.trace.session = 'x'", "mlflow.trace.session"),
        ("metadata.`mlflow.trace.session` = 'x'", "mlflow.trace.session"),
        ("metadata.`my tag` = 'x'", "my tag"),
        ("metadata.\"a-b\" = 'x'", "a-b"),
        ("metadata.`a``b` = 'x'", "a`b"),
        ("metadata.2fa.1e5 = 'x'", "2fa.1e5"),
        ("metadata.ключ = 'x'", "ключ"),
        ("metadata.name = 'x'", "name"),
        ("metadata.timestamp = 'x'", "timestamp"),
        ("metadata.and = 'x'", "and"),
        ("metadata. = 'x'", ""),
    ],
)
def test_a_key_is_taken_as_it_stands(text, key):
    assert one(text).field == Field("metadata", key)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("timestamp > 5", Field("attribute", "timestamp_ms")),
        ("attributes.execution_time < 5", Field("attribute", "execution_time_ms")),
        ("trace.end_time = 5", Field("attribute", "end_time_ms")),
        ("attribute.status = 'OK'", Field("attribute", "state")),
        ("state = 'OK'", Field("attribute", "state")),
        ("request_id = 'x'", Field("attribute", "trace_id")),
        ("trace.text LIKE 'x'", Field("span", "content")),
        ("span.content LIKE 'x'", Field("span", "content")),
        ("span.attributes.a.b = 'x'", Field("span_attribute", "a.b")),
        ("span.attributes.`a b` = 'x'", Field("span_attribute", "a b")),
        ("tag.t = 'x'", Field("tag", "t")),
        ("feedback.`is good` = 'x'", Field("feedback", "is good")),
        ("expectation.e = 'x'", Field("expectation", "e")),
        ("issue.id = 'x'", Field("issue", "id")),
        ("user = 'x'", Field("attribute", "user")),
        ("commit = 'x'", Field("attribute", "commit")),
    ],
)
def test_prefixes_and_aliases_lead_to_one_field(text, field):
    assert one(text).field == field


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"metadata.a = 'back\slash'", r"back\slash"),
        ("metadata.a = 'it''s'", "it''s"),
        ('metadata.a = "it\'s"', "it's"),
        ("metadata.a = ''", ""),
        ("metadata.a = ' -- /* {{ '", " -- /* {{ "),
        ("metadata.a = 5", 5.0),
        ("metadata.a = -.5", -0.5),
        ("metadata.a = 1e3", 1000.0),
        ("timestamp_ms > '40'", 40.0),
        ("timestamp > '2024-01-01'", 1704067200000.0),
        ("end_time < '2024-01-01T00:00:00.250Z'", 1704067200250.0),
    ],
)
def test_a_value_has_no_escapes(text, value):
    assert one(text).values == (value,)


def test_words_are_read_in_any_case():
    assert parse_filter(
        "metadata.a is not null and NOT state not in ('OK') or user rlike 'x'"
    ) == Or(
        (
            And(
                (
                    Comparison(Field("metadata", "a"), "IS NOT NULL"),
                    Not(Comparison(Field("attribute", "state"), "NOT IN", ("OK",))),
                )
            ),
            Comparison(Field("attribute", "user"), "RLIKE", ("x",)),
        )
    )


def test_and_binds_before_or_and_parentheses_before_both():
    a, b, c = (Comparison(Field("metadata", key), "=", ("x",)) for key in "abc")
    text = "metadata.a = 'x' {} metadata.b = 'x' {} metadata.c = 'x'"
    assert parse_filter(text.format("OR", "AND")) == Or((a, And((b, c))))
    assert parse_filter("(metadata.a = 'x' OR metadata.b = 'x') AND metadata.c = 'x'") == And(
        (Or((a, b)), c)
    )


def test_parentheses_around_one_span_comparison_make_a_group_of_its_own():
    name = Comparison(Field("span", "name"), "=", ("a",))
    assert parse_filter("(span.name = 'a')") == And((name,))
    assert parse_filter("(metadata.a = 'x')") == Comparison(Field("metadata", "a"), "=", ("x",))


@given(filters().filter(renderable))
def test_a_filter_survives_being_written_and_read(tree):
    assert parse_filter(render(tree)) == tree


@given(st.text(alphabet="abens.spa =<>!'\"`()-,0159ANDORTIKEL_%\\;\n\t☃", max_size=60))
def test_any_text_is_read_or_refused_with_a_column_in_it(text):
    columns = []
    try:
        parse_filter(text)
    except FilterError as error:
        columns.append(error.column)
    assert all(column is not None and 1 <= column <= len(text) + 1 for column in columns)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (
            "latency > 5",
            1,
            "unknown field 'latency' at column 1; did you mean 'execution_time_ms'?",
        ),
        ("state = 'OK' AND enviroment = 'x'", 18, "did you mean 'environment'?"),
        ("trace_metadata.x = 'y'", 1, "did you mean 'metadata.x'?"),
        ("Metadata.x = 'y'", 1, "did you mean 'metadata.x'?"),
        ("assessment.x = 'y'", 1, "did you mean 'feedback.x'?"),
        ("foo = 'x'", 1, "did you mean 'metadata.foo'?"),
        ("foo.bar = 'x'", 1, "prefixes are metadata,"),
        ("span.foo = 'x'", 1, "did you mean 'span.attributes.foo'?"),
        ("span.nam = 'x'", 1, "did you mean 'span.name'?"),
        ("issue.name = 'x'", 1, "did you mean 'issue.id'?"),
        ("metadata.a-b = 'x'", 11, "backticks around the key"),
        ("metadata.a = dev", 14, "a text in quotes"),
        ("metadata.a = 'x", 14, "never closed"),
        (r"metadata.a = 'it\'s'", 20, "no escapes"),
        ("metadata.a IN ()", 16, "found ')'"),
        ("metadata.a IN ('x'", 15, "this list is never closed"),
        ("status IN (OK)", 12, "a text in quotes"),
        ("(status = 'OK'", 1, "this parenthesis is never closed"),
        ("status = 'OK')", 14, "found ')'"),
        ("status", 7, "expected an operator, found the end"),
        ("status =", 9, "expected a value after ="),
        ("= 'OK'", 1, "expected a field, found '='"),
        ("status == 'OK'", 8, "write ="),
        ("status <> 'OK'", 8, "write !="),
        ("status = 'OK', name = 'a'", 14, "expected AND, OR or the end, found ','"),
        ("status = 'OK'; name = 'a'", 14, "expected AND, OR or the end, found ';'"),
        ("status = 'OK' AND", 18, "expected a comparison, found the end"),
        ("status IS 'OK'", 11, "expected NULL after IS"),
        ("status BETWEEN 'a' AND 'b'", 8, "expected an operator, found 'BETWEEN'"),
        ("status > 'OK'", 8, "> does not work on status; use =, !=,"),
        ("status = 5", 10, "= needs a quoted text"),
        ("span.name LIKE 5", 16, "LIKE needs a quoted text"),
        ("span.content = 'x'", 14, "= does not work on span.content; use LIKE"),
        ("span.type IS NULL", 11, "IS NULL does not work on span.type"),
        ("feedback.x > '0.5'", 14, "write the number without quotes"),
        ("timestamp_ms LIKE 'x'", 14, "LIKE does not work on timestamp_ms"),
        ("timestamp_ms > 'soon'", 16, "timestamp_ms compares milliseconds"),
        ("execution_time > '2024-01-01'", 18, "execution_time_ms compares milliseconds"),
        ("prompt = 'p'", 10, 'expected prompt = "name/version"'),
        ("prompt != 'p/1'", 8, "use =, IN"),
        ("metadata.a = 1e999", 14, "too large"),
        ("metadata.a = 1.2.3", 14, "a text in quotes"),
        ("metadata.a = 0x1F", 14, "a text in quotes"),
        ("metadata.a = '\ud800'", 15, "surrogate"),
    ],
)
def test_a_bad_filter_says_where_and_how_to_mend_it(text, column, message):
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert message in caught.value.message
    assert f"column {column}" in caught.value.message or column == 1
    assert caught.value.column == column
    assert caught.value.http_status == 400


def test_size_and_depth_are_bounded():
    for text in (
        "(" * 51 + "status = 'OK'" + ")" * 51,
        " AND ".join(["a = 'x'"] * 201).replace("a =", "user ="),
        "user = '" + "x" * 30_000 + "'",
    ):
        with pytest.raises(FilterError, match="more than|at most"):
            parse_filter(text)
    assert parse_filter(" AND ".join(["user = 'x'"] * 200)) is not None
