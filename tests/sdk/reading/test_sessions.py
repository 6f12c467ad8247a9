"""Conversations are found whole, the latest first; through a real server."""

from __future__ import annotations

import time

import pytest

import whence
from whence.entities import Session
from whence.errors import InvalidInputError

ODD = 'it\'s "odd" 100%'


def record(session: str | None, **more: str) -> str:
    with whence.start_span("turn") as span:
        whence.update_current_trace(session_id=session, **more)
    now_ms = time.time_ns() // 1_000_000  # the order of a search is by milliseconds
    while time.time_ns() // 1_000_000 == now_ms:
        pass
    return span.trace_id


def test_sessions_come_latest_first_each_with_its_traces_oldest_first(experiment):
    first = [record("a"), record("a")]
    record(None)
    second = [record("b"), record("b")]
    first.append(record("a"))
    sessions = whence.search_sessions()
    assert [one.id for one in sessions] == ["a", "b"]
    assert [[trace.trace_id for trace in one] for one in sessions] == [first, second]
    assert [len(one) for one in sessions] == [3, 2]
    assert sessions[0][0].data.spans != []
    assert [one.id for one in whence.search_sessions(max_results=1)] == ["a"]


def test_a_session_id_may_hold_any_character(experiment):
    for session in (ODD, 'it_s "odd" 100%', "it's", 'say "a"', "%", "é\n"):
        record(session)
    found = {one.id: len(one) for one in whence.search_sessions(include_spans=False)}
    assert found == dict.fromkeys([ODD, 'it_s "odd" 100%', "it's", 'say "a"', "%", "é\n"], 1)


def test_only_traces_of_a_model_count(experiment):
    ours = record("a", model_id="m-1")
    record("a", model_id="m-2")
    record("b", model_id="m-2")
    (session,) = whence.search_sessions(model_id="m-1")
    assert [trace.trace_id for trace in session] == [ours]


@pytest.mark.parametrize("count", [0, -1, True, "1"])
def test_a_number_of_sessions_is_positive(experiment, count):
    with pytest.raises(InvalidInputError, match="max_results"):
        whence.search_sessions(max_results=count)


def test_an_empty_session_has_no_id():
    assert Session([]).id is None
    assert repr(Session([])) == "Session(id=None)"
