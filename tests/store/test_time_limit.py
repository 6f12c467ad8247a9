"""Queries end when their time is over, on both roads, and only those that have a limit."""

from __future__ import annotations

import threading
import time

import pytest

from whence.errors import QueryTimeoutError
from whence.store.time_limit import limit_time

ENDLESS = "SELECT sum(cityHash64(number)) FROM numbers_mt(1000000000000)"


def test_a_query_is_ended_when_its_time_is_over_and_the_store_lives(store):
    with pytest.raises(QueryTimeoutError, match=r"longer than 0.3 s"), limit_time(0.3):
        store.query(ENDLESS)
    assert store.query("SELECT 1").rows == [(1,)]


def test_queries_side_by_side_share_their_time(store):
    with pytest.raises(QueryTimeoutError), limit_time(0.3):
        store.query_together([("SELECT 1", {}), (ENDLESS, {})])


def test_no_query_begins_when_the_time_is_over(store):
    with limit_time(0.001):
        time.sleep(0.002)
        with pytest.raises(QueryTimeoutError, match="WHENCE_QUERY_SECONDS"):
            store.query("SELECT 1")


def test_a_limit_holds_for_what_is_asked_within_it(store):
    sql = "SELECT getSetting('max_execution_time')"
    usual = store.query(sql).rows
    elsewhere = []
    with limit_time(20):
        assert 0 < store.query(sql).rows[0][0] <= 20  # noqa: PLR2004
        thread = threading.Thread(target=lambda: elsewhere.append(store.query(sql).rows))
        thread.start()
        thread.join()
        with limit_time(None):
            assert store.query(sql).rows == usual
    assert elsewhere == [usual]
    assert store.query(sql).rows == usual
