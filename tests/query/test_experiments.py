"""Experiments are found by a filter, in an order, in pages that follow one another."""

from __future__ import annotations

import base64
import doctest
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import FilterError, InvalidInputError
from whence.query import experiments
from whence.query.experiments import find_experiments, is_like
from whence.store.rows import ExperimentRow

START = 1_700_000_000_000


def rows():
    """Five experiments whose names begin alike; no other test's do."""
    tags = [{"team": "blue"}, {"team": "red", "my tag": "x"}, {}, {"team": "blue"}, {}]
    return [
        ExperimentRow(
            experiment_id=str(77_410_000 + number),
            name=f"found-{letter}",
            lifecycle_stage="deleted" if letter == "e" else "active",
            created_ms=START + number * 1000,
            updated_ms=START - number * 1000,
            tags=tags[number],
            version=1,
        )
        for number, letter in enumerate("abcde")
    ]


@pytest.fixture(scope="module")
def filled(store):
    store.insert("experiments", rows())
    return store


def find(store, text="", **given):
    joined = f"name LIKE 'found-_' AND ({text})" if text else "name LIKE 'found-_'"
    page = find_experiments(store, filter_string=joined, **given)
    return "".join(row.name[-1] for row in page.experiments)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name = 'found-a'", "a"),
        ("attribute.name != 'found-a'", "dcb"),
        ("name IN ('found-a', 'found-c')", "ca"),
        ("name NOT IN ('found-a', 'found-c')", "db"),
        ("name ILIKE 'FOUND-A'", "a"),
        ("name NOT LIKE '%-a'", "dcb"),
        ("experiment_id = '77410002'", "c"),
        ("creation_time > 1700000001000", "dc"),
        ("creation_time <= 1700000001000", "ba"),
        ("last_update_time < 1700000000000", "dcb"),
        ("creation_time >= '2023-11-14T22:13:23Z'", "d"),
        ("tags.team = 'blue'", "da"),
        ("tags.team != 'blue'", "b"),
        ("NOT tags.team = 'blue'", "cb"),
        ("tag.`my tag` = 'x'", "b"),
        ("tags.team IS NULL", "c"),
        ("tags.team IS NOT NULL", "dba"),
        ("tags.team = 'red' OR name = 'found-a'", "ba"),
    ],
)
def test_a_filter_finds_experiments_the_newest_first(filled, text, names):
    assert find(filled, text) == names


@pytest.mark.parametrize(
    ("view", "names"), [("active", "dcba"), ("deleted", "e"), ("all", "edcba")]
)
def test_deleted_ones_are_seen_where_they_are_asked_for(filled, view, names):
    assert find(filled, view=view) == names


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (["name"], "abcd"),
        (["name DESC"], "dcba"),
        (["last_update_time"], "dcba"),
        (["experiment_id asc"], "abcd"),
        (["creation_time DESC", "name"], "dcba"),
    ],
)
def test_an_order_is_kept(filled, order, names):
    assert find(filled, order_by=order) == names


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [["name"], ["name DESC"], ["last_update_time", "name"], None])
def test_pages_give_every_experiment_once(filled, size, order):
    seen, token = [], None
    for _ in itertools.count():
        page = find_experiments(
            filled,
            filter_string="name LIKE 'found-_'",
            order_by=order,
            max_results=size,
            page_token=token,
        )
        seen += [row.name[-1] for row in page.experiments]
        token = page.next_token
        if token is None:
            break
    assert "".join(seen) == find(filled, order_by=order)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("foo = 'x'", "unknown field 'foo' at column 1"),
        ("metadata.a = 'x'", "unknown field 'metadata.a' at column 1"),
        ("name = 5", "at column 8"),
        ("name > 'a'", "> does not work on name"),
        ("name RLIKE 'a'", "RLIKE does not work on name"),
        ("creation_time = 'soon'", "soon"),
    ],
)
def test_a_wrong_filter_says_where(filled, text, problem):
    with pytest.raises(FilterError, match=re.escape(problem)):
        find_experiments(filled, filter_string=text)


@pytest.mark.parametrize("clause", ["", "tags.team", "name UP", "foo"])
def test_a_wrong_order_is_refused(filled, clause):
    with pytest.raises(FilterError):
        find_experiments(filled, order_by=[clause])


def forge(values):
    """Return the token of another place in the same search."""

    def change(token):
        mark, _ = json.loads(base64.urlsafe_b64decode(token))
        return base64.urlsafe_b64encode(json.dumps([mark, values]).encode()).decode()

    return change


@pytest.mark.parametrize(
    "change",
    [lambda _: "zzz", lambda token: token[:-4], forge([5, "a"]), forge(["a"]), forge([])],
)
def test_a_token_that_is_none_is_refused(filled, change):
    page = find_experiments(filled, order_by=["name"], max_results=1)
    with pytest.raises(InvalidInputError, match="token"):
        find_experiments(
            filled, order_by=["name"], max_results=1, page_token=change(page.next_token)
        )


texts = st.text(alphabet="ab%_ü", max_size=8)


@given(texts, texts)
def test_like_means_what_a_regular_expression_says(text, pattern):
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    assert is_like(text, pattern) is bool(re.fullmatch("".join(parts), text, re.DOTALL))


def test_like_is_quick_on_the_worst_of_patterns():
    assert is_like("a" * 2_000, "%a" * 200 + "b") is False


def test_the_examples_are_true():
    assert doctest.testmod(experiments).failed == 0
