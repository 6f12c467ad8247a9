"""docs/filter-language.md is true and whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from whence.errors import FilterError
from whence.query.order import parse_order
from whence.query.parser import MAX_CHARS, MAX_COMPARISONS, MAX_DEPTH, parse_filter
from whence.query.versions import PRE_RELEASE_WORDS
from whence.query.vocabulary import ALIASES, ATTRIBUTES, ENTITIES, OPERATORS, SPAN_FIELDS

PAGE = (Path(__file__).parents[2] / "docs" / "filter-language.md").read_text()
EXAMPLES = [
    line
    for block in re.findall(r"```filter\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_filter(text):
    assert parse_filter(text) is not None


def test_every_field_prefix_operator_and_word_is_documented():
    names = [*ATTRIBUTES, *ALIASES, *PRE_RELEASE_WORDS, *(f"span.{name}" for name in SPAN_FIELDS)]
    prose = re.sub(r"(```.*?```|``.*?``)", "", PAGE, flags=re.DOTALL)
    code = "\n".join(re.findall(r"`([^`]+)`", prose))
    missing = [name for name in names if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", code)]
    missing += [entity for entity in ENTITIES if f"{entity}." not in code]
    operators = {operator for allowed in OPERATORS.values() for operator in allowed}
    missing += [operator for operator in operators if operator.removeprefix("NOT ") not in code]
    assert missing == []


def test_the_limits_and_the_error_are_those_of_the_page():
    assert f"{MAX_CHARS:,} characters, {MAX_COMPARISONS} comparisons, {MAX_DEPTH} levels" in PAGE
    with pytest.raises(FilterError) as caught:
        parse_filter("latency > 5")
    assert caught.value.message in PAGE


def test_every_order_of_the_page_is_one():
    section = PAGE.split("## Order")[1].split("##")[0]
    clauses = [clause.replace("<key>", "k") for clause in re.findall(r"`([a-z_.<>]+)`", section)]
    assert len(clauses) > 12
    for clause in clauses:
        if clause != "order_by":
            assert parse_order([f"{clause} DESC"])
