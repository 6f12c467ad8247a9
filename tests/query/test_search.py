"""Pages of traces: order, limits, cursors, and what lies twice or is not yet ended."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.query.generate import filters, renderable
from tests.query.rows import insert, judgement, span, trace, trace_row
from tests.query.test_semantics import EXPERIMENT, PLAIN, reference

from whence.errors import FilterError, InvalidInputError
from whence.query.filters import render
from whence.query.search import search_traces
from whence.query.versions import sort_key
from whence.store.rows import TagRow


def ids(page):
    return [info.trace_id for info in page.traces]


def read_all(store, max_results=3, **search):
    """Read every page, and return the ids in order."""
    found, cursor = [], None
    while True:
        page = search_traces(store, max_results=max_results, cursor=cursor, **search)
        found += ids(page)
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.traces) == max_results


def name_of(experiment_id, index):
    return f"tr-{experiment_id}-{index:03}"


def insert_series(store, experiment_id, count, start=0):
    plains = [
        trace(name_of(experiment_id, index), request_time_ms=1000 + index // 2)
        for index in range(start, start + count)
    ]
    insert(store, experiment_id, plains)
    return plains


def newest_first(plains):
    return [
        one["trace_id"]
        for one in sorted(plains, key=lambda one: (-one["request_time_ms"], one["trace_id"]))
    ]


def test_traces_come_newest_first_and_ties_by_trace_id(store, experiment_id):
    plains = insert_series(store, experiment_id, 9)
    assert ids(search_traces(store, experiment_ids=[experiment_id])) == newest_first(plains)


def test_pages_meet_without_gap_or_repetition_while_traces_arrive(store, experiment_id):
    plains = insert_series(store, experiment_id, 20)
    seen, cursor = [], None
    for round_ in range(10):
        page = search_traces(store, experiment_ids=[experiment_id], max_results=2, cursor=cursor)
        seen += ids(page)
        cursor = page.next_cursor
        insert_series(store, experiment_id, 3, start=100 + 10 * round_)
        insert(store, experiment_id, plains[:5])  # delivered again
    assert seen == newest_first(plains)
    assert cursor is None


def test_a_page_that_ends_exactly_has_no_next(store, experiment_id):
    insert_series(store, experiment_id, 4)
    assert search_traces(store, experiment_ids=[experiment_id], max_results=4).next_cursor is None
    assert search_traces(store, experiment_ids=[experiment_id], max_results=3).next_cursor


def test_a_trace_that_lies_many_times_is_one_result_and_only_its_newest_row_counts(
    store, experiment_id
):
    plains = insert_series(store, experiment_id, 6)
    for version in range(3, 8):
        session = "last" if version == 7 else "old"
        store.insert(
            "traces",
            [trace_row(one, experiment_id, version=version, session=session) for one in plains],
        )
    assert read_all(store, experiment_ids=[experiment_id]) == newest_first(plains)
    assert read_all(store, experiment_ids=[experiment_id], filter_string="session = 'old'") == []
    page = search_traces(store, experiment_ids=[experiment_id], filter_string="session = 'last'")
    assert {info.session for info in page.traces} == {"last"}
    assert len(page.traces) == 6


def test_stale_rows_in_front_do_not_shorten_a_page(store, experiment_id):
    plains = [trace(name_of(experiment_id, index), request_time_ms=index) for index in range(40)]
    insert(store, experiment_id, plains)
    hidden = [trace_row(one, experiment_id, version=9, session="x") for one in plains[4:]]
    store.insert("traces", [trace_row(one, experiment_id, session="kept") for one in plains])
    store.insert("traces", hidden)
    found = read_all(store, experiment_ids=[experiment_id], filter_string="session = 'kept'")
    assert found == newest_first(plains[:4])


def test_a_deleted_trace_is_gone_and_a_moved_one_is_at_its_new_time_only(store, experiment_id):
    first, gone, moved = (
        trace(name_of(experiment_id, index), request_time_ms=100 + index) for index in range(3)
    )
    insert(store, experiment_id, [first, gone, moved])
    store.insert("traces", [trace_row(gone, experiment_id, version=3, deleted=1)])
    store.insert(
        "traces",
        [
            trace_row(moved, experiment_id, version=3, deleted=1),
            trace_row(moved, experiment_id, version=3, request_time_ms=50),
        ],
    )
    assert read_all(store, max_results=1, experiment_ids=[experiment_id]) == [
        first["trace_id"],
        moved["trace_id"],
    ]


def test_unended_traces_stand_among_the_others_until_they_end(store, experiment_id):
    ended = trace(name_of(experiment_id, 1), request_time_ms=10)
    running = trace(name_of(experiment_id, 2), request_time_ms=20, state="IN_PROGRESS")
    later = trace(name_of(experiment_id, 3), request_time_ms=30)
    insert(store, experiment_id, [ended, running, later])
    search = {"experiment_ids": [experiment_id], "max_results": 1}
    assert read_all(store, **search) == newest_first([ended, running, later])
    assert read_all(store, **search, filter_string="state = 'IN_PROGRESS'") == [running["trace_id"]]
    # It ends, at an earlier time: for a moment it stands in both tables.
    store.insert(
        "traces",
        [trace_row({**running, "state": "OK"}, experiment_id, version=5, request_time_ms=5)],
    )
    assert read_all(store, **search) == [later["trace_id"], ended["trace_id"], running["trace_id"]]
    store.insert("open_traces", [trace_row(running, experiment_id, version=6, deleted=1)])
    assert read_all(store, **search) == [later["trace_id"], ended["trace_id"], running["trace_id"]]
    assert read_all(store, **search, filter_string="state = 'IN_PROGRESS'") == []


def test_experiments_are_searched_apart_together_and_all(store, experiment_id):
    other = f"{experiment_id}1"
    here = [trace(f"tr-{experiment_id}-a{index}", request_time_ms=index) for index in range(4)]
    there = [trace(f"tr-{experiment_id}-b{index}", request_time_ms=index) for index in range(4)]
    insert(store, experiment_id, here)
    insert(store, other, there)
    assert read_all(store, experiment_ids=[experiment_id]) == newest_first(here)
    assert read_all(store, experiment_ids=[other, experiment_id]) == newest_first(here + there)
    everywhere = search_traces(
        store, filter_string=f"trace_id LIKE 'tr-{experiment_id}-%'", max_results=500
    )
    assert ids(everywhere) == newest_first(here + there)
    assert ids(search_traces(store, experiment_ids=["no such"])) == []
    many = [experiment_id, other, *(f"none-{index}" for index in range(30))]
    assert read_all(store, experiment_ids=many) == newest_first(here + there)


def test_a_search_may_be_bound_to_trace_ids_bare_hex_meaning_ours(store, experiment_id):
    digits = f"{int(experiment_id):032x}"
    plains = [
        trace(f"tr-{digits}"),
        trace(f"foreign {experiment_id}"),
        trace(f"tr-{experiment_id}-z"),
    ]
    insert(store, experiment_id, plains)
    found = search_traces(store, trace_ids=[digits, plains[1]["trace_id"], "unknown"])
    assert set(ids(found)) == {f"tr-{digits}", plains[1]["trace_id"]}
    assert ids(search_traces(store, trace_ids=[])) == []
    assert ids(search_traces(store, filter_string=f"request_id = '{digits}'")) == [f"tr-{digits}"]


ORDERS = {
    "timestamp ASC": lambda one: (one["request_time_ms"],),
    "execution_time": lambda one: (
        one["duration_ns"] is None,
        (one["duration_ns"] or 0) // 1_000_000,
    ),
    "execution_time_ms DESC": lambda one: (
        one["duration_ns"] is None,
        -((one["duration_ns"] or 0) // 1_000_000),
    ),
    "status": lambda one: (one["state"],),
    "name": lambda one: text_key(reference.effective_tag(one, "mlflow.traceName")),
    "request_id DESC": lambda one: tuple(-ord(char) for char in one["trace_id"]) + (0,),
    "experiment_id": lambda one: (),
    "tags.k": lambda one: text_key(reference.effective_tag(one, "k")),
    "metadata.`my key`": lambda one: text_key(one["metadata"].get("my key")),
    "metadata.app_version": lambda one: text_key(one["metadata"].get("app_version")),
    "app_version": lambda one: version_key(one["metadata"].get("app_version")),
    "run_id": lambda one: text_key(one["metadata"].get("mlflow.sourceRun")),
    "session": lambda one: text_key(one["metadata"].get("mlflow.trace.session")),
}


def text_key(text):
    return (text is None, text or "")


def version_key(text):
    return (text is None, sort_key(text or ""))


@pytest.mark.parametrize("clause", ORDERS)
def test_traces_are_sorted_as_asked_nulls_last_and_pages_agree(hostile, clause):
    expected = sorted(
        PLAIN, key=lambda one: (*ORDERS[clause](one), -one["request_time_ms"], one["trace_id"])
    )
    found = read_all(hostile, max_results=11, experiment_ids=[EXPERIMENT], order_by=[clause])
    assert found == [one["trace_id"] for one in expected]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tree=filters().filter(renderable),
    clauses=st.lists(st.sampled_from(["timestamp", "name DESC", "tags.k", "metadata.n DESC", "state", "app_version DESC"]), max_size=2, unique=True),
    max_results=st.integers(1, 9),
)  # fmt: skip
def test_pages_of_any_size_hold_what_one_page_holds(hostile, tree, clauses, max_results):
    search = {"experiment_ids": [EXPERIMENT], "filter_string": render(tree), "order_by": clauses}
    whole = ids(search_traces(hostile, max_results=500, **search))
    assert read_all(hostile, max_results=max_results, **search) == whole
    assert set(whole) == {plain["trace_id"] for plain in PLAIN if reference.matches(tree, plain)}


@pytest.fixture(scope="module")
def hostile(chdb_store):
    insert(chdb_store, EXPERIMENT, PLAIN, stale=True)
    return chdb_store


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("latency", "did you mean 'execution_time_ms'?"),
        ("client_request_id", "can't sort by"),
        ("prompt", "can't sort by"),
        ("span.name", "can't sort by"),
        ("feedback.x", "can't sort by"),
        ("metadata.`mlflow.trace.cost`", "can't sort by"),
        ("timestamp, name", "expected ASC or DESC"),
        ("timestamp NULLS LAST", "expected ASC or DESC"),
        ("timestamp DESC name", "expected ASC or DESC"),
        (" ", "empty"),
        ("metadata.`x", "never closed"),
    ],
)
def test_a_bad_order_is_refused_with_a_column(chdb_store, clause, message):
    with pytest.raises(FilterError) as caught:
        search_traces(chdb_store, order_by=[clause])
    assert message in caught.value.message
    assert caught.value.column is not None


def test_the_same_field_twice_is_refused(chdb_store):
    with pytest.raises(FilterError, match="twice"):
        search_traces(chdb_store, order_by=["timestamp", "timestamp_ms DESC"])


@pytest.mark.parametrize("key", ["prompt", "client_request_id", "name", "timestamp_ms"])
def test_a_users_key_named_like_a_field_is_sorted_by_itself(store, experiment_id, key):
    plains = [trace(f"tr-{experiment_id}-{value}", metadata={key: value}) for value in "cab"]
    insert(store, experiment_id, plains)
    found = read_all(store, experiment_ids=[experiment_id], order_by=[f"metadata.{key}"])
    assert [one[-1] for one in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("max_results", "message"),
    [(0, "must be a positive integer"), (-1, "must be a positive integer"), (501, "Invalid value 501 for parameter 'max_results'")],
)  # fmt: skip
def test_a_limit_out_of_bounds_is_refused(chdb_store, max_results, message):
    with pytest.raises(InvalidInputError, match=message):
        search_traces(chdb_store, max_results=max_results)


@pytest.mark.parametrize("values", [[], [5], ["5", "tr-a"], [None, "tr-a"], [2**63, "tr-a"]])
def test_a_cursor_that_no_page_gave_is_refused(chdb_store, experiment_id, values):
    insert_series(chdb_store, experiment_id, 3)
    asked = {"experiment_ids": [experiment_id], "max_results": 2}
    cursor = search_traces(chdb_store, **asked).next_cursor
    digest, _ = msgspec.json.decode(base64.urlsafe_b64decode(cursor))
    forged = base64.urlsafe_b64encode(msgspec.json.encode([digest, values])).decode()
    with pytest.raises(InvalidInputError, match="not made here"):
        search_traces(chdb_store, **asked, cursor=forged)


@pytest.mark.parametrize("cursor", ["garbage", "", "Zm9v", "bnVsbA==", "☃", "W10="])
def test_a_broken_cursor_is_refused(chdb_store, cursor):
    with pytest.raises(InvalidInputError, match="Invalid page token"):
        search_traces(chdb_store, cursor=cursor)


@pytest.mark.parametrize("blanks", ["", " ", "  \t\n ", None], ids=repr)
def test_a_filter_of_blanks_finds_everything(store, experiment_id, blanks):
    plains = [trace(f"tr-{experiment_id}-{number}") for number in range(3)]
    insert(store, experiment_id, plains)
    page = search_traces(store, experiment_ids=[experiment_id], filter_string=blanks)
    assert len(page.traces) == 3


def test_a_users_spellings_of_an_environment_come_first(store, experiment_id):
    trace_id = f"tr-{experiment_id}-1"
    plain = {**trace(trace_id, metadata={"environment": "UAT"}), "environment": "staging"}
    insert(store, experiment_id, [plain])
    search = {"experiment_ids": [experiment_id], "environment_aliases": {"uat": "staging"}}
    for text in (
        "environment = 'Uat'",
        "environment = 'stg'",
        "NOT environment != 'uat'",
        "(environment IN ('x', 'uat') OR name = 'x') AND metadata.environment = 'UAT'",
        "environment LIKE 'stag%'",
    ):
        assert ids(search_traces(store, filter_string=text, **search)) == [trace_id], text
    for text in ("environment = 'production'", "environment != 'uat'", "environment LIKE 'uat'"):
        assert ids(search_traces(store, filter_string=text, **search)) == [], text
    del search["environment_aliases"]
    assert ids(search_traces(store, filter_string="environment = 'uat'", **search)) == []


def test_a_cursor_of_another_search_is_refused_and_blanks_do_not_matter(chdb_store, experiment_id):
    insert_series(chdb_store, experiment_id, 5)
    search = {"experiment_ids": [experiment_id], "max_results": 2}
    cursor = search_traces(chdb_store, **search, filter_string="state = 'OK'").next_cursor
    assert ids(search_traces(chdb_store, **search, filter_string='state  ="OK"', cursor=cursor))
    for change in (
        {"filter_string": "state = 'ERROR'"},
        {"filter_string": "state = 'OK'", "order_by": ["name"]},
        {},
    ):
        with pytest.raises(InvalidInputError, match="belongs to another search"):
            search_traces(chdb_store, **search, **change, cursor=cursor)


@pytest.mark.parametrize("pattern", ["(", "[", "a{2001}", "(?=a)", "\\"])
def test_a_regular_expression_that_can_not_be_compiled_is_named(store, pattern):
    with pytest.raises(FilterError, match="can't be compiled") as caught:
        search_traces(store, filter_string=f"state = 'OK' AND name RLIKE '{pattern}'")
    assert caught.value.column == 18


def test_a_tag_that_was_written_later_hides_the_initial_one(store, experiment_id):
    plain = trace(
        f"tr-{experiment_id}-x", name="chat", tags={"t": "1", "w": "1"}, tag_writes={"t": "2", "w": None, "n": "3", "mlflow.traceName": None}
    )  # fmt: skip
    insert(store, experiment_id, [plain], stale=True)

    def finds(text):
        return bool(search_traces(store, experiment_ids=[experiment_id], filter_string=text).traces)

    assert finds("tags.t = '2' AND tags.n = '3' AND tags.w IS NULL AND name IS NULL")
    for text in (
        "tags.t = '1'",
        "tags.t != '2'",
        "tags.w = '1'",
        "tags.w != '1'",
        "name = 'chat'",
        "name LIKE '%'",
    ):
        assert not finds(text)
        assert finds(f"NOT {text}")


def test_a_result_carries_its_tags_and_assessments_as_they_are_now(store, experiment_id):
    plain = trace(
        f"tr-{experiment_id}-x",
        name="chat",
        metadata={"environment": "Prod", "app_version": "1.0", "k": "v"},
        tags={"t": "first", "u": "kept", "w": "gone"},
        tag_writes={"t": "second", "w": None, "mlflow.traceName": "renamed"},
        assessments=[judgement("good", "true"), judgement("bad", "false", deleted=True), judgement("old", "1", valid=False)],
    )  # fmt: skip
    insert(store, experiment_id, [plain])
    (info,) = search_traces(store, experiment_ids=[experiment_id]).traces
    assert info.tags == {"t": "second", "u": "kept", "mlflow.traceName": "renamed"}
    assert info.name == "renamed"
    assert info.trace_metadata == {"environment": "Prod", "app_version": "1.0", "k": "v"}
    assert (info.environment, info.app_version, info.session) == ("production", "1.0", None)
    assert {(one.assessment_name, one.valid) for one in info.assessments} == {
        ("good", True),
        ("old", False),
    }


def test_span_conditions_hold_for_the_newest_spans_however_far_they_lie(chdb_store, experiment_id):
    plains = [
        trace(
            f"tr-{experiment_id}-{index}",
            request_time_ms=index,
            spans=[span("rare" if index < 3 else "b")],
        )
        for index in range(60)
    ]
    insert(chdb_store, experiment_id, plains, stale=True)
    search = {"experiment_ids": [experiment_id], "max_results": 2}
    rare = newest_first(plains[:3])
    assert read_all(chdb_store, **search, filter_string="span.name = 'rare'") == rare
    assert read_all(chdb_store, **search, filter_string="NOT span.name = 'b'") == rare
    both = "NOT (span.name = 'b' OR span.name = 'a')"
    assert read_all(chdb_store, **search, filter_string=both) == rare
    assert read_all(chdb_store, **search, filter_string="span.name = 'a'") == []
    assert read_all(chdb_store, **search, filter_string="NOT span.name = 'a'") == newest_first(
        plains
    )


@pytest.mark.parametrize(
    "one",
    ["tags.k > '1'", "feedback.k > 1", "span.name = 'x'", "name RLIKE 'x.*y'", "environment = 'x'"],
)
def test_the_engine_takes_the_largest_filter_that_the_parser_takes(chdb_store, experiment_id, one):
    insert_series(chdb_store, experiment_id, 2)
    for text in (" OR ".join([one] * 200), "NOT " * 49 + one, "(" * 49 + one + ")" * 49):
        page = search_traces(chdb_store, experiment_ids=[experiment_id], filter_string=text)
        assert len(page.traces) == (2 if text.startswith("NOT") else 0)


class EndingBetween:
    """A store in which a trace ends between the readings of `traces` and of `open_traces`."""

    def __init__(self, store, end):
        self._store = store
        self._end = end

    def __getattr__(self, name):
        return getattr(self._store, name)

    def query_together(self, statements, **settings):
        found = []
        for sql, parameters in statements:
            found.append(self._store.query(sql, parameters, settings=settings))
            if "FROM traces" in sql and self._end is not None:
                self._end()
                self._end = None
        return found


def test_a_trace_that_ends_while_a_page_is_read_is_found(chdb_store, experiment_id):
    running = trace(name_of(experiment_id, 1), state="IN_PROGRESS")
    insert(chdb_store, experiment_id, [running])

    def end():
        row = trace_row(running, experiment_id, state="OK", version=9)
        chdb_store.insert("traces", [row])
        chdb_store.insert("open_traces", [msgspec.structs.replace(row, version=10, deleted=1)])

    page = search_traces(EndingBetween(chdb_store, end), experiment_ids=[experiment_id])
    assert [(info.trace_id, info.state) for info in page.traces] == [(running["trace_id"], "OK")]


def test_a_trace_is_found_by_the_name_that_a_tag_gave_it_and_no_longer_by_the_old_one(
    store, experiment_id
):
    plains = [trace(name_of(experiment_id, index), name="first") for index in range(3)]
    insert(store, experiment_id, plains)
    renamed = plains[1]["trace_id"]
    store.insert("tags", [TagRow(trace_id=renamed, key="mlflow.traceName", value="second")])
    found = {
        name: ids(
            search_traces(store, experiment_ids=[experiment_id], filter_string=f"name = '{name}'")
        )
        for name in ("first", "second")
    }
    assert found == {
        "first": [plains[0]["trace_id"], plains[2]["trace_id"]],
        "second": [renamed],
    }


def test_versions_and_patterns_are_compared_beside_other_conditions(store, experiment_id):
    plains = [
        trace(
            name_of(experiment_id, index),
            metadata={"app_version": f"1.{index}", "mlflow.trace.user": f"u{index % 2}", "n": "5"},
        )
        for index in range(12)
    ]
    insert(store, experiment_id, plains, stale=True)
    text = "user = 'u1' AND app_version >= '1.9' AND metadata.n > 4 AND session RLIKE '.*'"
    search = {"experiment_ids": [experiment_id]}
    assert ids(search_traces(store, filter_string=text, **search)) == []
    text = text.removesuffix(" AND session RLIKE '.*'")
    assert ids(search_traces(store, filter_string=text, **search)) == [
        name_of(experiment_id, 9),
        name_of(experiment_id, 11),
    ]
