"""A page is read no further back than such pages usually reach; a wrong guess misses nothing."""

from __future__ import annotations

import pytest
from tests.query.rows import trace, trace_row
from tests.query.test_plans import Watched

from whence.query.parser import parse_filter
from whence.query.reach import NEEDED, Reaches, kind_of
from whence.query.search import search_traces

START_MS = 5_000_000
EVERY_MS = 1000
COUNT = 2000


@pytest.fixture(scope="module")
def series(chdb_store):
    """Traces of two users, one a second: the rare one has one in a hundred, and the oldest."""
    experiment_id = "774270"
    chdb_store.insert(
        "traces",
        [
            trace_row(
                trace(
                    f"tr-reach-{index:05}",
                    request_time_ms=START_MS + index * EVERY_MS,
                    metadata={"mlflow.trace.user": "rare" if index % 100 == 0 else "often"},
                ),
                experiment_id,
            )
            for index in range(COUNT)
        ],
    )
    return experiment_id


def find(store, experiment_id, text, **asked):
    page = search_traces(store, experiment_ids=[experiment_id], filter_string=text, **asked)
    return [info.trace_id for info in page.traces], page.next_cursor


def expected(user):
    chosen = [index for index in range(COUNT) if (index % 100 == 0) is (user == "rare")]
    return [f"tr-reach-{index:05}" for index in reversed(chosen)]


def taught(chdb_store, experiment_id, *, max_results):
    """Return a store that has seen pages of the frequent user."""
    store = Watched(chdb_store)
    for _ in range(NEEDED):
        found = find(store, experiment_id, "user IN ('often')", max_results=max_results)[0]
        assert found == expected("often")[:max_results]
    store.statements.clear()
    return store


def test_a_page_is_read_within_the_reach_of_the_last_ones(chdb_store, series):
    store = taught(chdb_store, series, max_results=7)
    assert find(store, series, "user IN ('often')", max_results=7)[0] == expected("often")[:7]
    assert len(store.statements) == 1
    assert "-request_time_ms <= {" in store.statements[0]


def test_what_lies_further_back_is_found_by_one_more_statement(chdb_store, series):
    store = taught(chdb_store, series, max_results=8)
    assert find(store, series, "user IN ('rare')", max_results=8)[0] == expected("rare")[:8]
    assert len(store.statements) == 2  # noqa: PLR2004
    assert "-request_time_ms > {" in store.statements[1]


def test_pages_are_whole_and_in_order_whatever_was_guessed(chdb_store, series):
    for user in ("often", "rare", "often", "rare"):
        found, cursor = find(chdb_store, series, f"user = '{user}'", max_results=9)
        for _ in range(300):
            if cursor is None:
                break
            more, cursor = find(
                chdb_store, series, f"user = '{user}'", max_results=9, cursor=cursor
            )
            found += more
        assert found == expected(user)


@pytest.mark.parametrize("counts", [(4, 6), (5, 6), (5, 5)])
def test_a_page_that_an_insert_overtook_behind_a_wrong_guess_is_read_again(
    chdb_store, series, counts
):
    store = taught(chdb_store, series, max_results=6)
    counted = iter(counts)
    store.count_inserts = lambda table: next(counted) if table == "traces" else 0
    assert find(store, series, "user IN ('rare')", max_results=6)[0] == expected("rare")[:6]
    assert len(store.statements) == 3  # noqa: PLR2004
    assert "request_time_ms <= {" not in store.statements[2]


def test_where_others_write_too_a_wrong_guess_is_read_again(chdb_store, series):
    store = taught(chdb_store, series, max_results=5)
    store.count_inserts = lambda table: None
    assert find(store, series, "user IN ('rare')", max_results=5)[0] == expected("rare")[:5]
    assert "request_time_ms <= {" not in store.statements[-2]


def kind(text, size=100):
    return kind_of(parse_filter(text), ["1"], size)


def test_a_kind_is_what_differs_in_values_only():
    assert kind("user = 'a' AND state = 'OK'") == kind("user = 'b' AND state = 'ERROR'")
    assert kind("user = 'a'") != kind("session = 'a'")
    assert kind("user = 'a'") != kind("user != 'a'")
    assert kind("user = 'a'") != kind("user = 'a'", size=10)
    assert kind_of(None, [], 1) is not None


@pytest.mark.parametrize("text", ["timestamp_ms > 5", "user = 'a' AND timestamp_ms < 5"])
def test_nothing_is_learned_of_filters_that_speak_of_times(text):
    assert kind(text) is None


def test_nothing_is_guessed_before_some_pages_were_full_or_after_one_was_not():
    reaches = Reaches()
    assert reaches.guess_ms(("k",), None) is None
    reaches.learn(("k",), None, [10_000, 9_000], full=True)
    reaches.learn(("k",), None, [10_000, 8_000], full=True)
    assert reaches.guess_ms(("k",), None) is None
    reaches.learn(("k",), None, [10_000, 6_000], full=True)
    assert reaches.guess_ms(("k",), None) == 10_000 - 6_000
    assert reaches.guess_ms(("k",), 20_000) == 20_000 - 6_000
    assert reaches.guess_ms(("other",), None) is None
    reaches.learn(("k",), None, [], full=False)
    assert reaches.guess_ms(("k",), None) is None


def test_times_at_the_end_of_all_numbers_are_left_alone():
    reaches = Reaches()
    for _ in range(NEEDED):
        reaches.learn(("k",), None, [2**63 - 1, -(2**63) + 1], full=True)
    assert reaches.guess_ms(("k",), None) is None
