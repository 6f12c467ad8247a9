"""The SQL and the plain-Python reference find the same traces, whatever they hold."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from tests.query import generate, reference
from tests.query.rows import insert, judgement, span, trace

from whence.query.compile import SETTINGS, Parameters, compile_filter
from whence.query.filters import Comparison, render
from whence.query.search import search_traces
from whence.query.vocabulary import EQUALITY, ORDERING, PATTERNS, Field

TRACES = 60
JSON_VALUES = ('"a"', '"A"', '"a%b"', '"it\'s"', '"w\\u00f6rld"', '"5"', "5", "5.0", "0.5", "1e-05", "-3", "true", "null", '["a", "b"]', '{"k": "a"}', '""', '"\\\\"', '"2.10.0"', '"nan"')  # fmt: skip


def hostile_traces(seed):
    """Traces drawn from the same texts and keys as the filters, with gaps."""
    chance = random.Random(seed)

    def some(values, most=3):
        return chance.sample(values, chance.randint(0, most))

    def text():
        return chance.choice(generate.TEXTS)

    def maybe(value):
        return chance.choice([None, value, value])

    def words():
        return " ".join(chance.sample((*generate.WORDS, text()), chance.randint(0, 4)))

    def one_span():
        return span(
            chance.choice(["a", "A", "inner", ""]),
            type=chance.choice(["LLM", "TOOL", ""]),
            status=chance.choice(["UNSET", "OK", "ERROR"]),
            status_message=chance.choice(["", "a\\b"]),
            inputs=chance.choice(["", '{"q":"hello wörld"}', '"a%b"']),
            outputs=chance.choice(["", '"A\\nB"', "null"]),
            attributes={key: chance.choice(JSON_VALUES) for key in some(generate.KEYS)},
            events=chance.choice(["", '[{"name":"a_b"}]']),
        )

    def one_judgement():
        kind = chance.choice(["feedback", "feedback", "expectation", "issue"])
        return judgement(
            chance.choice(generate.KEYS[:4]),
            chance.choice(JSON_VALUES),
            kind=kind,
            valid=chance.random() < 0.8,
            deleted=chance.random() < 0.2,
        )

    for index in range(TRACES):
        metadata = {key: text() for key in some((*generate.KEYS, "mlflow.sourceRun", "mlflow.trace.user", "mlflow.source.git.commit", "mlflow.source.git.branch"), 8)}  # fmt: skip
        written = some((*generate.KEYS, "mlflow.traceName", "mlflow.linkedPrompts"), 2)
        linked = '[{"name":"p","version":"1"},{"name":"a/b","version":1}]'
        yield trace(
            {0: "a" * 32, 1: "tr-" + "a" * 32}.get(index, f"tr-{index:032x}"),
            request_time_ms=chance.choice([1000, 1001, 999, 9007199254740993, 0]),
            duration_ns=chance.choice([None, 0, 40_000_000, 40_999_999, 3_000_000]),
            state=chance.choice(["OK", "OK", "ERROR", "IN_PROGRESS"]),
            name=maybe(text()),
            client_request_id=maybe(text()),
            request_preview=maybe(words()),
            response_preview=maybe(text()),
            metadata=metadata,
            tags={
                key: linked if key.endswith("Prompts") else text()
                for key in some((*generate.KEYS, "mlflow.linkedPrompts"))
            },  # fmt: skip
            tag_writes={
                key: maybe(linked if key.endswith("Prompts") else text()) for key in written
            },
            spans=[one_span() for _ in range(chance.randint(0, 3))],
            assessments=[one_judgement() for _ in range(chance.randint(0, 3))],
        )


PLAIN = list(hostile_traces(20_261))
EXPERIMENT = "774201"
TEXTS = [
    trace("tr-text-none"),
    *(trace(f"tr-text-{index}", metadata={"k": text}) for index, text in enumerate(generate.TEXTS)),
]
TEXTS_EXPERIMENT = "774203"


@pytest.fixture(scope="module")
def hostile_store(chdb_store):
    insert(chdb_store, EXPERIMENT, PLAIN, stale=True)
    return chdb_store


@pytest.fixture(scope="module")
def hostile_server(clickhouse_store):
    insert(clickhouse_store, EXPERIMENT, PLAIN, stale=True)
    return clickhouse_store


def found(store, text):
    page = search_traces(store, experiment_ids=[EXPERIMENT], filter_string=text, max_results=500)
    ids = [info.trace_id for info in page.traces]
    assert len(ids) == len(set(ids))
    return set(ids)


def check(store, tree):
    expected = {plain["trace_id"] for plain in PLAIN if reference.matches(tree, plain)}
    assert found(store, render(tree)) == expected


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=generate.filters().filter(generate.renderable))
def test_sql_and_reference_find_the_same_traces(hostile_store, tree):
    check(hostile_store, tree)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=generate.filters().filter(generate.renderable))
def test_a_clickhouse_server_finds_the_same_traces(hostile_server, tree):
    check(hostile_server, tree)


def test_not_finds_the_complement(hostile_store):
    for text in (
        "metadata.k = 'a'",
        "metadata.n > 3",
        "span.type = 'LLM'",
        "feedback.k IS NULL",
        "name != 'a'",
    ):
        inside, outside = found(hostile_store, text), found(hostile_store, f"NOT ({text})")
        assert not inside & outside
        assert inside | outside == {plain["trace_id"] for plain in PLAIN}


@pytest.fixture(scope="module")
def texts_store(chdb_store):
    insert(chdb_store, TEXTS_EXPERIMENT, TEXTS)
    return chdb_store


@pytest.mark.parametrize("operator", [*EQUALITY, *ORDERING, *PATTERNS])
def test_every_operator_agrees_on_every_pair_of_texts(texts_store, operator):
    literals = (
        generate.REGULAR
        if "RLIKE" in operator
        else (*generate.TEXTS, "%b", "a%", "%\\%", "_", "a_b%")
    )
    numbers = () if operator in PATTERNS else generate.NUMBERS
    for literal in (*literals, *numbers):
        tree = Comparison(Field("metadata", "k"), operator, (literal,))
        parameters = Parameters()
        sql = f"SELECT trace_id FROM traces FINAL WHERE experiment_id = '{TEXTS_EXPERIMENT}' AND {compile_filter(tree, parameters)}"
        selected = {
            row[0] for row in texts_store.query(sql, parameters.values, settings=SETTINGS).rows
        }
        assert selected == {one["trace_id"] for one in TEXTS if reference.matches(tree, one)}, (
            literal
        )
