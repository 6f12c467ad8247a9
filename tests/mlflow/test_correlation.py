"""How two filters go together, by the numbers that MLflow's server gave for the same eight traces."""

from __future__ import annotations

import doctest

import msgspec
import pytest

from mlflow_wire import TRACES, header
from otlp_requests import new_trace_id
from whence.server.mlflow import correlation
from whence.server.mlflow.correlation import Counts, weigh

ASK = f"{TRACES}/calculate-filter-correlation"
TAGS = {"a": range(4), "b": range(2, 6), "c": range(1), "d": range(6, 8)}


def wanted(key):
    return f"tags.{key} = '1'"


@pytest.fixture(scope="module")
def ask(http):
    for number in range(8):
        tags = {key: "1" for key, numbers in TAGS.items() if number in numbers}
        tags |= {"mlflow.traceName": "f", "i": str(number)}
        body = header(f"tr-{new_trace_id()}", "600", tags=tags)
        http.post(TRACES, json=body).raise_for_status()

    def ask(first, second, **fields):
        fields = {"filter_string1": first, "filter_string2": second, **fields}
        return http.post(ASK, json={"experiment_ids": ["600"], **fields})

    return ask


@pytest.mark.parametrize(
    ("first", "second", "counts", "npmi", "smoothed"),
    [
        (wanted("a"), wanted("b"), (4, 4, 2, 8), 0.0, 0.0),
        (wanted("a"), wanted("c"), (4, 1, 1, 8), 0.3333333333333333, 0.21372665479171324),
        (wanted("a"), wanted("d"), (4, 2, 0, 8), -1.0, -0.36672579134208455),
        (wanted("a"), wanted("a"), (4, 4, 4, 8), 1.0, 0.7361064491754333),
        ("name = 'f'", "name = 'f'", (8, 8, 8, 8), 1.0, 1.0),
        ("name = 'f'", wanted("a"), (8, 4, 4, 8), 0.0, 0.0),
        (wanted("a"), wanted("zz"), (4, 0, 0, 8), None, None),
        (wanted("zz"), wanted("zz"), (0, 0, 0, 8), None, None),
    ],
)
def test_two_filters_are_weighed_as_mlflow_does(ask, first, second, counts, npmi, smoothed):
    found = ask(first, second).json()
    assert found == {
        **msgspec.structs.asdict(Counts(*counts)),
        **({} if npmi is None else {"npmi": pytest.approx(npmi, abs=1e-12)}),
        **({} if smoothed is None else {"npmi_smoothed": pytest.approx(smoothed, abs=1e-12)}),
    }


def test_a_base_filter_narrows_all_counts(ask):
    found = ask(wanted("a"), wanted("b"), base_filter="tags.i != '7'").json()
    assert found["total_count"] == 7
    assert found["npmi"] == pytest.approx(-0.10658951133022453)
    assert ask(wanted("a"), wanted("b"), base_filter="tags.i = '77'").json()["total_count"] == 0


def test_conditions_with_or_stay_together(ask):
    either = f"{wanted('a')} OR {wanted('d')}"
    found = ask(either, wanted("d")).json()
    assert (found["filter1_count"], found["joint_count"]) == (6, 2)


def test_no_experiment_holds_no_traces(ask):
    none = ask(wanted("a"), wanted("b"), experiment_ids=[]).json()
    assert none == msgspec.structs.asdict(Counts(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"filter_string1": ""}, "filter_string1"),
        ({"filter_string2": None}, "filter_string2"),
        ({"filter_string1": "tags.a = '1') OR (tags.a != '1'"}, "column"),
        ({"filter_string1": "foo = 1"}, "foo"),
        ({"experiment_ids": None}, "experiment_ids"),
        ({"experiment_ids": ["x"]}, "experiment ID"),
    ],
)
def test_a_wrong_question_is_named(ask, fields, named):
    answer = ask(wanted("a"), wanted("b"), **fields)
    assert answer.status_code == 400 and named in answer.json()["message"]


def test_counts_that_no_set_of_traces_has_stay_within_the_scale():
    found = weigh(Counts(filter1_count=5, filter2_count=5, joint_count=1, total_count=5))
    assert -1.0 <= found.npmi <= 1.0 and -1.0 <= found.npmi_smoothed <= 1.0


def test_the_examples_in_docstrings_run():
    assert doctest.testmod(correlation).failed == 0
